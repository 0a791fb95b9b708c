use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const VIP: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 240);
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 0x240);
const OWNER: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const ASKER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

#[test]
fn arp_frames_are_told_apart() {
    let question = arp::Repr::request(ASKER, Ipv4Addr::new(172, 21, 5, 100), VIP);
    assert_eq!(read(&question.emit(), VIP.into()), None);
    assert_eq!(
        read(&question.answer(OWNER).emit(), VIP.into()),
        Some((Kind::Answer, OWNER))
    );
    let [request, reply] = arp::Repr::gratuitous(OWNER, VIP);
    assert_eq!(
        read(&request.emit(), VIP.into()),
        Some((Kind::GratuitousRequest, OWNER))
    );
    assert_eq!(
        read(&reply.emit(), VIP.into()),
        Some((Kind::GratuitousReply, OWNER))
    );
    assert_eq!(read(&reply.emit(), Ipv4Addr::new(172, 21, 5, 241).into()), None);
}

#[test]
fn an_answer_is_marked_by_what_is_behind_it() {
    let question = arp::Repr::request(ASKER, Ipv4Addr::new(172, 21, 5, 100), VIP);
    let mut answer = question.answer(OWNER).emit();
    assert!(!is_marked(&answer));
    answer[42] = b's';
    assert!(is_marked(&answer));
    assert_eq!(read(&answer, VIP.into()), Some((Kind::Answer, OWNER)));
}

#[test]
fn advertisements_are_told_apart() {
    let source = Ipv6Addr::new(0xfd00, 5, 0, 0, 0, 0, 0, 0x100);
    let question = ndp::Solicitation::multicast(ASKER, source, VIP6);
    assert_eq!(read(&question.emit(), VIP6.into()), None);
    let answer = question.answer(OWNER, VIP6).emit();
    assert_eq!(read(&answer, VIP6.into()), Some((Kind::Answer, OWNER)));
    let unsolicited = ndp::Advertisement::unsolicited(OWNER, VIP6, VIP6).emit();
    assert_eq!(read(&unsolicited, VIP6.into()), Some((Kind::Unsolicited, OWNER)));
    assert_eq!(read(&[0; 60], VIP6.into()), None);
}

#[test]
fn an_answer_names_its_question() {
    let askers = Askers::of_next();
    let answer = |asker| arp::Repr::request(ASKER, asker, VIP).answer(OWNER).emit();
    for last in [1, 2, 300, 1_000] {
        assert_eq!(askers.question_of(&answer(askers.of(last)), last), Some(last));
    }
    assert_eq!(
        askers.question_of(&answer(askers.of(90)), 300),
        Some(90),
        "it is late"
    );
    assert_eq!(
        askers.question_of(&answer(askers.of(3)), 2),
        None,
        "nobody has asked that"
    );
    let other = Askers::of_next().of(300);
    assert_eq!(
        askers.question_of(&answer(other), 300),
        None,
        "another prober has"
    );
}
