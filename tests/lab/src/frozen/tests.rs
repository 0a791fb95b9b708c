use std::process::Command;

use super::*;

/// A letter; `t` is for a thread that its tracer has stopped (proc_pid_stat(5)).
fn state(process: Process) -> char {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.chars().next().unwrap()
}

#[test]
fn a_thread_stands_still_until_what_holds_it_is_dropped() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let process = Process::of(child.id()).unwrap();
    let other = FrozenThread::named(&[process], "another");
    assert_eq!(other.unwrap_err().kind(), io::ErrorKind::NotFound);
    let frozen = FrozenThread::named(&[process], "sleep").unwrap();
    assert_eq!(state(process), 't');
    drop(frozen);
    assert_ne!(state(process), 't');
    child.kill().unwrap();
    child.wait().unwrap();
}
