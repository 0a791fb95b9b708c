use super::*;
use clap::CommandFactory;

#[test]
fn metallbs_command_lines_are_accepted() {
    // The plain manifests', and the Helm chart's with everything switched on.
    let manifests =
        Args::try_parse_from(["controller", "--log-level=info", "--tls-min-version=VersionTLS12"]);
    assert!(manifests.unwrap().without_effect.given().is_empty());
    let chart = Args::try_parse_from([
        "controller",
        "--port=0",
        "--health-probe-port=1234",
        "--log-level=debug",
        "--webhook-mode=disabled",
        "--tls-cipher-suites=a,b",
        "--disable-cert-rotation=true",
        "--webhook-http2",
        "--lb-class=x",
        "--cert-service-name=s",
        "--metrics-cert-dir=/d",
    ])
    .unwrap();
    assert_eq!(
        chart.without_effect.given(),
        [
            "--disable-cert-rotation",
            "--cert-service-name",
            "--webhook-mode",
            "--webhook-http2",
        ]
    );
}

#[test]
fn what_metallb_refuses_is_refused() {
    assert!(Args::try_parse_from(["controller", "--webhook-mode=sometimes"]).is_err());
    assert!(Args::try_parse_from(["controller", "--no-such-flag"]).is_err());
}

#[test]
fn the_secret_is_kept_only_if_it_is_named() {
    let of = |args: &[&str]| {
        let args = Args::try_parse_from(["controller"].iter().chain(args)).unwrap();
        assert!(args.without_effect.given().is_empty());
        secret(args.ml_secret_name, args.deployment)
    };
    let wanted = |deployment: Option<&str>| {
        Some(Wanted {
            name: "memberlist".to_owned(),
            deployment: deployment.map(str::to_owned),
        })
    };
    assert_eq!(of(&["--deployment=controller"]), None);
    assert_eq!(of(&["--ml-secret-name=memberlist"]), wanted(None));
    assert_eq!(
        of(&["--ml-secret-name=memberlist", "--deployment=controller"]),
        wanted(Some("controller"))
    );
}

#[test]
fn the_page_of_flags_has_what_they_say() {
    let page = include_str!("../../../docs/reference-flags.md");
    let table = flags::table(&Args::command());
    assert!(
        page.contains(&table),
        "docs/reference-flags.md must contain:\n{table}"
    );
}
