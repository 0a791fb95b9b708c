use clap::{CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    flags: Flags,
}

fn parse(arguments: &[&str]) -> Flags {
    Program::try_parse_from(["program"].iter().chain(arguments))
        .unwrap()
        .flags
}

#[test]
fn flags_without_effect_are_accepted_and_named() {
    let flags = [
        "--pprof-bind-address=:6060",
        "--tls-min-version=VersionTLS12",
        "--tls-cipher-suites=a,b",
        "--tls-curve-preferences=29",
        "--metrics-cert-dir=/certs",
    ];
    let names: Vec<_> = flags.iter().map(|flag| flag.split('=').next().unwrap()).collect();
    assert_eq!(parse(&flags).without_effect.given(), names);
    assert!(
        parse(&["--log-level=debug", "--lb-class="])
            .without_effect
            .given()
            .is_empty()
    );
}

#[test]
fn a_log_level_that_does_not_exist_is_refused() {
    assert!(Program::try_parse_from(["program", "--log-level=loud"]).is_err());
}

#[test]
fn the_table_has_each_flag_with_its_variable_its_default_and_what_it_says() {
    let table = table(&Program::command());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[2],
        "| `--namespace` | `METALLB_NAMESPACE` | – | Namespace of the configuration; by default the one of the pod |"
    );
    assert!(lines.contains(&"| `--port` | – | `9120` | Port of /metrics (plain HTTP); 0 disables it |"));
    let last = lines[lines.len() - 5..].iter();
    assert!(
        last.clone()
            .all(|line| line.ends_with("| accepted, without effect |")),
        "{last:?}"
    );
}
