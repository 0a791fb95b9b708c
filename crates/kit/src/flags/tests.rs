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
        "--tls-cipher-suites=a,b",
        "--tls-curve-preferences=29",
    ];
    let names: Vec<_> = flags.iter().map(|flag| flag.split('=').next().unwrap()).collect();
    assert_eq!(parse(&flags).without_effect.given(), names);
    assert!(
        parse(&["--log-level=debug", "--lb-class=", "--metrics-cert-dir=/certs"])
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
fn a_log_format_that_does_not_exist_is_told_what_exists() {
    for (flags, format) in [
        (&[][..], LogFormat::Auto),
        (&["--log-format=json"], LogFormat::Json),
        (&["--log-format=text"], LogFormat::Text),
    ] {
        assert_eq!(parse(flags).log_format, format, "{flags:?}");
    }
    let Err(error) = Program::try_parse_from(["program", "--log-format=xml"]) else {
        panic!("there is no such format")
    };
    let error = error.to_string();
    assert!(
        error.contains("--log-format") && error.contains("use auto, json or text"),
        "{error}"
    );
}

#[test]
fn the_table_has_each_flag_with_its_variable_its_default_and_what_it_says() {
    let table = table(&Program::command());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[2],
        "| `--namespace` | `METALLB_NAMESPACE` | – | Namespace of the configuration; by default the one of the pod |"
    );
    assert!(lines.contains(
        &"| `--port` | – | `9120` | Port of /metrics (HTTPS, for tokens that may get it); 0 disables it |"
    ));
    let last = lines[lines.len() - 3..].iter();
    assert!(
        last.clone()
            .all(|line| line.ends_with("| accepted, without effect |")),
        "{last:?}"
    );
}

#[test]
fn versions_of_tls_are_named_as_gos_and_the_newest_is_the_default() {
    for (flags, version) in [
        (&[][..], MinVersion::Tls13),
        (&["--tls-min-version="], MinVersion::Tls13),
        (&["--tls-min-version=VersionTLS12"], MinVersion::Tls12),
        (&["--tls-min-version=VersionTLS13"], MinVersion::Tls13),
    ] {
        assert_eq!(parse(flags).tls_min_version, version, "{flags:?}");
    }
    let Err(error) = Program::try_parse_from(["program", "--tls-min-version=1.2"]) else {
        panic!("that is no name of Go's")
    };
    assert!(
        error.to_string().contains("say VersionTLS12 or VersionTLS13"),
        "{error}"
    );
}
