use super::*;

#[test]
fn the_start_time_is_field_22_whatever_the_command_is_called() {
    let rest = "1 2 3 0 -1 4194560 1 0 0 0 10 20 0 0 20 0 9 0 987654 1000 200";
    assert_eq!(start_time(&format!("42 (kubelet) S {rest}")), Some(987_654));
    assert_eq!(start_time(&format!("42 (a) b) (c) R {rest}")), Some(987_654));
}

#[test]
fn a_zombie_does_not_run() {
    assert_eq!(
        start_time("42 (kubelet) Z 1 2 3 0 -1 4194560 1 0 0 0 10 20 0 0 20 0 9 0 987654 1000"),
        None
    );
    assert_eq!(start_time("nonsense"), None);
}

#[test]
fn a_pid_that_was_given_to_another_process_is_not_ours() {
    let me = Process::of(std::process::id()).unwrap();
    assert!(me.is_running());
    let earlier = Process {
        started: me.started - 1,
        ..me
    };
    assert!(!earlier.is_running());
}
