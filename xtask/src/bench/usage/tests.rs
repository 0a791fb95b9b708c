use super::*;

#[test]
fn a_counter_is_summed_over_its_labels() {
    let text = "# TYPE frames counter\n\
                frames_total{reason=\"a b\"} 2\n\
                frames_total{reason=\"c\"} 3\n\
                frames_total_of_others 7\n";
    assert_eq!(sum(text, "frames_total"), 5.0);
    assert_eq!(sum(text, "none_total"), 0.0);
}
