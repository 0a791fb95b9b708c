//! Sequences of operations against a model that knows no timers: what is in the table and on an interface is
//! answered in the right name, what is not is not, what is asked for is heard for a second, and every burst is bounded.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Table(Vec<(u8, Option<u32>, Option<u8>)>),
    Interfaces(Vec<(u32, u8)>),
    Friends(bool),
    Repeat,
    Ask { address: u8 },
    Request { address: u8, interface: u32 },
    Statement { address: u8, interface: u32, by: u8 },
    Reopened { interface: u32, protocol: EtherType },
    Wait(u16),
}

fn op() -> impl Strategy<Value = Op> {
    let scope = prop::option::weighted(0.3, 1_u32..4);
    let name = prop::option::weighted(0.3, 0_u8..2);
    prop_oneof![
        prop::collection::vec((0_u8..6, scope, name), 0..5).prop_map(Op::Table),
        any::<bool>().prop_map(Op::Friends),
        Just(Op::Repeat),
        (0_u8..6).prop_map(|address| Op::Ask { address }),
        (0_u8..6, 1_u32..4, 0_u8..3).prop_map(|(address, interface, by)| Op::Statement {
            address,
            interface,
            by
        }),
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

/// The MACs of other nodes, and somebody else's.
const OTHERS: [MacAddr; 3] = [
    MacAddr([2, 0, 0, 0, 0, 0x80]),
    MacAddr([2, 0, 0, 0, 0, 0x81]),
    CLIENT_MAC,
];

/// On `eth3` the other nodes have no name.
fn announcement(only_on: Option<u32>, name: Option<u8>) -> Announcement {
    let own = only_on.map_or_else(
        || Announcement::own(Scope::All),
        |index| only(&format!("eth{index}")),
    );
    let macs = |name| [1, 2].map(|index| (index, OTHERS[usize::from(name)]));
    Announcement {
        in_name_of: name.map(|name| macs(name).into()),
        ..own
    }
}

fn statement(address: IpAddr, by: MacAddr) -> (EtherType, Vec<u8>) {
    match address {
        IpAddr::V4(vip) => {
            let reply = arp::Repr::request(mac(1), CLIENT, vip).answer(by);
            (EtherType::Arp, reply.emit())
        }
        IpAddr::V6(vip) => (
            EtherType::Ipv6,
            Advertisement::unsolicited(by, v6("fe80::64"), vip).emit(),
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

/// What is served, and in whose name.
fn model(table: &Table, interfaces: &Interfaces) -> impl Iterator<Item = (Key, Name)> {
    table.iter().flat_map(|(vip, announcement)| {
        let on = interfaces
            .iter()
            .filter(|(_, interface)| interface.is_in(&announcement.scope));
        on.filter_map(|(index, interface)| {
            let name = match &announcement.in_name_of {
                None => Name::Own(interface.mac),
                Some(macs) => Name::Other(*macs.get(index)?),
            };
            Some(((*vip, *index), name))
        })
    })
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
        let mut friend = None;
        // What is asked for, until when, and who has answered.
        let mut heard_until: BTreeMap<Key, (Instant, BTreeSet<MacAddr>)> = BTreeMap::new();
        // When each address began to be served on an interface with a MAC.
        let mut since: BTreeMap<(Key, MacAddr), Instant> = BTreeMap::new();
        // Each change has a turn of its own, so that what it begins is told of at once.
        let turn = || Op::Wait(u16::try_from(PACE.as_millis()).unwrap());
        for op in ops.into_iter().flat_map(|op| [turn(), op]) {
            let mut outputs = vec![];
            match op {
                Op::Table(entries) => {
                    let entry = |(number, on, name)| (address(number), announcement(on, name));
                    table = entries.into_iter().map(entry).collect();
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
                Op::Friends(friends) => {
                    friend = Some(OTHERS[1]).filter(|_| friends);
                    outputs = at(now, step(&mut responder, now, Input::Friends(friend.into_iter().collect())));
                }
                Op::Repeat => {
                    prop_assert_eq!(step(&mut responder, now, Input::Repeat), []);
                    since.values_mut().for_each(|since| *since = now + REPEAT);
                }
                Op::Ask { address: number } => {
                    let asked = address(number);
                    let questions = step(&mut responder, now, Input::Ask { address: asked, scope: Scope::All, whose: Whose::Vip });
                    let sent: Vec<_> = questions
                        .iter()
                        .map(|output| match output {
                            Output::Send { interface, address, purpose: Purpose::Question, .. } => (*address, *interface),
                            other => panic!("{other:?}"),
                        })
                        .collect();
                    let expected: Vec<Key> = interfaces.keys().map(|index| (asked, *index)).collect();
                    prop_assert_eq!(&sent, &expected);
                    heard_until.extend(expected.into_iter().map(|key| (key, (now + LISTEN, BTreeSet::new()))));
                }
                Op::Statement { address: number, interface, by } => {
                    let (said, by) = (address(number), OTHERS[usize::from(by)]);
                    let key = (said, interface);
                    let (protocol, bytes) = statement(said, by);
                    let found = step(&mut responder, now, Input::Frame { interface, protocol, received: now, bytes: &bytes });
                    let answers = found.iter().filter(|output| matches!(output, Output::Answered { .. })).count();
                    let new = heard_until.get_mut(&key).is_some_and(|(until, known)| now < *until && known.insert(by));
                    prop_assert_eq!(answers, usize::from(new), "{:?}", found);
                    let response = found.iter().find_map(|output| match output {
                        Output::Claimed { response, .. } => Some(*response),
                        _ => None,
                    });
                    let name = model(&table, &interfaces).find_map(|(served, name)| (served == key).then_some(name));
                    match name.filter(|name| name.mac() != by) {
                        None => prop_assert_eq!(response, None),
                        Some(name) if friend == Some(by) => {
                            prop_assert_eq!(response, Some(Response::Friend));
                            since.entry((key, name.mac())).and_modify(|since| *since = now + REPEAT);
                        }
                        Some(Name::Other(_)) => prop_assert_eq!(response, Some(Response::StandingIn)),
                        Some(Name::Own(_)) => prop_assert!(matches!(
                            response,
                            Some(Response::LetPass | Response::Defended | Response::DefendedBefore)
                        )),
                    }
                    let defended = found.iter().any(|output| matches!(output, Output::Send { .. }));
                    prop_assert_eq!(defended, response == Some(Response::Defended));
                }
                Op::Request { address: number, interface } => {
                    let vip = address(number);
                    let (protocol, bytes) = request(vip);
                    let answers = step(&mut responder, now, Input::Frame { interface, protocol, received: now, bytes: &bytes });
                    let name = model(&table, &interfaces)
                        .find_map(|(key, name)| (key == (vip, interface)).then_some(name));
                    match (name, answers.as_slice()) {
                        (None, [Output::Ignored { .. }]) => {}
                        (Some(name), [Output::Send { interface: on, purpose: Purpose::Answer, frame, .. }]) => {
                            prop_assert_eq!((*on, carried(frame)), (interface, name.mac()));
                            let source = MacAddr(*frame[6..].first_chunk().unwrap());
                            prop_assert_eq!(source, interfaces[&interface].mac);
                        }
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
            }
            heard_until.retain(|(_, index), (until, _)| now < *until && interfaces.contains_key(index));
            prop_assert!(responder.asked().eq(heard_until.keys().copied()));
            prop_assert!(responder.served().eq(model(&table, &interfaces).map(|(key, _)| key)));
            let owned = || {
                let own = model(&table, &interfaces).filter(|(_, name)| name.is_own());
                own.map(|(key, name)| (key, name.mac()))
            };
            since.retain(|served, _| owned().any(|now| now == *served));
            for served in owned() {
                let new = !since.contains_key(&served);
                since.entry(served).or_insert(now);
                let at_once = outputs.iter().any(|(_, output)| matches!(output,
                    Output::Send { interface, address, .. } if (*address, *interface) == served.0));
                prop_assert!(!new || at_once, "{:?} is told at once", served);
            }
            for (told, output) in &outputs {
                let Output::Send { interface, address, purpose: Purpose::First | Purpose::Gratuitous, frame, .. } = output else {
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
            prop_assert!(responder.lines.values().all(|lines| lines.questions().count() == 0));
            prop_assert!(pending.iter().all(|(key, tasks)| responder.served.contains_key(key) && *tasks <= 3));
        }
    }
}
