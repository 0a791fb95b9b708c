use super::*;

fn taken(from: &mut Seal, to: &mut Seal, times: u32) {
    for _ in 0..times {
        let sealed = from.seal(to.node, b"x").unwrap();
        assert_taken(to, from, &sealed, b"x");
    }
}

#[test]
fn a_new_boot_does_not_end_the_old_one_at_once() {
    let (mut old, mut new, mut b) = (speaker("a", 1), speaker("a", 2), speaker("b", 3));
    introduce(&mut old, &mut b);
    let late = old.seal(b.node, b"last words").unwrap();
    let later = old.seal(b.node, b"recorded").unwrap();
    introduce(&mut new, &mut b);
    taken(&mut new, &mut b, OUTLIVED_BY - 1);
    assert_taken(&mut b, &old, &late, b"last words");
    taken(&mut new, &mut b, OUTLIVED_BY - 1);
    assert_eq!(b.sessions(), 2);
    taken(&mut new, &mut b, 1);
    assert_eq!(b.sessions(), 1);
    assert_challenged(&mut b, &later);
}

/// The echo that once made the old boot known, and what it sent afterwards, recorded.
#[test]
fn a_forgotten_boot_does_not_come_back_by_its_old_echo() {
    let (mut old, mut new, mut b) = (speaker("a", 1), speaker("a", 2), speaker("b", 3));
    let hello = old.seal(b.node, b"hello").unwrap();
    let challenge = assert_challenged(&mut b, &hello);
    let echo = assert_answered(&mut old, &challenge);
    assert_eq!(b.open(&echo), Opened::Nothing);
    let recorded = old.seal(b.node, b"recorded").unwrap();
    assert_taken(&mut b, &old, &recorded, b"recorded");
    introduce(&mut new, &mut b);
    taken(&mut new, &mut b, OUTLIVED_BY);
    assert_refused(&mut b, &echo, Refused::Unverified);
    assert_challenged(&mut b, &recorded);
    // If it lives after all, it is heard again.
    introduce(&mut old, &mut b);
    taken(&mut old, &mut b, 1);
    assert_refused(&mut b, &recorded, Refused::Replayed);
}

#[test]
fn of_three_boots_of_one_node_the_last_two_are_known() {
    let mut b = speaker("b", 100);
    let mut boots: Vec<_> = (0..3).map(|boot| speaker("a", boot)).collect();
    for boot in &mut boots {
        introduce(boot, &mut b);
    }
    assert_eq!(b.sessions(), MOST_PER_NODE);
    let [first, second, third] = &mut boots[..] else {
        unreachable!()
    };
    let sealed = first.seal(b.node, b"x").unwrap();
    assert_challenged(&mut b, &sealed);
    taken(second, &mut b, 1);
    taken(third, &mut b, 1);
}

/// Whoever has recorded, or even has the key, but does not answer, leaves nothing behind.
#[test]
fn boots_that_do_not_answer_cost_no_memory() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    for boot in 0..100_000 {
        let forged = speaker("c", 1_000 + boot).seal(b.node, &[0; 33]).unwrap();
        let challenge = assert_challenged(&mut b, &forged);
        assert_eq!(challenge.len(), 75);
    }
    assert_eq!(b.sessions(), 1);
    taken(&mut a, &mut b, 1);
}

/// Whoever has the key and answers, too, fills the table and no more; who is known stays known.
#[test]
fn sessions_are_bounded() {
    let (mut a, mut b) = (speaker("a", 1), speaker("b", 2));
    introduce(&mut a, &mut b);
    let known = |boot: usize| speaker(&format!("node-{boot}"), 1_000 + boot as u64);
    for boot in 1..MOST_SESSIONS {
        introduce(&mut known(boot), &mut b);
    }
    assert_eq!(b.sessions(), MOST_SESSIONS);
    let mut more = known(MOST_SESSIONS);
    let sealed = more.seal(b.node, b"x").unwrap();
    let challenge = assert_challenged(&mut b, &sealed);
    let echo = assert_answered(&mut more, &challenge);
    assert_refused(&mut b, &echo, Refused::Full);
    taken(&mut a, &mut b, 1);
    // A node that starts again does not need more room than it has, once it has had both.
    introduce(&mut speaker("a", 9), &mut b);
    assert_eq!(b.sessions(), MOST_SESSIONS);
    // Those that have been silent for long make room.
    taken(&mut a, &mut b, IDLE as u32);
    introduce(&mut more, &mut b);
    taken(&mut more, &mut b, 1);
    taken(&mut a, &mut b, 1);
    assert_eq!(b.sessions(), MOST_SESSIONS);
}
