use super::*;

fn actions(node: &mut Ownership) -> Vec<Action> {
    std::iter::from_fn(|| node.poll_action()).collect()
}

fn is_table(action: &Action, with_vip: bool) -> bool {
    matches!(action, Action::Table(table) if table.contains_key(&vip()) == with_vip)
}

/// Hands what one sent to those for whom it is, one datagram after the other; returns what each of them leads to.
fn deliver(lan: &mut Lan, sent: Vec<Action>) -> Vec<Vec<Action>> {
    let now = lan.now;
    let mut done = Vec::new();
    for action in sent {
        if let Action::Send { to, bytes } = action {
            let node = lan.node(to);
            node.handle(now, Input::Datagram(&bytes));
            done.push(actions(node));
        }
    }
    done
}

#[test]
fn the_next_owner_answers_before_it_says_so_and_the_old_one_answers_what_was_asked_before() {
    let mut lan = Lan::new();
    let (owner, now) = (lan.answering()[0], lan.now);
    lan.node(owner).handle(now, Input::Drain(true));
    let given = actions(lan.node(owner));
    assert!(!given.iter().any(|action| matches!(action, Action::Table(_))));
    let mut taken = deliver(&mut lan, given);
    taken.retain(|actions| actions.iter().any(|action| is_table(action, true)));
    let [taken] = &mut taken[..] else {
        panic!("one node takes it");
    };
    let told = taken
        .iter()
        .position(|action| matches!(action, Action::Send { .. }));
    let table = taken.iter().position(|action| is_table(action, true));
    assert!(table < told, "{taken:?}");
    let ends = deliver(&mut lan, std::mem::take(taken));
    let mut ends = ends.into_iter();
    let ended = ends.find(|actions| actions.iter().any(|action| is_table(action, false)));
    let ended = ended.unwrap();
    let finish = ended.iter().position(|action| matches!(action, Action::Finish));
    let table = ended.iter().position(|action| is_table(action, false));
    assert!(finish.is_some() && finish < table, "{ended:?}");
}

#[test]
fn what_was_asked_before_a_pause_is_not_answered_after_it() {
    let mut lan = Lan::new();
    let (owner, now) = (lan.answering()[0], lan.now);
    lan.node(owner)
        .handle(now + Duration::from_secs(2), Input::Timeout);
    let actions = actions(lan.node(owner));
    assert!(actions.iter().any(|action| is_table(action, false)));
    assert!(!actions.iter().any(|action| matches!(action, Action::Finish)));
}

#[test]
fn who_may_not_announce_a_group_any_more_answers_until_the_next_one_does() {
    let mut lan = Lan::new();
    let (owner, now) = (lan.answering()[0], lan.now);
    let mut drained = plan();
    let group = drained.groups.get_mut(&vip()).unwrap();
    let others = group.candidates.iter().filter(|(id, _)| **id != owner);
    group.candidates = others.map(|(id, _)| (*id, 0)).collect::<BTreeMap<_, _>>().into();
    // What it may announce itself: nothing.
    group.addresses.clear();
    lan.node(owner).set_plan(now, drained);
    let given = actions(lan.node(owner));
    assert!(!given.iter().any(|action| is_table(action, false)), "{given:?}");
    let taken = deliver(&mut lan, given).into_iter().flatten().collect();
    let ended: Vec<Action> = deliver(&mut lan, taken).into_iter().flatten().collect();
    assert!(ended.iter().any(|action| is_table(action, false)), "{ended:?}");
}

#[test]
fn what_changes_while_that_is_answered_comes_with_one_table() {
    let mut lan = Lan::new();
    let (owner, now) = (lan.answering()[0], lan.now);
    lan.node(owner).handle(now, Input::Drain(true));
    let given = actions(lan.node(owner));
    let taken: Vec<Action> = deliver(&mut lan, given).into_iter().flatten().collect();
    for action in taken {
        if let Action::Send { to, bytes } = action
            && to == owner
        {
            lan.node(owner).handle(now, Input::Datagram(&bytes));
        }
    }
    assert!(matches!(lan.node(owner).poll_action(), Some(Action::Finish)));
    lan.node(owner).set_plan(now, plan());
    let mut tables = actions(lan.node(owner));
    tables.retain(|action| matches!(action, Action::Table(_)));
    assert!(tables.len() == 1 && is_table(&tables[0], false), "{tables:?}");
}
