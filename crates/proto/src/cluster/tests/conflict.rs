//! One node and a station that is no node.

use super::*;

const STRANGER: MacAddr = MacAddr([2, 0, 0, 9, 9, 9]);

fn vip() -> IpAddr {
    group(240)
}

fn v6() -> IpAddr {
    "fd00::240".parse().unwrap()
}

/// A node, what it asks for, and what it was told of.
struct Alone {
    now: Instant,
    cluster: Cluster,
    /// Where each address is said to be when it is asked for.
    at: BTreeMap<IpAddr, MacAddr>,
    asked: Vec<(Instant, IpAddr)>,
    occupied: Vec<(IpAddr, Option<MacAddr>)>,
}

impl Alone {
    /// Up, with speakers on so many other nodes that it does not hear, and of which it knows nothing.
    fn new(others: usize) -> Self {
        let now = Instant(1_000_000_000);
        let mut alone = Self {
            now,
            cluster: Cluster::new(now, id(0), 1, 1),
            at: BTreeMap::new(),
            asked: Vec::new(),
            occupied: Vec::new(),
        };
        alone.input(Input::Roster((0..=others).map(id).collect()));
        alone.input(Input::Forwards(true));
        alone.run(8 * SECOND);
        assert!(alone.cluster.is_up());
        alone
    }

