use super::*;
use clap::ValueEnum as _;

/// The candidates for the last of these words, sorted, and the number at the end.
fn offered(typed: &str) -> (Vec<String>, String) {
    let typed: Vec<String> = typed.split(' ').map(str::to_owned).collect();
    let text = candidates(&typed);
    let (lines, directive) = text
        .trim_end()
        .rsplit_once('\n')
        .unwrap_or_else(|| ("", text.trim_end()));
    let words = lines.lines().map(|line| {
        let (word, _) = line.split_once('\t').unwrap();
        word.to_owned()
    });
    let mut words: Vec<String> = words.collect();
    words.sort();
    (words, directive.to_owned())
}

fn no_files(words: &[&str]) -> (Vec<String>, String) {
    let words = words.iter().map(|word| (*word).to_owned());
    (words.collect(), ":4".to_owned())
}

#[test]
fn commands_are_offered_where_one_may_stand() {
    let all = [
        "completion",
        "doctor",
        "failovers",
        "help",
        "migrate",
        "plan",
        "status",
        "why",
    ];
    assert_eq!(offered(""), no_files(&all));
    assert_eq!(offered("w"), no_files(&["why"]));
    assert_eq!(offered("why s"), no_files(&["service"]));
    assert_eq!(offered("-n lb migrate c"), no_files(&["check"]));
    assert_eq!(offered("-n why "), no_files(&all), "the namespace is called so");
    assert_eq!(offered("completion z"), no_files(&["zsh"]));
    assert_eq!(offered("status "), no_files(&[]));
    assert_eq!(candidates(&[]), candidates(&[String::new()]));
}

#[test]
fn flags_are_offered_with_what_they_take() {
    assert_eq!(
        offered("why svc shop/web --n"),
        no_files(&["--namespace", "--node"])
    );
    assert_eq!(offered("status --n"), no_files(&["--namespace"]));
    assert_eq!(offered("plan --prune --p"), no_files(&["--prune"]));
    for flag in ["-o", "--output"] {
        assert_eq!(
            offered(&format!("doctor {flag} ")),
            no_files(&["json", "table", "wide", "yaml"])
        );
    }
    assert_eq!(offered("doctor -o j"), no_files(&["json"]));
    for file in ["plan -f po", "plan --filename ", "status --kubeconfig "] {
        assert_eq!(offered(file), (Vec::new(), ":0".to_owned()), "{file}");
    }
}

#[test]
fn kubectl_is_answered_line_by_line() {
    let asked = |words: &[&str]| answer(&words.iter().map(OsString::from).collect::<Vec<_>>());
    let program = "/usr/local/bin/kubectl_complete-cortenlb";
    assert_eq!(
        asked(&[program, "doct"]).unwrap(),
        "doctor\tFind what is wrong, with the command that mends it\n:4\n"
    );
    assert_eq!(asked(&[program, "nothing"]).unwrap(), ":4\n");
    assert_eq!(
        asked(&["kubectl-cortenlb", "doct"]),
        None,
        "it is run, and not asked"
    );
    assert_eq!(asked(&[]), None);
}

#[test]
fn each_shell_has_a_script() {
    for shell in Shell::value_variants() {
        let script = String::from_utf8(script(*shell)).unwrap();
        for part in ["kubectl-cortenlb", "failovers", "kubeconfig"] {
            assert!(script.contains(part), "{shell}: {part}");
        }
    }
}
