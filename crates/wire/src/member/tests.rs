use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::mac::MacAddr;

fn node() -> impl Strategy<Value = NodeId> {
    (1..=u64::MAX).prop_map(NodeId)
}

fn member() -> impl Strategy<Value = Member> {
    let phase = prop_oneof![
        Just(Phase::Joining),
        Just(Phase::Up),
        Just(Phase::Draining),
        Just(Phase::Away),
        Just(Phase::Dead)
    ];
    (node(), any::<u64>(), any::<u32>(), phase).prop_map(|(id, born, incarnation, phase)| Member {
        id,
        life: Life { born, incarnation },
        phase,
    })
}

fn record() -> impl Strategy<Value = Record> {
    let group = prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::from),
        any::<Ipv6Addr>().prop_map(IpAddr::from)
    ];
    let backing = prop_oneof![Just(Backing::Minority), Just(Backing::Majority)];
    let other = || proptest::option::of(node());
    (
        group,
        backing,
        any::<u32>(),
        any::<u32>(),
        node(),
        other(),
        [other(), other()],
    )
        .prop_map(
            |(group, backing, epoch, revision, owner, from, standbys)| Record {
                group,
                backing,
                epoch,
                revision,
                owner,
                from,
                standbys,
            },
        )
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (any::<Ipv4Addr>(), 0_u8..=32).prop_map(|(address, length)| (address.into(), length));
    let v6 = (any::<Ipv6Addr>(), 0_u8..=128).prop_map(|(address, length)| (address.into(), length));
    prop_oneof![v4, v6].prop_map(|(address, length)| Prefix::new(address, length).unwrap())
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let prefixes = proptest::collection::vec(prefix(), 0..=MAX_PREFIXES);
    let attached =
        (any::<[u8; 6]>(), any::<bool>(), prefixes).prop_map(|(mac, carrier, prefixes)| Attached {
            mac: MacAddr(mac),
            carrier,
            prefixes,
        });
    let interfaces = proptest::collection::vec(attached, 0..=MAX_INTERFACES);
    (node(), any::<u64>(), any::<u32>(), interfaces).prop_map(|(id, born, revision, interfaces)| Attachment {
        id,
        born,
        revision,
        interfaces,
    })
}

fn body() -> impl Strategy<Value = Body> {
    let lists = (
        proptest::collection::vec(member(), 0..60),
        proptest::collection::vec(attachment(), 0..10),
        proptest::collection::vec(record(), 0..60),
    );
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(members, records)| Body::Heartbeat { members, records }),
        member().prop_map(Body::Suspect),
        (record(), record(), any::<u32>(), any::<u8>()).prop_map(|(group, address, epoch, times)| {
            let (group, address) = (group.group, address.group);
            Body::Unanswered(Unanswered {
                group,
                address,
                epoch,
                times,
            })
        }),
        (member(), any::<bool>()).prop_map(|(member, heard)| Body::Opinion { member, heard }),
        lists.prop_map(|(members, attachments, records)| Body::Entries {
            members,
            attachments,
            records
        }),
        (
            any::<bool>(),
            any::<[u64; MEMBER_BUCKETS]>(),
            any::<[[u64; 32]; 2]>()
        )
            .prop_map(|(answer, members, records)| Body::Digests {
                answer,
                members: members.into(),
                records: Box::new(std::array::from_fn(|at| records[at / 32][at % 32])),
            }),
    ]
}

fn datagram() -> impl Strategy<Value = Datagram> {
    (member(), any::<u64>(), body()).prop_map(|(from, sequence, body)| Datagram { from, sequence, body })
}

