use super::*;

fn mk_plan(all: bool) -> Plan {
    Plan {
        vips: vec![1, 200],
        runs: None,
        all,
        scenes: FAST.to_vec(),
        paused: false,
        busy: None,
        noise: None,
    }
}

#[test]
fn unless_everything_is_measured_faults_are_few_and_of_the_last_number_of_vips() {
    let plan = mk_plan(false);
    assert!(FAST.iter().all(|act| plan.wants(*act)));
    let mut others = Act::value_variants().iter().filter(|act| !FAST.contains(act));
    assert!(others.clone().count() > 0);
    assert!(others.all(|act| !plan.wants(*act)));
    assert!(!plan.wants_paused(Act::Cut));
    assert_eq!(plan.rounds(), [200]);
    let round = plan.round(200, 5);
    assert_eq!(
        (round.runs, round.name("kill.moves")),
        (5, "l2.kill.moves".to_owned())
    );
}

#[test]
fn everything_is_every_scene_also_while_the_api_server_is_paused() {
    let plan = mk_plan(true);
    let mut acts = Act::value_variants().iter();
    assert!(acts.all(|act| plan.wants(*act) && plan.wants_paused(*act)));
}

#[test]
fn faults_are_as_many_as_asked_for() {
    let plan = Plan {
        runs: Some(12),
        ..mk_plan(false)
    };
    assert_eq!(plan.round(200, 5).runs, 12);
    assert_eq!(plan.counted(1).runs, 12);
}

#[test]
fn of_everything_there_is_a_round_for_each_number_of_vips_with_lines_of_its_own() {
    let plan = mk_plan(true);
    assert_eq!(plan.rounds(), [1, 200]);
    let rounds: Vec<Round> = plan.rounds().iter().map(|vips| plan.round(*vips, 5)).collect();
    assert!(rounds.iter().all(|round| round.runs == 20));
    let names: Vec<String> = rounds.iter().map(|round| round.name("kill.moves")).collect();
    assert_eq!(names, ["l2.kill.moves.1", "l2.kill.moves.200"]);
}