    fn input(&mut self, input: Input<'_>) {
        self.cluster.handle_input(self.now, input);
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Probe { group, address } => {
                    self.asked.push((self.now, address));
                    if let Some(mac) = self.at.get(&address).copied() {
                        let now = self.now + MILLISECOND;
                        let answer = Input::Stranger { group, address, mac };
                        self.cluster.handle_input(now, answer);
                    }
                }
                Output::Occupied { address, by, .. } => self.occupied.push((address, by)),
                _ => {}
            }
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.cluster.poll_timeout() <= end {
            self.now = self.now.max(self.cluster.poll_timeout());
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// The group comes, with these addresses.
    fn add(&mut self, addresses: &[IpAddr], contested: bool) {
        let group = addresses[0];
        self.input(Input::Addresses {
            group,
            addresses: addresses.iter().copied().collect(),
            all: BTreeSet::new(),
            seen_here: BTreeSet::new(),
            contested,
        });
        let candidates = Some(Arc::new(BTreeMap::from([(id(0), 0)])));
        self.input(Input::Group { group, candidates });
    }

    /// What it answers for.
    fn answers(&self) -> Vec<IpAddr> {
        let withheld: Vec<IpAddr> = self.cluster.withheld().collect();
        let served = self.cluster.serving().flat_map(|(group, _)| {
            let told = self.cluster.conflicts.addresses(group);
            told.into_iter().filter(|address| !withheld.contains(address))
        });
        served.collect()
    }

    /// When it asked first in each round of questions.
    fn rounds(&self) -> Vec<u64> {
        let mut rounds: Vec<Instant> = Vec::new();
        for (at, _) in &self.asked {
            if rounds.last().is_none_or(|last| *at - *last > SECOND / 2) {
                rounds.push(*at);
            }
        }
        let first = rounds[0];
        rounds.into_iter().map(|at| (at - first).as_secs()).collect()
    }
}

#[test]
fn every_fresh_address_is_asked_for_three_times_in_300_ms() {
    let mut alone = Alone::new(0);
    alone.add(&[vip(), v6()], false);
    let begin = alone.now;
    alone.run(299 * MILLISECOND);
    assert!(alone.answers().is_empty());
    alone.run(MILLISECOND);
    assert_eq!(alone.answers(), [vip(), v6()]);
    let expected = (0..3).flat_map(|turn| {
        let at = begin + turn * 100 * MILLISECOND;
        [(at, vip()), (at, v6())]
    });
    assert_eq!(alone.asked, expected.collect::<Vec<_>>());
    let free = [(vip(), None), (v6(), None)];
    assert_eq!(alone.occupied, free);
    alone.run(600 * SECOND);
    assert_eq!(alone.asked.len(), 6, "and never again");
}

#[test]
fn what_a_stranger_has_is_told_after_a_second_look_and_asked_for_ever_more_rarely() {
    let mut alone = Alone::new(0);
    alone.at.insert(vip(), STRANGER);
    alone.add(&[vip()], false);
    alone.run(SECOND);
    assert_eq!(alone.occupied, []);
    alone.run(SECOND);
    assert_eq!(alone.occupied, [(vip(), Some(STRANGER))]);
    assert_eq!(alone.cluster.contested().collect::<Vec<_>>(), [(vip(), STRANGER)]);
    alone.run(1_500 * SECOND);
    assert_eq!(alone.rounds(), [0, 0, 1, 11, 31, 71, 151, 311, 611, 911, 1_211]);
    assert_eq!((alone.occupied.len(), alone.answers()), (1, vec![]));
    alone.at.clear();
    alone.run(301 * SECOND);
    assert_eq!(alone.occupied[1..], [(vip(), None)]);
    assert_eq!(alone.answers(), [vip()]);
    assert_eq!(alone.cluster.contested().count(), 0);
}

#[test]
fn another_stranger_is_told_as_well() {
    let mut alone = Alone::new(0);
    alone.at.insert(vip(), STRANGER);
    alone.add(&[vip()], false);
    alone.run(3 * SECOND);
    let other = MacAddr([2, 0, 0, 9, 9, 8]);
    alone.at.insert(vip(), other);
    alone.run(20 * SECOND);
    assert_eq!(alone.occupied, [(vip(), Some(STRANGER)), (vip(), Some(other))]);
}

#[test]
fn where_nodes_are_not_known_yet_a_stranger_may_be_one_of_them() {
    let mut alone = Alone::new(1);
    alone.at.insert(vip(), STRANGER);
    alone.add(&[vip()], false);
    alone.run(4 * SECOND);
    assert_eq!(alone.occupied, []);
    alone.run(2 * SECOND);
    assert_eq!(alone.occupied, [(vip(), Some(STRANGER))]);
}

#[test]
fn a_stranger_that_turns_out_to_be_a_node_is_not_told() {
    let mut alone = Alone::new(1);
    alone.at.insert(vip(), STRANGER);
    alone.add(&[vip()], false);
    alone.run(4 * SECOND);
    alone.at.clear();
    for _ in 0..100 {
        let (group, address, by) = (vip(), vip(), id(1));
        alone.input(Input::Answered { group, address, by });
        alone.run(100 * MILLISECOND);
    }
    assert_eq!(
        (alone.answers(), alone.occupied.clone()),
        (vec![], vec![]),
        "a veto"
    );
    alone.run(SECOND);
    assert_eq!(alone.answers(), [vip()]);
}

#[test]
fn of_two_addresses_the_free_one_is_answered_for() {
    let mut alone = Alone::new(0);
    alone.at.insert(vip(), STRANGER);
    alone.add(&[vip(), v6()], false);
    alone.run(2 * SECOND);
    assert_eq!(alone.answers(), [v6()]);
    alone.at.clear();
    alone.run(11 * SECOND);
    assert_eq!(alone.answers(), [vip(), v6()]);
}

#[test]
fn an_address_that_a_group_comes_to_have_is_fresh_and_the_others_get_no_gap() {
    let mut alone = Alone::new(0);
    alone.add(&[vip()], false);
    alone.run(SECOND);
    alone.asked.clear();
    alone.at.insert(v6(), STRANGER);
    alone.add(&[vip(), v6()], false);
    for _ in 0..20 {
        assert_eq!(alone.answers(), [vip()]);
        alone.run(100 * MILLISECOND);
    }
    assert!(alone.asked.iter().all(|(_, address)| *address == v6()));
    assert_eq!(alone.occupied.last(), Some(&(v6(), Some(STRANGER))));
    alone.add(&[vip()], false);
    assert_eq!(alone.cluster.contested().count(), 0);
}

#[test]
fn what_was_there_before_is_not_fresh() {
    let now = Instant(1_000_000_000);
    let mut alone = Alone::new(0);
    alone.cluster = Cluster::new(now, id(0), 1, 1);
    alone.now = now;
    alone.input(Input::Roster([id(0)].into()));
    alone.input(Input::Forwards(true));
    alone.add(&[vip(), v6()], false);
    alone.run(2 * SECOND);
    assert_eq!(alone.asked, []);
    assert_eq!(alone.answers(), [vip(), v6()]);
}

#[test]
fn what_is_known_to_be_contested_is_asked_for_again_and_nobody_stands_in_for_it() {
    let now = Instant(1_000_000_000);
    let mut alone = Alone::new(0);
    alone.cluster = Cluster::new(now, id(0), 1, 1);
    alone.now = now;
    alone.at.insert(vip(), STRANGER);
    alone.input(Input::Roster([id(0)].into()));
    alone.input(Input::Forwards(true));
    alone.add(&[vip()], true);
    alone.run(3 * SECOND);
    assert_eq!(alone.occupied, [(vip(), Some(STRANGER))]);
    assert!(alone.answers().is_empty());

    let mut lan = Lan::new(3, 1);
    lan.run(5 * SECOND);
    let owner = lan.owner(group(0));
    for number in 0..3 {
        let contested = Input::Addresses {
            group: group(0),
            addresses: [group(0)].into(),
            all: BTreeSet::new(),
            seen_here: BTreeSet::new(),
            contested: true,
        };
        lan.input(id(number), contested);
    }
    lan.input(owner, Input::Restarting);
    lan.node(owner).is_on = false;
    lan.run(100 * MILLISECOND);
    assert_eq!(lan.answerers(group(0)), []);
}

#[test]
fn an_address_that_comes_again_with_another_service_is_asked_for_again() {
    let mut alone = Alone::new(0);
    alone.add(&[vip()], false);
    alone.run(SECOND);
    assert_eq!(alone.answers(), [vip()]);
    let candidates = None;
    alone.input(Input::Group {
        group: vip(),
        candidates,
    });
    alone.run(SECOND);
    alone.at.insert(vip(), STRANGER);
    alone.asked.clear();
    alone.add(&[vip()], false);
    alone.run(2 * SECOND);
    assert!(alone.answers().is_empty());
    assert_eq!(alone.occupied.last(), Some(&(vip(), Some(STRANGER))));
}
