use proptest::prelude::*;

use super::*;
use crate::arp::{self, Operation};
use crate::mac::MacAddr;
use crate::ndp::{Advertisement, Solicitation};

/// The interface that every frame belongs to.
const INDEX: u32 = 7;

/// Runs a program as the kernel does (net/core/filter.c), for a frame addressed to us.
fn accepts(program: &[Instruction], frame: &[u8]) -> bool {
    accepts_as(program, frame, 0)
}

fn accepts_as(program: &[Instruction], frame: &[u8], packet_type: u32) -> bool {
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let width = match code {
            RETURN => return k > 0,
            JUMP_AT_LEAST | JUMP_GREATER => {
                let holds = if code == JUMP_AT_LEAST { a >= k } else { a > k };
                at += usize::from(if holds { jt } else { jf });
                continue;
            }
            LOAD_WORD if k == PACKET_TYPE => {
                a = packet_type;
                continue;
            }
            LOAD_WORD if k == INTERFACE => {
                a = INDEX;
                continue;
            }
            LOAD_WORD => 4,
            LOAD_HALF => 2,
            LOAD_BYTE => 1,
            other => panic!("the kernel knows more than this test, but not {other:#x}"),
        };
        let start = k as usize;
        let Some(bytes) = frame.get(start..start + width) else {
            return false;
        };
        a = bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
    }
}

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn frames_of_another_interface_are_dropped() {
    let request = arp::Repr::request(MAC, v4("172.21.5.100"), v4("172.21.5.240")).emit();
    let on = |index| [of_interface(index), arp([v4("172.21.5.240")])].concat();
    assert!(accepts(&on(INDEX), &request));
    assert!(!accepts(&on(INDEX - 1), &request));
    assert!(!accepts(&on(INDEX + 1), &request));
}

#[test]
fn arp_passes_what_is_about_a_vip() {
    let program = arp([v4("172.21.5.240"), v4("172.21.5.241"), v4("10.0.0.1")]);
    let request = |sender, target| arp::Repr::request(MAC, v4(sender), v4(target)).emit();

    assert!(
        accepts(&program, &request("172.21.5.100", "172.21.5.240")),
        "a request for it"
    );
    assert!(
        accepts(&program, &request("0.0.0.0", "172.21.5.241")),
        "a probe for it"
    );
    assert!(
        accepts(&program, &request("10.0.0.1", "172.21.5.1")),
        "a request of somebody who claims it"
    );
    for form in arp::Repr::gratuitous(MAC, v4("10.0.0.1")) {
        assert!(
            accepts(&program, &form.emit()),
            "somebody's gratuitous {:?}",
            form.operation
        );
    }
    assert!(!accepts(&program, &request("172.21.5.100", "172.21.5.239")));
    assert!(!accepts(&program, &request("172.21.5.100", "172.21.5.242")));
    let reply = arp::Repr {
        operation: Operation::Reply,
        ..arp::Repr::request(MAC, v4("10.0.0.3"), v4("10.0.0.4"))
    };
    assert!(!accepts(&program, &reply.emit()), "a conversation of others");

    let frame = request("172.21.5.100", "172.21.5.240");
    assert!(accepts_as(&program, &frame, PACKET_MULTICAST));
    assert!(!accepts_as(&program, &frame, 3), "PACKET_OTHERHOST");
    assert!(!accepts_as(&program, &frame, 4), "PACKET_OUTGOING");
    let mut reverse = frame;
    reverse[21] = 3;
    assert!(!accepts(&program, &reverse), "RARP");
    assert!(!accepts(&program, &reverse[..20]), "a frame that ends early");
}

#[test]
fn ndp_passes_what_is_about_a_vip() {
    let program = ndp([v6("fd00:5::240")]);
    let solicitation = |target| Solicitation::multicast(MAC, v6("fd00:5::100"), v6(target)).emit();
    assert!(accepts(&program, &solicitation("fd00:5::240")));
    assert!(!accepts(&program, &solicitation("fd00:5::241")));
    let claim = Advertisement::unsolicited(MAC, v6("fe80::1"), v6("fd00:5::240")).emit();
    assert!(accepts(&program, &claim));
    let mut router_advertisement = claim.clone();
    router_advertisement[ICMPV6_TYPE as usize] = 134;
    assert!(!accepts(&program, &router_advertisement));
    let mut udp = claim;
    udp[IPV6_NEXT_HEADER as usize] = 17;
    assert!(!accepts(&program, &udp));
}

