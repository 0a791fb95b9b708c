//! Datagrams do not arrive, and meanwhile something happens of which somebody would have to hear: the pairs that
//! `Schedule::random` leaves out.
//!
//! As long as both last nothing is promised. Who is not heard is asked for on the segment every 300 ms, and counts as
//! absent until it answers; so a side may seem to lose its majority and to have it back, again and again, and one that
//! does replaces nobody (ADR 5). Of a port that is blocked the documentation says that nothing fails over meanwhile.

use crate::dice::{Dice, SECOND};
use crate::fault::Fault;
use crate::play::play_all;
use crate::schedule::{SETTLED, Schedule, all};

/// So long after both are over all is right again: one answers for each group, and all agree which one.
const RIGHT_AGAIN: u64 = 3 * SECOND;

/// Something that goes wrong or is done, and how long it lasts.
type Drawn = (Fault, Option<u64>);

fn seconds(dice: &mut Dice) -> Option<u64> {
    Some(dice.between(SECOND, 8 * SECOND))
}

/// Nobody hears anybody, or one node hears or is heard by none.
fn silence(dice: &mut Dice, nodes: usize) -> Drawn {
    let node = dice.index(0, nodes - 1);
    let fault = match dice.between(0, 5) {
        0..3 => Fault::Blocked,
        3 => Fault::Deaf(node),
        4 => Fault::Mute(node),
        _ => Fault::Apart(node),
    };
    (fault, seconds(dice))
}

fn create(dice: &mut Dice, nodes: usize, groups: usize) -> Drawn {
    let groups = (groups..groups + dice.index(1, 5)).collect();
    let wanted = all(nodes);
    (Fault::Create { groups, wanted }, None)
}

fn partition(dice: &mut Dice, nodes: usize) -> Drawn {
    let everybody: Vec<usize> = (0..nodes).collect();
    let count = dice.index(1, nodes - 1);
    let partition = Fault::Partition {
        inside: dice.some(&everybody, count).into_iter().collect(),
        gateway_inside: dice.one_in(2),
    };
    (partition, seconds(dice))
}

/// Somebody begins or ends, or is to begin something.
fn hidden(dice: &mut Dice, nodes: usize, groups: usize) -> Drawn {
    let node = dice.index(0, nodes - 1);
    let snapshot = dice.one_in(2);
    let fault = match dice.between(0, 6) {
        0 => Fault::Pause(node),
        1 => Fault::Restart { node, snapshot },
        2 => Fault::Kill {
            node,
            snapshot,
            set_back: dice.one_in(5),
        },
        3 => Fault::Power { node, snapshot },
        4 => return (Fault::Power { node, snapshot }, None),
        5 => Fault::Unplugged(node),
        _ => return create(dice, nodes, groups),
    };
    (fault, seconds(dice))
}

/// One of the two begins, and the other one while that lasts.
fn play_pairs(test: &str, usual: u64, draw: impl Fn(&mut Dice, usize, usize) -> [Drawn; 2]) {
    play_all(test, usual, |seed| {
        let mut dice = Dice::new(seed ^ 0x511e);
        let (nodes, groups) = (dice.index(2, 7), dice.index(1, 20));
        let mut pair = draw(&mut dice, nodes, groups);
        if dice.one_in(3) {
            pair.reverse();
        }
        let [(first, first_lasts), (second, second_lasts)] = pair;
        let from = SETTLED + dice.between(0, first_lasts.unwrap_or(SECOND / 2));
        let ends = SETTLED + first_lasts.unwrap_or(0);
        let over = ends.max(from + second_lasts.unwrap_or(0));
        let mut schedule = Schedule::calm(seed, nodes, groups);
        schedule.loss = if dice.one_in(3) { dice.between(1, 20) } else { 0 };
        schedule = schedule
            .with(SETTLED, first_lasts, first)
            .with(from, second_lasts, second);
        schedule.hushed = over + RIGHT_AGAIN;
        schedule.end = schedule.hushed + 2 * SECOND;
        schedule
    });
}

#[test]
fn who_begins_or_ends_unheard_is_made_up_for_within_three_seconds_of_the_silence() {
    play_pairs("silenced::who_begins", 600, |dice, nodes, groups| {
        [silence(dice, nodes), hidden(dice, nodes, groups)]
    });
}

#[test]
fn a_partition_behind_a_blocked_port_is_over_within_three_seconds() {
    play_pairs("silenced::a_partition", 150, |dice, nodes, _| {
        [(Fault::Blocked, seconds(dice)), partition(dice, nodes)]
    });
}

#[test]
fn what_is_new_while_a_process_is_stopped_is_answered_for_within_three_seconds() {
    play_pairs("silenced::what_is_new", 150, |dice, nodes, groups| {
        let pause = Fault::Pause(dice.index(0, nodes - 1));
        [(pause, seconds(dice)), create(dice, nodes, groups)]
    });
}
