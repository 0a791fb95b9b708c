use super::*;

/// Three members that know each other; what they tell of phases from now on is new.
fn mk_lan() -> Lan {
    let mut lan = Lan::new(3, 1);
    lan.run(10 * SECOND);
    lan.nodes.values_mut().for_each(|node| node.phases.clear());
    lan
}

#[test]
fn who_joins_tells_of_itself_and_the_others_of_it() {
    let mut lan = Lan::new(2, 0);
    lan.run(10 * SECOND);
    let phases = &lan.nodes[&id(0)].phases;
    let own = (id(0), Some(Phase::Joining), Phase::Up, Why::Joined);
    assert!(phases.contains(&own), "{phases:?}");
    let other = phases.iter().filter(|(other, ..)| *other == id(1));
    let other: Vec<_> = other
        .map(|(_, before, after, why)| (*before, *after, *why))
        .collect();
    assert_eq!(other[0].0, None);
    assert_eq!(
        other.last().unwrap(),
        &(Some(Phase::Joining), Phase::Up, Why::SaysItself)
    );
}

/// Two nodes of which the first cannot forward what comes in.
fn mk_unready() -> Lan {
    let mut lan = Lan::new(2, 0);
    lan.input(id(0), Input::Forwards(false));
    lan
}

#[test]
fn who_cannot_forward_what_comes_in_joins_when_it_can() {
    let mut lan = mk_unready();
    lan.run(10 * SECOND);
    assert_eq!(lan.nodes[&id(0)].phases.iter().find(|told| told.0 == id(0)), None);
    lan.input(id(0), Input::Forwards(true));
    lan.run(SECOND);
    let joined = (id(0), Some(Phase::Joining), Phase::Up, Why::Joined);
    assert!(lan.nodes[&id(0)].phases.contains(&joined));
}

#[test]
fn who_cannot_forward_after_thirty_seconds_joins_and_says_so() {
    let mut lan = mk_unready();
    lan.run(30 * SECOND - 10 * MILLISECOND);
    assert!(!lan.nodes[&id(0)].cluster.is_up());
    lan.run(200 * MILLISECOND);
    let joined = (id(0), Some(Phase::Joining), Phase::Up, Why::NotForwarding);
    assert!(lan.nodes[&id(0)].phases.contains(&joined));
}

#[test]
fn a_death_is_found_or_told() {
    let mut lan = mk_lan();
    lan.node(id(0)).is_on = false;
    lan.run(SECOND);
    let mut found = false;
    for number in [1, 2] {
        let [(who, before, after, why)] = lan.nodes[&id(number)].phases[..] else {
            panic!("{:?}", lan.nodes[&id(number)].phases);
        };
        assert_eq!((who, before, after), (id(0), Some(Phase::Up), Phase::Dead));
        assert!(
            why == Why::NodeSilent || why == Why::SaidBy(id(3 - number)),
            "{why:?}"
        );
        found |= why == Why::NodeSilent;
    }
    assert!(found);
}

#[test]
fn an_end_a_drain_and_a_return_are_told_with_their_reasons() {
    let mut lan = mk_lan();
    lan.input(id(0), Input::Drain(true));
    lan.input(id(0), Input::Drain(true));
    lan.input(id(0), Input::Drain(false));
    lan.input(id(0), Input::Restarting);
    lan.run(10 * MILLISECOND);
    let (up, draining, away) = (Phase::Up, Phase::Draining, Phase::Away);
    let expected = [
        (id(0), Some(up), draining, Why::Drain),
        (id(0), Some(draining), up, Why::Drain),
        (id(0), Some(up), away, Why::Leaving),
    ];
    assert_eq!(lan.nodes[&id(0)].phases, expected);
    let last = lan.nodes[&id(1)].phases.last();
    assert_eq!(last, Some(&(id(0), Some(up), away, Why::SaysItself)));
}

#[test]
fn a_process_that_was_stopped_says_so() {
    let mut lan = mk_lan();
    let (now, later) = (lan.now, lan.now + SECOND);
    lan.now = later;
    lan.input(id(0), Input::Timeout);
    assert!(lan.now > now);
    let told = lan.nodes[&id(0)].phases[0];
    assert_eq!(told, (id(0), Some(Phase::Up), Phase::Joining, Why::Paused));
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut lan = mk_lan();
    let newer = [cortenlb_wire::member::VERSION + 1, 0, 0];
    lan.input(id(0), Input::Datagram(&newer));
    lan.input(id(0), Input::Datagram(&[]));
    let [Unreadable::Version(_), Unreadable::Truncated] = lan.nodes[&id(0)].unreadable[..] else {
        panic!("{:?}", lan.nodes[&id(0)].unreadable);
    };
}

#[test]
fn who_left_for_good_is_forgotten_once_and_not_learned_again_from_others() {
    let mut lan = Lan::new(4, 4);
    lan.run(10 * SECOND);
    lan.input(id(3), Input::Restarting);
    lan.run(200 * MILLISECOND);
    lan.node(id(3)).is_on = false;
    for number in 0..3 {
        // Each hears of it from the API server at another time.
        lan.run(400 * MILLISECOND);
        lan.input(id(number), Input::Roster((0..3).map(id).collect()));
    }
    lan.run(20 * SECOND);
    lan.nodes.values_mut().for_each(|node| node.phases.clear());
    lan.run(60 * SECOND);
    for (who, node) in lan.nodes.iter().filter(|(_, node)| node.is_on) {
        assert_eq!(node.phases, [], "{who:?}");
        assert_eq!(node.cluster.members().count(), 3, "{who:?}");
    }
}
