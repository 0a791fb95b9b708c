use super::Readiness;

#[test]
fn one_name_for_two_things_waits_for_both() {
    let readiness = Readiness::default();
    let [first, second] = [readiness.handle("a list"), readiness.handle("a list")];
    assert_eq!(readiness.missing(), ["a list"]);
    first.ready();
    assert_eq!(readiness.missing(), ["a list"]);
    second.ready();
    assert!(readiness.missing().is_empty());
}
