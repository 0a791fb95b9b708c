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

#[test]
fn names_of_nodes_are_there_once_and_in_order() {
    let names: NodeNames = ["n3", "n1", "n3", "n10"].into_iter().collect();
    assert_eq!(names.iter().collect::<Vec<_>>(), ["n1", "n10", "n3"]);
    assert_eq!(names, ["n10", "n3", "n1"].into_iter().collect());
    assert_eq!(NodeNames::default().iter().count(), 0);
}
