use netlink_packet_route::link::LinkHeader;

use super::*;

fn mk_link(index: u32, flags: LinkFlags, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader {
        index,
        flags,
        ..LinkHeader::default()
    };
    message.attributes = attributes;
    message
}

fn mk_address(
    index: u32,
    prefix_len: u8,
    flags: AddressHeaderFlags,
    attributes: Vec<AddressAttribute>,
) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = prefix_len;
    message.header.flags = flags;
    message.attributes = attributes;
    message
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_interface_is_put_together_from_both_answers() {
    let links = [
        mk_link(
            2,
            LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Broadcast,
            vec![
                LinkAttribute::IfName("eth0".into()),
                LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
                LinkAttribute::Controller(7),
            ],
        ),
        mk_link(
            3,
            LinkFlags::Noarp,
            vec![
                LinkAttribute::IfName("tun0".into()),
                LinkAttribute::Address(vec![9; 4]),
            ],
        ),
    ];
    let addresses = [
        mk_address(
            2,
            64,
            AddressHeaderFlags::Permanent,
            vec![AddressAttribute::Address(ip("fe80::1"))],
        ),
        mk_address(
            2,
            30,
            AddressHeaderFlags::empty(),
            vec![
                AddressAttribute::Address(ip("10.0.0.2")),
                AddressAttribute::Local(ip("10.0.0.1")),
            ],
        ),
        mk_address(
            2,
            48,
            AddressHeaderFlags::Tentative,
            vec![AddressAttribute::Address(ip("fd00::1"))],
        ),
        mk_address(
            2,
            128,
            AddressHeaderFlags::Dadfailed,
            vec![AddressAttribute::Address(ip("fd00::2"))],
        ),
        mk_address(
            99,
            64,
            AddressHeaderFlags::empty(),
            vec![AddressAttribute::Address(ip("fd00::3"))],
        ),
    ];
    let eth0 = Link {
        index: 2,
        name: "eth0".into(),
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        up: true,
        carrier: true,
        broadcast: true,
        noarp: false,
        master: Some(7),
        addresses: vec![ip("10.0.0.1"), ip("fe80::1")],
        subnets: vec![
            (ip("10.0.0.2"), 30),
            (ip("fd00::1"), 48),
            (ip("fd00::2"), 128),
            (ip("fe80::1"), 64),
        ],
    };
    let tun0 = Link {
        index: 3,
        name: "tun0".into(),
        mac: None,
        up: false,
        carrier: false,
        broadcast: false,
        noarp: true,
        master: None,
        addresses: vec![],
        subnets: vec![],
    };
    assert_eq!(
        assemble(&links, &addresses),
        BTreeMap::from([(2, eth0), (3, tun0)])
    );
}