proptest! {
    #[test]
    fn what_is_written_is_read(datagram in datagram()) {
        prop_assert_eq!(Datagram::parse(&datagram.emit()), Ok(datagram));
    }

    #[test]
    fn what_is_cut_short_is_refused(datagram in datagram(), at in any::<prop::sample::Index>()) {
        let bytes = datagram.emit();
        prop_assert_eq!(Datagram::parse(&bytes[..at.index(bytes.len())]), Err(Error::Truncated));
    }

    #[test]
    fn noise_is_refused_or_read_to_its_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(datagram) = Datagram::parse(&bytes) {
            prop_assert_eq!(datagram.emit(), bytes);
        }
    }

    #[test]
    fn entries_fit_into_frames_and_none_is_lost(
        members in proptest::collection::vec(member(), 0..200),
        attachments in proptest::collection::vec(attachment(), 0..50),
        records in proptest::collection::vec(record(), 0..200),
    ) {
        let (mut read_members, mut read_attachments, mut read_records) = (Vec::new(), Vec::new(), Vec::new());
        for body in Body::entries(&members, &attachments, &records) {
            let from = Member { id: NodeId(1), life: Life::default(), phase: Phase::Up };
            let bytes = Datagram { from, sequence: 0, body }.emit();
            prop_assert!(bytes.len() <= LONGEST);
            if let Body::Entries { members, attachments, records } = Datagram::parse(&bytes).unwrap().body {
                read_members.extend(members);
                read_attachments.extend(attachments);
                read_records.extend(records);
            }
        }
        prop_assert_eq!((read_members, read_attachments, read_records), (members, attachments, records));
    }
}

#[test]
fn a_heartbeat_is_short() {
    let from = Member {
        id: NodeId::of("node-1"),
        life: Life::default(),
        phase: Phase::Up,
    };
    let body = Body::Heartbeat {
        members: 1,
        records: 2,
    };
    let bytes = Datagram {
        from,
        sequence: 7,
        body,
    }
    .emit();
    assert_eq!(bytes.len(), 47);
}

#[test]
fn each_error_says_what_is_wrong() {
    let from = Member {
        id: NodeId::of("node-1"),
        life: Life::default(),
        phase: Phase::Up,
    };
    let bytes = Datagram {
        from,
        sequence: 7,
        body: Body::Suspect(from),
    }
    .emit();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Datagram::parse(&bytes).unwrap_err().to_string()
    };
    assert_eq!(
        with(0, 2),
        "the message has version 2; this speaker reads version 1"
    );
    assert_eq!(with(1, 9), "field kind of the message cannot be 9");
    assert_eq!(with(22, 5), "field phase of the message cannot be 5");
    let mut nobody = bytes.clone();
    nobody[2..10].fill(0);
    assert_eq!(
        Datagram::parse(&nobody).unwrap_err().to_string(),
        "field from of the message names nobody"
    );
    let long = [bytes.as_slice(), &[0]].concat();
    assert_eq!(
        Datagram::parse(&long).unwrap_err().to_string(),
        "the message has 1 bytes behind its end"
    );
}

/// One attachment in a datagram.
fn attached(interfaces: Vec<Attached>) -> Vec<u8> {
    let id = NodeId::of("node-1");
    let from = Member {
        id,
        life: Life::default(),
        phase: Phase::Up,
    };
    let attachment = Attachment {
        id,
        born: 1,
        revision: 2,
        interfaces,
    };
    let body = Body::entries(&[], &[attachment], &[]).remove(0);
    Datagram {
        from,
        sequence: 7,
        body,
    }
    .emit()
}

fn interfaces(count: usize, prefixes: usize) -> Vec<Attached> {
    let prefix = Prefix::new(Ipv4Addr::new(172, 21, 5, 0).into(), 24).unwrap();
    let interface = Attached {
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        carrier: true,
        prefixes: vec![prefix; prefixes],
    };
    vec![interface; count]
}

#[test]
fn of_too_many_interfaces_and_prefixes_the_first_are_written() {
    let most = attached(interfaces(MAX_INTERFACES, MAX_PREFIXES));
    assert!(Datagram::parse(&most).is_ok());
    assert_eq!(attached(interfaces(MAX_INTERFACES + 1, MAX_PREFIXES + 1)), most);
}

#[test]
fn what_an_attachment_cannot_be_is_refused() {
    // The head with three counts, id, born and revision; count; MAC, carrier; count; family, address, length.
    let bytes = attached(interfaces(1, 1));
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Datagram::parse(&bytes).unwrap_err().to_string()
    };
    assert_eq!(with(54, 9), "field interfaces of the message cannot be 9");
    assert_eq!(with(61, 2), "field carrier of the message cannot be 2");
    assert_eq!(with(62, 5), "field prefixes of the message cannot be 5");
    assert_eq!(with(63, 5), "field family of the message cannot be 5");
    assert_eq!(with(68, 33), "field prefix length of the message cannot be 33");
    assert_eq!(with(68, 23), "field prefix length of the message cannot be 23");
}
