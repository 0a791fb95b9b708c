use netlink_packet_route::route::RouteNextHop;

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mk_route(to: Option<(&str, u8)>, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.kind = RouteType::Unicast;
    route.attributes = attributes;
    if let Some((network, length)) = to {
        route.header.destination_prefix_length = length;
        route
            .attributes
            .push(RouteAttribute::Destination(ip(network).into()));
    }
    route
}

fn via(gateway: &str, index: u32, metric: u32) -> Vec<RouteAttribute> {
    vec![
        RouteAttribute::Gateway(ip(gateway).into()),
        RouteAttribute::Oif(index),
        RouteAttribute::Priority(metric),
    ]
}

fn on_link(network: &str, length: u8, index: u32) -> RouteMessage {
    mk_route(Some((network, length)), vec![RouteAttribute::Oif(index)])
}

fn mk_neighbour(address: &str, index: u32, state: NeighbourState) -> NeighbourMessage {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.ifindex = index;
    neighbour.header.state = state;
    let address = match ip(address) {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    neighbour.attributes = vec![
        NeighbourAttribute::Destination(address),
        NeighbourAttribute::LinkLayerAddress(MAC.0.to_vec()),
    ];
    neighbour
}

fn mk_gateway(address: &str, subnets: &[(&str, u8)]) -> Gateway {
    Gateway {
        address: ip(address),
        mac: None,
        subnets: subnets
            .iter()
            .map(|(network, length)| (ip(network), *length))
            .collect(),
    }
}

#[test]
fn gateways_come_with_the_subnets_that_they_are_in() {
    let routes = [
        mk_route(None, via("172.21.5.1", 2, 0)),
        mk_route(None, via("172.21.5.9", 2, 100)),
        mk_route(None, via("fe80::fe", 2, 1024)),
        on_link("172.21.5.0", 24, 2),
        on_link("10.7.0.0", 16, 2),
        on_link("172.21.5.0", 24, 3),
        on_link("fd00:5::", 64, 2),
        mk_route(Some(("10.9.0.0", 16)), via("172.21.5.7", 2, 0)),
    ];
    let expected = Gateways::from([
        (
            (2, EtherType::Arp),
            mk_gateway("172.21.5.1", &[("172.21.5.0", 24)]),
        ),
        ((2, EtherType::Ipv6), mk_gateway("fe80::fe", &[("fd00:5::", 64)])),
    ]);
    assert_eq!(assemble(&routes), expected);
}

#[test]
fn each_hop_of_several_is_the_gateway_of_its_interface() {
    let hop = |gateway: &str, index| {
        let mut hop = RouteNextHop::default();
        hop.interface_index = index;
        hop.attributes = vec![RouteAttribute::Gateway(ip(gateway).into())];
        hop
    };
    let hops = vec![hop("10.0.0.1", 2), hop("10.1.0.1", 3)];
    let found = assemble(&[mk_route(None, vec![RouteAttribute::MultiPath(hops)])]);
    let expected = [(2, "10.0.0.1"), (3, "10.1.0.1")];
    let expected = expected.map(|(index, address)| ((index, EtherType::Arp), mk_gateway(address, &[])));
    assert_eq!(found, Gateways::from(expected));
}

#[test]
fn routes_of_other_tables_and_kinds_lead_nowhere() {
    let mut other_table = mk_route(None, via("172.21.5.1", 2, 0));
    other_table.header.table = 100;
    let mut unreachable = mk_route(None, vec![RouteAttribute::Oif(2)]);
    unreachable.header.kind = RouteType::Unreachable;
    let through_a_tunnel = mk_route(None, vec![RouteAttribute::Oif(2)]);
    assert_eq!(
        assemble(&[other_table, unreachable, through_a_tunnel]),
        Gateways::new()
    );
}

#[test]
fn the_mac_is_that_of_a_neighbour_that_is_known() {
    let routes = [mk_route(None, via("172.21.5.1", 2, 0))];
    let mac = |neighbour: &NeighbourMessage| {
        let mut gateways = assemble(&routes);
        note_mac(&mut gateways, neighbour);
        gateways[&(2, EtherType::Arp)].mac
    };
    for state in [
        NeighbourState::Reachable,
        NeighbourState::Stale,
        NeighbourState::Permanent,
    ] {
        assert_eq!(mac(&mk_neighbour("172.21.5.1", 2, state)), Some(MAC), "{state:?}");
    }
    assert_eq!(mac(&mk_neighbour("172.21.5.1", 2, NeighbourState::Failed)), None);
    assert_eq!(mac(&mk_neighbour("172.21.5.1", 3, NeighbourState::Stale)), None);
    assert_eq!(mac(&mk_neighbour("172.21.5.2", 2, NeighbourState::Stale)), None);
}

#[test]
fn what_pods_change_is_no_occasion_to_look() {
    let known = assemble(&[mk_route(None, via("172.21.5.1", 2, 0))]);
    let seen = |message: RouteNetlinkMessage| concerns(&NetlinkMessage::from(message), &known);
    let neighbour = |address| mk_neighbour(address, 2, NeighbourState::Stale);
    assert!(seen(RouteNetlinkMessage::NewNeighbour(neighbour("172.21.5.1"))));
    assert!(!seen(RouteNetlinkMessage::NewNeighbour(neighbour("172.21.5.2"))));
    assert!(seen(RouteNetlinkMessage::NewRoute(mk_route(
        None,
        via("10.0.0.1", 3, 0)
    ))));
    assert!(seen(RouteNetlinkMessage::DelRoute(on_link("10.7.0.0", 16, 2))));
    assert!(!seen(RouteNetlinkMessage::NewRoute(on_link("10.244.0.7", 32, 9))));
    let lost = NetlinkMessage::new(Default::default(), NetlinkPayload::Overrun(Vec::new()));
    assert!(concerns(&lost, &known));
}
