use super::*;
use clap::CommandFactory;

fn parse(args: &[&str]) -> Args {
    let required = ["speaker", "--node-name=n1", "--pod-name=speaker-1"];
    Args::try_parse_from(required.iter().chain(args)).unwrap()
}

#[test]
fn the_flags_of_metallbs_manifests_start_it() {
    let args = parse(&[
        "--port=7472",
        "--log-level=info",
        "--lb-class=",
        "--health-probe-port=7473",
    ]);
    assert!(args.without_effect.given().is_empty());
}

#[test]
fn flags_without_effect_are_accepted_and_named() {
    let flags = [
        "--ml-namespace=metallb-system",
        "--ml-wan-config",
        "--bgp-debounce-timeout=3000",
        "--frrk8s-namespace=frr",
        "--frrk8s-secret-passthrough=true",
    ];
    let names: Vec<_> = flags.iter().map(|flag| flag.split('=').next().unwrap()).collect();
    assert_eq!(parse(&flags).without_effect.given(), names);
    assert_eq!(parse(&["--ml-wan-config=false"]).without_effect.given(), [""; 0]);
}

#[test]
fn how_speakers_know_one_another_is_said_as_to_metallb() {
    let read = |args: &[&str]| {
        let args = parse(args);
        assert!(args.without_effect.given().is_empty());
        args.membership.read()
    };
    let off = Membership {
        bind: None,
        port: 7946,
        secret_key_path: None,
        secret_name: Some("memberlist".to_owned()),
    };
    assert_eq!(read(&[]), off);
    // As templates leave them.
    assert_eq!(
        read(&[
            "--ml-bindaddr=",
            "--ml-bindport=",
            "--ml-secret-key-path=",
            "--ml-secret-name="
        ]),
        Membership {
            secret_name: None,
            ..off
        }
    );
    assert_eq!(
        read(&[
            "--ml-bindaddr=fd00:5::11",
            "--ml-bindport=7950",
            "--ml-secret-key-path=/etc/ml_secret_key",
            "--ml-secret-name=metallb-memberlist",
        ]),
        Membership {
            bind: Some("fd00:5::11".parse().unwrap()),
            port: 7950,
            secret_key_path: Some("/etc/ml_secret_key".into()),
            secret_name: Some("metallb-memberlist".to_owned()),
        }
    );
    for (wrong, why) in [
        ("--ml-bindaddr=eth0", "invalid IP address syntax"),
        ("--ml-bindport=0", "number would be zero"),
        ("--ml-bindport=65536", "number too large"),
    ] {
        let required = ["speaker", "--node-name=n1", "--pod-name=speaker-1", wrong];
        let error = Args::try_parse_from(required).unwrap_err().to_string();
        assert!(error.contains(wrong.split_once('=').unwrap().0), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn addresses_are_told_of_once_a_minute_unless_told_otherwise() {
    let interval = |args: &[&str]| refresh(parse(args).gratuitous_arp_interval);
    assert_eq!(interval(&[]), Some(Duration::from_secs(60)));
    assert_eq!(
        interval(&["--gratuitous-arp-interval=10"]),
        Some(Duration::from_secs(10))
    );
    assert_eq!(interval(&["--gratuitous-arp-interval", "0"]), None);
}

#[test]
fn switches_take_a_value_as_gos_do() {
    assert!(!parse(&[]).ignore_exclude_lb);
    assert!(parse(&["--ignore-exclude-lb"]).ignore_exclude_lb);
    assert!(parse(&["--ignore-exclude-lb=true"]).ignore_exclude_lb);
    assert!(!parse(&["--ignore-exclude-lb=false"]).ignore_exclude_lb);
    assert!(parse(&[]).stand_in);
    assert!(parse(&["--stand-in"]).stand_in);
    assert!(!parse(&["--stand-in=false"]).stand_in);
}

#[test]
fn metrics_follow_the_nodes_family() {
    for (host, address) in [
        (Some("172.21.5.11"), "0.0.0.0:9120"),
        (Some("fd00:5::11"), "[::]:9120"),
        (None, "0.0.0.0:9120"),
    ] {
        let parsed = host.map(|host| host.parse().unwrap());
        assert_eq!(metrics_address(parsed, 9120).to_string(), address, "{host:?}");
    }
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
