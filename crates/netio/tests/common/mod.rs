//! Runs a test in a network namespace of its own, so that it disturbs neither the machine nor another test.

use std::io::Write as _;
use std::process::Command;

const INSIDE: &str = "CORTENLB_TEST_INSIDE_NAMESPACE";

/// Runs `body` in a child process with a new network namespace: this test binary again, for the test `name` alone.
/// Skips with a printed reason when not root, or when `body` says so inside.
pub(crate) fn in_namespace(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("unshare");
    child
        .args(["--net", "--mount", "--"])
        .arg(program)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1");
    match Command::new("unshare").args(["--net", "true"]).output() {
        Ok(output) if output.status.success() => {}
        other => {
            let why = format!("a network namespace needs root and unshare(1): {other:?}");
            return skip(name, &why);
        }
    }
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    // A filter that matches no test succeeds too: then `name` is not the test's.
    assert!(
        output.status.success() && told.contains("1 passed"),
        "inside of the namespace:\n{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in told.lines() {
        if let Some((name, why)) = line.strip_prefix(SKIPPED).and_then(|line| line.split_once(": ")) {
            skip(name, why);
        }
    }
}

/// What a line begins with that `cargo xtask test` counts as a test that was not run.
const SKIPPED: &str = "SKIPPED ";

/// Says that a test cannot be run here, also of a test that passes.
#[expect(clippy::explicit_write, reason = "`println!` is captured")]
pub(crate) fn skip(name: &str, why: &str) {
    writeln!(std::io::stdout(), "\n{SKIPPED}{name}: {why}").unwrap();
}

/// Runs `ip` with these words, and expects success.
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .expect("iproute2 is installed");
    assert!(
        output.status.success(),
        "ip {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A pair of connected Ethernet interfaces, `left` and `right`, both up; returns their indexes.
pub(crate) fn ethernet() -> [u32; 2] {
    ip("link add name left address 02:00:00:00:00:0a type veth peer name right address 02:00:00:00:00:0b");
    ["left", "right"].map(|name| {
        ip(&format!("link set {name} up"));
        index(name)
    })
}

/// The index of an interface of this namespace.
pub(crate) fn index(name: &str) -> u32 {
    let output = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    line.split(':').next().unwrap().parse().unwrap()
}
