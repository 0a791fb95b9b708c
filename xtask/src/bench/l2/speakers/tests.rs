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

#[test]
fn times_are_found_behind_a_name_with_blanks() {
    let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 41 59 0 0 20 0";
    assert_eq!(ticks(stat), Some(100));
}
