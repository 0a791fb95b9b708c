use super::*;

#[test]
fn the_99th_percentile_of_few_is_the_longest() {
    let values: Vec<f64> = (1..=20).map(f64::from).collect();
    assert_eq!(percentile(&values, 50), 10.0);
    assert_eq!(percentile(&values, 99), 20.0);
    assert_eq!(percentile(&values, 100), 20.0);
    assert!(percentile(&[], 50).is_nan());
}