#[test]
fn an_answer_passes_only_if_it_is_for_a_vip() {
    let gateway = MacAddr([2, 0, 0, 0, 0, 9]);
    let reply = |to| {
        arp::Repr::request(MAC, v4(to), v4("172.21.5.1"))
            .answer(gateway)
            .emit()
    };
    let program = arp([v4("172.21.5.240")]);
    assert!(accepts(&program, &reply("172.21.5.240")));
    assert!(!accepts(&program, &reply("172.21.5.11")), "for the node itself");

    let advertisement = |to| {
        let question = Solicitation::multicast(MAC, v6(to), v6("fe80::9")).unicast(gateway);
        question.answer(gateway, v6("fe80::9")).emit()
    };
    let program = ndp([v6("fd00:5::240")]);
    assert!(accepts(&program, &advertisement("fd00:5::240")));
    assert!(
        !accepts(&program, &advertisement("fd00:5::11")),
        "for the node itself"
    );
}

#[test]
fn the_answer_to_a_question_without_a_sender_passes() {
    let probe = arp::Repr::request(MAC, Ipv4Addr::UNSPECIFIED, v4("172.21.5.240"));
    let program = arp([v4("172.21.5.240")]);
    assert!(accepts(&program, &probe.answer(MAC).emit()));
    let detection = Solicitation::multicast(MAC, Ipv6Addr::UNSPECIFIED, v6("fd00:5::240"));
    let answer = detection.answer(MAC, v6("fe80::1")).emit();
    let program = ndp([v6("fd00:5::240")]);
    assert!(accepts_as(&program, &answer, PACKET_MULTICAST), "to all nodes");
}

#[test]
fn without_addresses_nothing_passes() {
    assert!(!accepts(
        &arp([]),
        &arp::Repr::request(MAC, v4("0.0.0.0"), v4("0.0.0.0")).emit()
    ));
    assert!(!accepts(
        &ndp([]),
        &Solicitation::multicast(MAC, v6("::"), v6("::1")).emit()
    ));
}

#[test]
fn too_many_addresses_leave_the_operation() {
    let every_second = |most: u32| (0..most).map(|n| Ipv4Addr::from(0x0a00_0000 + 2 * n));
    let exact = arp(every_second(100));
    let stranger = arp::Repr::request(MAC, v4("172.21.5.100"), v4("10.0.0.3"));
    assert!(!accepts(&exact, &stranger.emit()));

    let coarse = arp(every_second(200));
    assert!(coarse.len() < 20, "{}", coarse.len());
    assert!(accepts(&coarse, &stranger.emit()));
    let mut reverse = stranger.emit();
    reverse[21] = 3;
    assert!(!accepts(&coarse, &reverse));
    let neighbours = arp((0..5_000).map(|n| Ipv4Addr::from(0x0a00_0000 + n)));
    assert!(!accepts(
        &neighbours,
        &arp::Repr::request(MAC, v4("172.21.5.100"), v4("10.0.19.136")).emit()
    ));
    assert!(accepts(
        &neighbours,
        &arp::Repr::request(MAC, v4("172.21.5.100"), v4("10.0.19.135")).emit()
    ));
}

#[test]
fn ranges_are_exact() {
    let set = |values: &[u32]| ranges(values.iter().copied().collect());
    assert_eq!(set(&[]), []);
    assert_eq!(
        set(&[3, 1, 2, 5, u32::MAX, u32::MAX - 1]),
        [(1, 3), (5, 5), (u32::MAX - 1, u32::MAX)]
    );
}

proptest! {
    #[test]
    fn arp_agrees_with_the_set(
        set in prop::collection::btree_set(0_u32..64, 0..32), sender in 0_u32..64, target in 0_u32..64, reply: bool,
    ) {
        let operation = if reply { Operation::Reply } else { Operation::Request };
        let [sender_ip, target_ip] = [sender, target].map(Ipv4Addr::from);
        let frame = arp::Repr { operation, ..arp::Repr::request(MAC, sender_ip, target_ip) }.emit();
        let program = arp(set.iter().copied().map(Ipv4Addr::from));
        prop_assert!(program.len() <= MOST);
        prop_assert_eq!(accepts(&program, &frame), set.contains(&sender) || set.contains(&target));
    }

    #[test]
    fn ndp_passes_every_address_of_the_set(
        set in prop::collection::vec(any::<u128>(), 1..400), which: prop::sample::Index,
    ) {
        let mut set: Vec<_> = set.into_iter().map(Ipv6Addr::from).collect();
        set.retain(|address| !address.is_multicast());
        prop_assume!(!set.is_empty());
        let program = ndp(set.iter().copied());
        prop_assert!(program.len() <= MOST);
        let frame = Solicitation::multicast(MAC, v6("fe80::2"), set[which.index(set.len())]).emit();
        prop_assert!(accepts(&program, &frame));
    }
}
