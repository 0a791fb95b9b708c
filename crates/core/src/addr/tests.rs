use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn range(text: &str) -> AddrRange {
    text.parse().unwrap()
}

#[test]
fn every_spelling_of_metallb_is_read() {
    let rows = [
        ("10.0.0.0/24", "10.0.0.0-10.0.0.255"),
        ("192.168.10.100/24", "192.168.10.0-192.168.10.255"),
        ("10.0.0.1/32", "10.0.0.1-10.0.0.1"),
        ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
        ("10.0.0.5-10.0.0.9", "10.0.0.5-10.0.0.9"),
        (" 10.0.0.5  -  10.0.0.5 ", "10.0.0.5-10.0.0.5"),
        ("fd00::/64", "fd00::-fd00::ffff:ffff:ffff:ffff"),
        ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fd00::1-fd00::2", "fd00::1-fd00::2"),
        ("::ffff:10.0.0.7/120", "10.0.0.0-10.0.0.255"),
        ("::ffff:10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2"),
        ("::ffff:10.0.0.0/90", "::ffc0:0:0-::ffff:255.255.255.255"),
        ("10.0.0.0/024", "10.0.0.0-10.0.0.255"),
    ];
    for (text, expected) in rows {
        assert_eq!(range(text).to_string(), expected, "{text}");
    }
}

#[test]
fn every_error_names_the_value() {
    let rows = [
        (
            "10.0.0.1",
            "invalid CIDR \"10.0.0.1\": write a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20",
        ),
        (
            "10.0.0.0/33",
            "invalid CIDR \"10.0.0.0/33\": write a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20",
        ),
        (
            "x-10.0.0.1",
            "invalid IP range \"x-10.0.0.1\": invalid start IP \"x\"",
        ),
        ("10.0.0.1-", "invalid IP range \"10.0.0.1-\": invalid end IP \"\""),
        (
            "::-0.0.0.0",
            "invalid IP range \"::-0.0.0.0\": start and end IPs must be the same family",
        ),
        (
            "10.0.0.9-10.0.0.1",
            "invalid IP range \"10.0.0.9-10.0.0.1\": start IP 10.0.0.9 is after the end IP 10.0.0.1",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(
            text.parse::<AddrRange>().unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }
    for text in [
        "",
        "/",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "010.0.0.0/8",
        "fe80::%eth0/64",
        "fd00::/129",
    ] {
        assert!(text.parse::<AddrRange>().is_err(), "{text}");
    }
}

#[test]
fn containment_and_overlap_keep_the_families_apart() {
    let v4 = range("10.0.0.0/30");
    assert!(v4.contains("10.0.0.3".parse().unwrap()));
    assert!(!v4.contains("10.0.0.4".parse().unwrap()));
    assert!(!v4.contains("::10.0.0.1".parse().unwrap()));
    assert!(v4.overlaps(&range("10.0.0.3-10.0.0.9")));
    assert!(!v4.overlaps(&range("10.0.0.4-10.0.0.9")));
    assert!(!v4.overlaps(&range("::/0")));
}

#[test]
fn avoid_buggy_ips_leaves_out_both_edges_of_each_24() {
    let numbering = Numbering::new(Family::V4, true);
    for (text, usable) in [
        ("1.2.3.0/24", 254),
        ("1.2.3.0-1.2.4.255", 508),
        ("2.3.4.128/25", 127),
        ("1.2.3.0/31", 1),
        ("1.2.3.255-1.2.4.0", 0),
        ("255.255.255.254-255.255.255.255", 1),
        ("0.0.0.0/0", 254 << 24),
    ] {
        let count = numbering
            .span(&range(text))
            .map_or(0, |(first, last)| last - first + 1);
        assert_eq!(count, usable, "{text}");
    }
    assert_eq!(numbering.number("1.2.3.0".parse().unwrap()), None);
    assert_eq!(numbering.number("1.2.3.255".parse().unwrap()), None);
    let v6 = Numbering::new(Family::V6, true);
    assert_eq!(
        v6.span(&range("1000::/127")),
        Some((0x1000 << 112, (0x1000 << 112) + 1))
    );
}

#[test]
fn a_whole_family_can_be_taken_at_its_ends() {
    let mut set = FreeSet::new(0, u128::MAX);
    assert!(set.take(u128::MAX) && set.take(0));
    assert_eq!((set.size(), set.len()), (u128::MAX, u128::MAX - 2));
    assert_eq!(set.take_first(), Some(1));
    assert!(set.give_back(u128::MAX) && set.give_back(1) && set.give_back(0));
    assert_eq!(set, FreeSet::new(0, u128::MAX));
}

#[derive(Clone, Copy, Debug)]
enum Op {
    TakeFirst,
    Take(u128),
    GiveBack(u128),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::TakeFirst),
        (0..45u128).prop_map(Op::Take),
        (0..45u128).prop_map(Op::GiveBack)
    ]
}

proptest! {
    #[test]
    fn free_set_behaves_like_a_set_of_numbers(ops in proptest::collection::vec(op(), 0..200)) {
        let (first, last) = (3, 40);
        let mut set = FreeSet::new(first, last);
        let mut model: BTreeSet<u128> = (first..=last).collect();
        for op in ops {
            match op {
                Op::TakeFirst => prop_assert_eq!(set.take_first(), model.pop_first()),
                Op::Take(number) => prop_assert_eq!(set.take(number), model.remove(&number)),
                Op::GiveBack(number) => {
                    let inside = (first..=last).contains(&number);
                    prop_assert_eq!(set.give_back(number), inside && model.insert(number));
                }
            }
            prop_assert_eq!(set.len(), model.len() as u128);
            prop_assert_eq!(set.first(), model.first().copied());
            for number in first..=last {
                prop_assert_eq!(set.contains(number), model.contains(&number));
            }
        }
        // The form is unique: giving everything back leaves one interval.
        for number in first..=last {
            set.give_back(number);
        }
        prop_assert_eq!(set, FreeSet::new(first, last));
    }

    #[test]
    fn numbering_is_a_bijection_in_order(address in any::<u32>(), skip in any::<bool>()) {
        let numbering = Numbering::new(Family::V4, skip);
        let ip = IpAddr::from(Ipv4Addr::from_bits(address));
        let usable = !skip || !matches!(address & 0xff, 0 | 0xff);
        match numbering.number(ip) {
            Some(number) => {
                prop_assert!(usable);
                prop_assert_eq!(numbering.address(number), ip);
                prop_assert!(number == 0 || numbering.address(number - 1) < ip);
            }
            None => prop_assert!(!usable),
        }
    }
}
