use super::*;

#[test]
fn the_99th_percentile_of_few_is_the_longest() {
    let values: Vec<f64> = (1..=20).map(f64::from).collect();
    assert_eq!(percentile(&values, 50), 10.0);
    assert_eq!(percentile(&values, 99), 20.0);
    assert_eq!(percentile(&values, 100), 20.0);
    assert!(percentile(&[], 50).is_nan());
}

#[test]
fn a_time_has_a_number_and_a_unit() {
    assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
    assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
    for text in ["", "10", "m", "-1s", "1ms", "1.5h"] {
        assert!(duration(text).is_err(), "{text}");
    }
}
