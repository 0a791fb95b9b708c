use clap::Parser;

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
