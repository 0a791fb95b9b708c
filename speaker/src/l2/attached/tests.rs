use cortenlb_proto::cluster::Prefix;

use super::*;

/// An interface whose MAC ends like this.
pub(in crate::l2) fn mk_attached(mac: u8, carrier: bool, prefixes: &[&str]) -> Attached {
    let prefix = |text: &&str| {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    };
    Attached {
        mac: MacAddr([2, 0, 0, 0, 0, mac]),
        carrier,
        prefixes: prefixes.iter().map(prefix).collect(),
    }
}

#[test]
fn what_carries_no_address_is_left_out() {
    let ports = Ports::from([
        (2, mk_attached(2, true, &["172.21.5.11/24", "fd00:5::11/64"])),
        (3, mk_attached(3, false, &["192.168.0.11/24", "10.9.0.1/16"])),
        (4, mk_attached(4, true, &["10.244.1.1/24"])),
        (5, mk_attached(5, true, &[])),
    ]);
    let cases: [(&[&str], &[Attached]); 5] = [
        (&[], &[]),
        (&["203.0.113.1", "2001:db8::1"], &[]),
        (&["172.21.5.240"], &[mk_attached(2, true, &["172.21.5.0/24"])]),
        (
            &["172.21.5.240", "fd00:5::240", "203.0.113.1"],
            &[mk_attached(2, true, &["172.21.5.0/24", "fd00:5::/64"])],
        ),
        (
            &["172.21.5.255", "192.168.0.0"],
            &[
                mk_attached(2, true, &["172.21.5.0/24"]),
                mk_attached(3, false, &["192.168.0.0/24"]),
            ],
        ),
    ];
    for (addresses, expected) in cases {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(attached(&ports, &addresses), expected, "{addresses:?}");
    }
}

#[test]
fn a_port_without_carrier_keeps_its_prefixes() {
    let before = Ports::from([
        (2, mk_attached(2, true, &["172.21.5.0/24", "fd00:5::/64"])),
        (3, mk_attached(3, true, &["192.168.0.0/24"])),
        (4, mk_attached(4, true, &["10.0.0.0/8"])),
    ]);
    let mut ports = Ports::from([
        (2, mk_attached(2, false, &["172.21.5.0/24"])),
        (3, mk_attached(3, true, &[])),
        (4, mk_attached(5, false, &[])),
    ]);
    keep_prefixes(&before, &mut ports);
    let expected = Ports::from([
        (2, mk_attached(2, false, &["172.21.5.0/24", "fd00:5::/64"])),
        (3, mk_attached(3, true, &[])),
        (4, mk_attached(5, false, &[])),
    ]);
    assert_eq!(
        ports, expected,
        "one with carrier has what it has; another MAC is another interface"
    );
}

#[test]
fn another_node_is_where_it_shares_a_prefix() {
    let port = mk_attached(1, true, &["172.21.5.0/24", "fd00:5::/64"]);
    let mac = |last| Some(MacAddr([2, 0, 0, 0, 0, last]));
    let v4 = |last, carrier| mk_attached(last, carrier, &["172.21.5.0/24"]);
    let cases = [
        (vec![], None),
        (vec![mk_attached(7, true, &["172.21.0.0/16"])], None),
        (vec![mk_attached(7, true, &["10.0.0.0/8"]), v4(8, true)], mac(8)),
        (vec![mk_attached(7, true, &["fd00:5::/64"])], mac(7)),
        (vec![v4(7, false), v4(8, true)], mac(8)),
        (vec![v4(7, false)], mac(7)),
    ];
    for (others, expected) in cases {
        assert_eq!(towards(&port, &others), expected, "{others:?}");
    }
}
