//! Nothing moves while nothing happens, and that costs little.

use crate::dice::{Dice, SECOND};
use crate::fault::Fault;
use crate::log::Log;
use crate::play::play_all;
use crate::schedule::{SETTLED, Schedule};
use crate::world::World;

#[test]
fn ten_minutes_with_every_tenth_datagram_lost_move_nothing() {
    play_all("calm::ten_minutes", 60, |seed| {
        let mut dice = Dice::new(seed ^ 0xca1);
        let (nodes, groups) = (dice.index(2, 7), dice.index(1, 20));
        // It is at fault for as long as is simulated: what moves at the end has moved without a cause.
        Schedule::calm(seed, nodes, groups).with(SETTLED, Some(600 * SECOND), Fault::Loss(100))
    });
}

/// A process is stopped for up to 15 s, and goes on: it answers for nothing that somebody else has taken.
#[test]
fn who_was_stopped_answers_for_nothing_that_others_have() {
    play_all("calm::who_was_stopped", 400, |seed| {
        let mut dice = Dice::new(seed ^ 0xf02e);
        let (nodes, groups) = (dice.index(2, 7), dice.index(1, 20));
        let mut schedule = Schedule::calm(seed, nodes, groups);
        schedule.loss = dice.between(0, 20);
        let fault = Fault::Pause(dice.index(0, nodes - 1));
        let lasting = dice.between(SECOND / 10, 15 * SECOND);
        schedule.with(SETTLED, Some(lasting), fault)
    });
}

/// Bytes that a node sends in a second: the most of all nodes, and the mean.
fn traffic(nodes: usize, seconds: u64) -> (u64, u64) {
    let mut schedule = Schedule::calm(1, nodes, 100);
    let begin = SETTLED + 3 * SECOND;
    schedule.end = begin + seconds * SECOND;
    let mut world = World::new(schedule, Log::default());
    world.run_until(begin);
    let before = world.network.sent.clone();
    world.run_until(begin + seconds * SECOND);
    if let Some(violation) = &world.observer.violation {
        panic!("{nodes} nodes: {violation:?}");
    }
    let sent = world.network.sent.iter().zip(before);
    let sent: Vec<u64> = sent.map(|(after, before)| (after - before) / seconds).collect();
    let mean = sent.iter().sum::<u64>() / sent.len() as u64;
    (sent.into_iter().max().unwrap(), mean)
}

#[test]
fn what_a_node_sends_does_not_grow_with_the_cluster() {
    println!("| nodes | bytes a second, at most | mean |\n| --- | --- | --- |");
    for (nodes, seconds) in [(3, 60), (5, 60), (50, 20), (500, 4)] {
        let (most, mean) = traffic(nodes, seconds);
        println!("| {nodes} | {most} | {mean} |");
        assert!(most <= 15_000, "{nodes} nodes: {most}");
    }
}
