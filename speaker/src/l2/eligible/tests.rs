use cortenlb_wire::mac::MacAddr;

use super::*;
use crate::l2::attached::tests::mk_attached;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn mk_link() -> Link {
    Link {
        index: 2,
        name: "eth0".into(),
        mac: Some(MAC),
        up: true,
        carrier: true,
        broadcast: true,
        noarp: false,
        master: None,
        addresses: vec![
            "172.21.5.11".parse().unwrap(),
            "fd00:5::11".parse().unwrap(),
            "fe80::11".parse().unwrap(),
        ],
        subnets: vec![
            ("172.21.5.11".parse().unwrap(), 24),
            ("172.21.5.12".parse().unwrap(), 24),
            ("172.21.6.1".parse().unwrap(), 32),
            ("fd00:5::11".parse().unwrap(), 64),
        ],
    }
}

fn exclusions(text: &str) -> Exclusions {
    Exclusions::parse(Path::new("excludel2.yaml"), text).unwrap()
}

#[test]
fn an_ordinary_interface_announces_both_families() {
    let ndp = Some("fe80::11".parse().unwrap());
    let expected = Interface {
        name: "eth0".into(),
        mac: MAC,
        arp: true,
        ndp,
        ipv4: Some("172.21.5.11".parse().unwrap()),
    };
    assert_eq!(interface(&mk_link()), Some(expected));
}

#[test]
fn some_interfaces_announce_one_family() {
    let without_link_local = Link {
        addresses: vec!["fd00:5::11".parse().unwrap()],
        ..mk_link()
    };
    let found = interface(&without_link_local).unwrap();
    assert_eq!((found.arp, found.ndp, found.ipv4), (true, None, None));
    let without_broadcast = Link {
        broadcast: false,
        ..mk_link()
    };
    let found = interface(&without_broadcast).unwrap();
    assert!(!found.arp && found.ndp.is_some());
}

#[test]
fn some_interfaces_announce_nothing() {
    let cases = [
        (
            "down",
            Link {
                up: false,
                ..mk_link()
            },
        ),
        (
            "without carrier",
            Link {
                carrier: false,
                ..mk_link()
            },
        ),
        (
            "a port of a bridge",
            Link {
                master: Some(7),
                ..mk_link()
            },
        ),
        // It has the bond's MAC, and no address.
        (
            "a slave of a bond",
            Link {
                master: Some(7),
                addresses: vec![],
                subnets: vec![],
                ..mk_link()
            },
        ),
        // MetalLB asks whether there is a master, and not of which kind.
        (
            "a port of a VRF, which has its addresses",
            Link {
                name: "eth2".into(),
                master: Some(8),
                ..mk_link()
            },
        ),
        (
            "NOARP, as a VRF itself is",
            Link {
                noarp: true,
                ..mk_link()
            },
        ),
        (
            "without MAC",
            Link {
                mac: None,
                ..mk_link()
            },
        ),
        (
            "loopback's MAC",
            Link {
                mac: Some(MacAddr::ZERO),
                ..mk_link()
            },
        ),
        (
            "neither broadcast nor link-local",
            Link {
                broadcast: false,
                addresses: vec![],
                ..mk_link()
            },
        ),
    ];
    for (case, link) in cases {
        assert_eq!(interface(&link), None, "{case}");
    }
}

#[test]
fn a_bond_announces_in_place_of_its_slaves_and_a_vlan_on_top_beside_it() {
    let link = |index, name: &str, master| {
        (
            index,
            Link {
                index,
                name: name.into(),
                master,
                ..mk_link()
            },
        )
    };
    let links = Links::from([
        link(2, "eth0", Some(4)),
        link(3, "eth1", Some(4)),
        link(4, "bond0", None),
        link(5, "bond0.5", None),
    ]);
    let found = interfaces(&links, &Exclusions::default());
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_port_is_an_interface_with_carrier_or_without() {
    let expected = |carrier| mk_attached(1, carrier, &["172.21.5.0/24", "fd00:5::/64"]);
    let (down, unplugged, slave) = (
        Link {
            up: false,
            ..mk_link()
        },
        Link {
            carrier: false,
            ..mk_link()
        },
        Link {
            master: Some(7),
            ..mk_link()
        },
    );
    assert_eq!(port(&mk_link()), Some(expected(true)));
    assert_eq!(port(&down), Some(expected(false)));
    assert_eq!(port(&unplugged), Some(expected(false)));
    assert_eq!(port(&slave), None);
    let links = Links::from([(2, unplugged)]);
    let some = exclusions("announcedInterfacesToExclude: [eth0]");
    assert_eq!(ports(&links, &some), Ports::new());
    assert_eq!(
        ports(&links, &Exclusions::default()),
        Ports::from([(2, expected(false))])
    );
}

#[test]
fn excluded_interfaces_are_not_there() {
    let link = |index, name: &str| {
        (
            index,
            Link {
                index,
                name: name.into(),
                up: index != 3,
                ..mk_link()
            },
        )
    };
    let links = Links::from([
        link(2, "eth0"),
        link(3, "eth1"),
        link(4, "veth12"),
        link(5, "mycali"),
    ]);
    let some = exclusions("announcedInterfacesToExclude: [\"^veth.*\", \"cali\"]\n");
    assert_eq!(interfaces(&links, &some).into_keys().collect::<Vec<_>>(), [2]);
    assert_eq!(
        some.names(&links),
        BTreeSet::from(["eth0".to_owned(), "eth1".to_owned()]),
        "down ones too"
    );
    assert_eq!(
        interfaces(&links, &Exclusions::default())
            .into_keys()
            .collect::<Vec<_>>(),
        [2, 4, 5]
    );
}

#[test]
fn the_file_as_metallb_writes_it() {
    let text = "announcedInterfacesToExclude:\n- ^docker.*\n- ^lo$\n- ^veth.*\n";
    let some = exclusions(text);
    assert!(some.exclude("lo") && some.exclude("docker0") && !some.exclude("lo1"));
    assert!(!exclusions("announcedInterfacesToExclude: []").exclude(""));
    let none = Exclusions::load(Path::new("/nonexistent/excludel2.yaml")).unwrap();
    assert!(!none.exclude("lo"));
}

#[test]
fn a_file_that_makes_no_sense_is_an_error() {
    let parse = |text| Exclusions::parse(Path::new("excludel2.yaml"), text);
    assert!(matches!(
        parse("announcedInterfacesToExclude: 3"),
        Err(LoadError::Parse { .. })
    ));
    let error = parse("announcedInterfacesToExclude: ['(']").unwrap_err();
    assert!(matches!(error, LoadError::Pattern { .. }));
    assert!(
        error.to_string().starts_with("excludel2.yaml has an expression"),
        "{error}"
    );
}
