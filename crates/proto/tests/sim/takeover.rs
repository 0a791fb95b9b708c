//! How long it takes until another one answers.

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::Fault;
use crate::observer::{Kind, Violation};
use crate::play::{check_all, play};
use crate::schedule::{SETTLED, Schedule};

/// For each schedule the longest time that a group was not answered for.
#[test]
fn after_a_loss_of_power_another_one_answers_within_a_second() {
    let times = std::cell::RefCell::new(Vec::new());
    check_all("takeover", 1_000, |seed| {
        let mut dice = Dice::new(seed ^ 0x7a6e);
        let from = SETTLED + dice.between(0, SECOND);
        let fault = Fault::Power {
            node: dice.index(0, 2),
            snapshot: false,
        };
        let schedule = Schedule::calm(seed, 3, 6).with(from, None, fault);
        let world = play(&schedule);
        let taken = world.observer.taken.iter().filter(|taken| taken.at > from);
        let Some(last) = taken.max_by_key(|taken| taken.at) else {
            return world.observer.violation.map(|violation| (schedule, violation));
        };
        let time = last.at - from;
        times.borrow_mut().push(time);
        let late = (time >= SECOND).then(|| Violation {
            kind: Kind::Time,
            at: last.at,
            group: Some(last.group),
            text: "it took so long until it was taken".to_owned(),
        });
        let found = world.observer.violation.or(late);
        found.map(|violation| (schedule, violation))
    });
    let mut times = times.into_inner();
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1_000] / MILLISECOND;
    println!(
        "power loss at 3 nodes, {} runs: p50 {} ms, p99 {} ms, max {} ms",
        times.len(),
        at(500),
        at(990),
        at(1_000)
    );
}
