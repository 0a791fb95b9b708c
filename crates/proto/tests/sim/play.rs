//! Plays schedules, and tells how to play one again that failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::log::{Log, shown};
use crate::observer::{Kind, Violation};
use crate::schedule::Schedule;
use crate::world::World;

/// After so many failures the rest is not played.
const ENOUGH: usize = 50;

/// Plays a schedule to its end.
pub(crate) fn play(schedule: &Schedule) -> World {
    playing(schedule, Log::default())
}

fn playing(schedule: &Schedule, log: Log) -> World {
    let guard = Guard(schedule.seed);
    let mut world = World::new(schedule.clone(), log);
    world.run_until(schedule.end);
    world.all_agree();
    drop(guard);
    world
}

/// Plays a schedule that must not fail, and hands back how it ended.
pub(crate) fn play_well(schedule: &Schedule) -> World {
    let world = play(schedule);
    if let Some(violation) = &world.observer.violation {
        panic!("{}", told(schedule, violation));
    }
    world
}

/// What was found, and what had happened before.
fn told(schedule: &Schedule, violation: &Violation) -> String {
    let world = playing(schedule, Log::about(violation.group));
    let mut text = String::new();
    writeln!(text, "seed {}: {} nodes", schedule.seed, schedule.starts.len()).unwrap();
    text.push_str(&world.log.last());
    let Violation {
        kind,
        at,
        group,
        text: said,
    } = violation;
    writeln!(text, "{} {kind:?}, group {group:?}: {said}", shown(*at)).unwrap();
    text
}

/// How many cases to play instead of `usual`: `CORTENLB_SIM_CASES` is a factor.
pub(crate) fn cases(usual: u64) -> u64 {
    let factor = std::env::var("CORTENLB_SIM_CASES").map_or(1.0, |text| text.parse::<f64>().unwrap());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a small number"
    )]
    let cases = (usual as f64 * factor).ceil() as u64;
    cases.max(1)
}

/// The seeds to play: those of `usual` cases, or the one that `CORTENLB_SIM_SEED` names.
pub(crate) fn seeds(usual: u64) -> std::ops::Range<u64> {
    match std::env::var("CORTENLB_SIM_SEED") {
        Ok(text) => {
            let seed = text.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..cases(usual),
    }
}

/// Plays one schedule for each seed.
///
/// # Panics
/// One has failed: how often what was found, how the first one of each kind ended, and how to play it again.
pub(crate) fn play_all(test: &str, usual: u64, schedule: impl Fn(u64) -> Schedule) {
    check_all(test, usual, |seed| {
        let schedule = schedule(seed);
        let world = play(&schedule);
        world.observer.violation.map(|violation| (schedule, violation))
    });
}

/// The same for whatever finds violations.
pub(crate) fn check_all(test: &str, usual: u64, check: impl Fn(u64) -> Option<(Schedule, Violation)>) {
    let mut found: BTreeMap<Kind, Vec<(Schedule, Violation)>> = BTreeMap::new();
    let mut played = 0;
    let mut failed = 0;
    for seed in seeds(usual) {
        played += 1;
        if let Some((schedule, violation)) = check(seed) {
            failed += 1;
            found
                .entry(violation.kind)
                .or_default()
                .push((schedule, violation));
        }
        if failed >= ENOUGH {
            break;
        }
    }
    if found.is_empty() {
        return;
    }
    let mut text = format!("{failed} of {played} schedules failed\n");
    for (kind, all) in &found {
        let (schedule, violation) = &all[0];
        let seeds: Vec<u64> = all.iter().map(|(schedule, _)| schedule.seed).collect();
        writeln!(text, "\n=== {kind:?}: seeds {seeds:?}").unwrap();
        text.push_str(&told(schedule, violation));
        writeln!(
            text,
            "again: CORTENLB_SIM_SEED={} cargo test -p cortenlb-proto --test sim {test}",
            schedule.seed
        )
        .unwrap();
    }
    panic!("{text}");
}

/// Names the seed when the machine itself panics.
struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} was being played", self.0);
        }
    }
}
