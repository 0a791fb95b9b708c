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

/// What is promised (docs/who-answers-for-a-vip.md) of nodes to which nothing happens, in bytes a second.
const PROMISED: u64 = 6_000;

/// How many schedules in which something goes wrong are counted.
const FAULTY: u64 = 50;

/// Bytes that a node sends in a second: the most of all nodes, and the mean.
type Traffic = (u64, u64);

/// From `begin` to the end of the schedule.
fn traffic(schedule: Schedule, begin: u64) -> Traffic {
    let (seed, nodes, end) = (schedule.seed, schedule.starts.len(), schedule.end);
    let mut world = World::new(schedule, Log::default());
    world.run_until(begin);
    let before = world.network.sent.clone();
    world.run_until(end);
    if let Some(violation) = &world.observer.violation {
        panic!("seed {seed}, {nodes} nodes: {violation:?}");
    }
    let sent = world.network.sent.iter().zip(before);
    let sent = sent.map(|(after, before)| (after - before) * SECOND / (end - begin));
    let sent: Vec<u64> = sent.collect();
    let mean = sent.iter().sum::<u64>() / sent.len() as u64;
    (sent.into_iter().max().unwrap(), mean)
}

fn in_calm(nodes: usize, seconds: u64) -> Traffic {
    let mut schedule = Schedule::calm(1, nodes, 100);
    let begin = SETTLED + 3 * SECOND;
    schedule.end = begin + seconds * SECOND;
    traffic(schedule, begin)
}

/// Of five nodes, as long as something goes wrong: the mean of several schedules.
fn with_faults() -> Traffic {
    let all: Vec<Traffic> = (0..FAULTY)
        .map(|seed| traffic(Schedule::random(seed, (5, 5), (100, 100)), SETTLED))
        .collect();
    let mean = |of: fn(&Traffic) -> u64| all.iter().map(of).sum::<u64>() / FAULTY;
    (mean(|(most, _)| *most), mean(|(_, mean)| *mean))
}

/// The table is committed: what a node sends more or less than before, by a tenth, shows in review.
/// `CORTENLB_WRITE=1 cargo test -p cortenlb-proto --test sim calm::what_a_node_sends` writes it.
#[test]
fn what_a_node_sends_does_not_grow_with_the_cluster() {
    let mut rows = Vec::new();
    for (nodes, seconds) in [(3, 60), (5, 60), (50, 20), (500, 4)] {
        let (most, mean) = in_calm(nodes, seconds);
        assert!(most <= PROMISED, "{nodes} nodes: {most}");
        rows.push((format!("{nodes} nodes"), (most, mean)));
    }
    rows.push(("5 nodes, random faults".to_owned(), with_faults()));
    let row = |(what, (most, mean)): &(String, Traffic)| format!("| {what} | {most} | {mean} |\n");
    let head = "| 100 groups | bytes a second, at most | mean |\n| --- | --- | --- |\n";
    let table = head.to_owned() + &rows.iter().map(row).collect::<String>();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim/traffic.md");
    if std::env::var_os("CORTENLB_WRITE").is_some() {
        std::fs::write(path, table).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let committed: Vec<Vec<&str>> = committed
        .lines()
        .skip(2)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let near = |is: u64, was: &str| {
        let was: Option<u64> = was.parse().ok();
        was.is_some_and(|was| is.abs_diff(was) * 10 <= was)
    };
    let same = committed.len() == rows.len()
        && rows.iter().zip(&committed).all(|((what, (most, mean)), row)| {
            matches!(&row[..], ["", about, m, n, ""] if about == what && near(*most, m) && near(*mean, n))
        });
    assert!(
        same,
        "{path} says something else; CORTENLB_WRITE=1 writes it:\n{table}"
    );
}
