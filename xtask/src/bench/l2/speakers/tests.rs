use super::*;

#[test]
fn times_are_found_behind_a_name_with_blanks() {
    let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 41 59 0 0 20 0";
    assert_eq!(ticks(stat), Some(100));
}
