//! Sequences of operations against a model that knows no timers: what is in the table and on an interface is
//! answered, what is not is not, and every burst is bounded.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Table(Vec<(u8, Option<u32>)>),
    Interfaces(Vec<(u32, u8)>),
    Request { address: u8, interface: u32 },
    Reopened { interface: u32, protocol: EtherType },
    Wait(u16),
}

fn op() -> impl Strategy<Value = Op> {
    let scope = prop::option::weighted(0.3, 1_u32..4);
    prop_oneof![
        prop::collection::vec((0_u8..6, scope), 0..5).prop_map(Op::Table),
        prop::collection::vec((1_u32..4, 0_u8..2), 0..4).prop_map(Op::Interfaces),
        (0_u8..6, 1_u32..4).prop_map(|(address, interface)| Op::Request { address, interface }),
        (
            1_u32..4,
            prop::sample::select(vec![EtherType::Arp, EtherType::Ipv6])
        )
            .prop_map(|(interface, protocol)| Op::Reopened { interface, protocol }),
        (0_u16..3_000).prop_map(Op::Wait),
    ]
}

/// Even numbers are IPv4 addresses, odd ones IPv6 addresses.
fn address(number: u8) -> IpAddr {
    match number % 2 {
        0 => Ipv4Addr::new(172, 21, 5, 240 + number).into(),
        _ => Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 0x240 + u16::from(number)).into(),
    }
}

fn request(address: IpAddr) -> (EtherType, Vec<u8>) {
    match address {
        IpAddr::V4(vip) => (EtherType::Arp, arp::Repr::request(CLIENT_MAC, CLIENT, vip).emit()),
        IpAddr::V6(vip) => (
            EtherType::Ipv6,
            Solicitation::multicast(CLIENT_MAC, v6("fd00:5::100"), vip).emit(),
        ),
    }
}

/// The sender's MAC that an ARP packet or advertisement carries for its address.
fn carried(frame: &[u8]) -> MacAddr {
    match arp::Repr::parse(frame) {
        Ok(packet) => packet.sender_mac,
        Err(_) => match ndp::Repr::parse(frame).unwrap() {
            ndp::Repr::Advertisement(advertisement) => advertisement.target_link_layer.unwrap(),
            other @ ndp::Repr::Solicitation(_) => panic!("{other:?}"),
        },
    }
}

fn at(now: Instant, outputs: Vec<Output>) -> Vec<(Instant, Output)> {
    outputs.into_iter().map(|output| (now, output)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn answers_exactly_for_what_it_owns(ops in prop::collection::vec(op(), 0..40)) {
        let mut responder = Responder::new(None);
        let (mut table, mut interfaces) = (Table::new(), Interfaces::new());
        let mut now = T0;
        // When each address began to be served on an interface with a MAC.
        let mut since: BTreeMap<(Key, MacAddr), Instant> = BTreeMap::new();
        // Each change has a turn of its own, so that what it begins is told of at once.
        let turn = || Op::Wait(u16::try_from(PACE.as_millis()).unwrap());
        for op in ops.into_iter().flat_map(|op| [turn(), op]) {
            let mut outputs = vec![];
            match op {
                Op::Table(entries) => {
                    let scope = |only_on: Option<u32>| only_on.map_or(Scope::All, |index| only(&format!("eth{index}")));
                    table = entries.into_iter().map(|(number, on)| (address(number), scope(on))).collect();
                    outputs = at(now, step(&mut responder, now, Input::Table(table.clone())));
                }
                Op::Interfaces(entries) => {
                    interfaces = entries
                        .into_iter()
                        .map(|(index, flavour)| {
                            let mac = MacAddr([2, 0, 0, 0, flavour, index as u8]);
                            (index, Interface { mac, ..mk_interface(index) })
                        })
                        .collect();
                    outputs = at(now, step(&mut responder, now, Input::Interfaces(interfaces.clone())));
                }
                Op::Reopened { interface, protocol } => {
                    outputs = at(now, step(&mut responder, now, Input::Reopened { interface, protocol }));
                    since.retain(|((vip, index), _), _| *index != interface || vip.is_ipv4() != (protocol == EtherType::Arp));
                }
                Op::Wait(milliseconds) => {
                    let end = now + Duration::from_millis(milliseconds.into());
                    while let Some(due) = responder.poll_timeout().filter(|due| *due <= end) {
                        prop_assert!(due > now, "a timeout that was handed in does not stay due");
                        now = due;
                        outputs.extend(at(now, step(&mut responder, now, Input::Timeout)));
                    }
                    now = end;
                }
                Op::Request { address: number, interface } => {
                    let vip = address(number);
                    let (protocol, bytes) = request(vip);
                    let answers = step(&mut responder, now, Input::Frame { interface, protocol, received: now, bytes: &bytes });
                    let owned = interfaces
                        .get(&interface)
                        .filter(|found| table.get(&vip).is_some_and(|scope| found.is_in(scope)));
                    match (owned, answers.as_slice()) {
                        (None, [Output::Ignored { .. }]) => {}
                        (Some(found), [Output::Asked { .. }, Output::Send { interface: on, purpose: Purpose::Answer, frame, .. }]) => {
                            prop_assert_eq!((*on, carried(frame)), (interface, found.mac));
                        }
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
            }
            let model = || {
                table.iter().flat_map(|(vip, scope)| {
                    let on = interfaces.iter().filter(|(_, interface)| interface.is_in(scope));
                    on.map(|(index, interface)| ((*vip, *index), interface.mac))
                })
            };
            prop_assert!(responder.served().eq(model().map(|(key, _)| key)));
            since.retain(|served, _| model().any(|now| now == *served));
            for served in model() {
                let new = !since.contains_key(&served);
                since.entry(served).or_insert(now);
                let at_once = outputs.iter().any(|(_, output)| matches!(output,
                    Output::Send { interface, address, .. } if (*address, *interface) == served.0));
                prop_assert!(!new || at_once, "{:?} is told at once", served);
            }
            for (told, output) in &outputs {
                let Output::Send { interface, address, purpose: Purpose::Gratuitous, frame, .. } = output else {
                    panic!("{output:?}");
                };
                let begun = since.get(&((*address, *interface), carried(frame)));
                // The last round may have to wait for its turn.
                let last = ROUNDS[ROUNDS.len() - 1] + PACE * 10;
                prop_assert!(begun.is_some_and(|begun| *told - *begun <= last));
            }
            // However many changes came before, little is pending for each, and nothing for anything else.
            let mut pending: BTreeMap<Key, usize> = BTreeMap::new();
            for (index, lines) in &responder.lines {
                lines.addresses().for_each(|address| *pending.entry((address, *index)).or_default() += 1);
            }
            prop_assert!(pending.iter().all(|(key, tasks)| responder.served.contains_key(key) && *tasks <= 2));
        }
    }
}
