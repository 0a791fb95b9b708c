use super::*;

#[test]
fn a_thread_has_the_turns_that_it_asked_for_and_its_priority() {
    let before = sys::scheduling().unwrap();
    let turns = std::thread::spawn(|| {
        shorten(SHORTEST).unwrap();
        sys::scheduling().unwrap()
    });
    let after = turns.join().unwrap();
    let (policy, nice) = (after.sched_policy, after.sched_nice);
    assert_eq!((policy, nice), (before.sched_policy, before.sched_nice));
    // Kernels before 6.12 say 0.
    assert!(
        [0, 100_000].contains(&after.sched_runtime),
        "{}",
        after.sched_runtime
    );
    assert_eq!(sys::scheduling().unwrap().sched_runtime, before.sched_runtime);
}

#[test]
fn a_thread_gives_way_alone() {
    let before = sys::scheduling().unwrap();
    let gives_way = std::thread::spawn(|| {
        give_way().unwrap();
        sys::scheduling().unwrap()
    });
    let after = gives_way.join().unwrap();
    assert_eq!(after.sched_policy, before.sched_policy);
    assert_eq!(after.sched_nice, before.sched_nice.max(GIVES_WAY));
    assert_eq!(sys::scheduling().unwrap().sched_nice, before.sched_nice);
}
