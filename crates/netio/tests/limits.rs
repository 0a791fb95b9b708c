//! The limit on descriptors, in a process that begins with a low one.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::process::Command;

use cortenlb_netio::limits::raise_descriptors;

const INSIDE: &str = "CORTENLB_TEST_INSIDE_LIMIT";

#[test]
fn the_soft_limit_rises_to_the_hard_one() {
    if std::env::var_os(INSIDE).is_some() {
        let open = || -> Vec<_> { (0..100).map_while(|_| File::open("/dev/null").ok()).collect() };
        assert!(open().len() < 100, "the limit is low");
        assert_eq!(raise_descriptors().unwrap(), 200);
        assert_eq!(open().len(), 100);
        return;
    }
    let script =
        "ulimit -S -n 64 && ulimit -H -n 200 && exec \"$0\" --exact the_soft_limit_rises_to_the_hard_one";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
