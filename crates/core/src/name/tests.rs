use super::*;

#[test]
fn keys_are_in_the_order_of_namespaces_and_then_of_names() {
    let sorted = [
        ("", "z"),
        ("a", ""),
        ("a", "b"),
        ("a", "b-c"),
        ("a", "b.c"),
        ("a", "bc"),
        ("a-b", "a"),
        ("ab", "a"),
    ];
    let keys = sorted.map(|(namespace, name)| ServiceKey::new(namespace, name));
    assert!(keys.is_sorted());
    for ((namespace, name), key) in sorted.into_iter().zip(&keys) {
        assert_eq!((key.namespace(), key.name()), (namespace, name));
        assert_eq!(key.to_string(), format!("{namespace}/{name}"));
    }
}
