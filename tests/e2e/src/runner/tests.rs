use super::*;

#[test]
fn every_scenario_runs_once_on_a_lab_of_its_size() {
    let scenarios = crate::all();
    let planned: Vec<&Scenario> = LABS
        .into_iter()
        .flat_map(|(_, shape)| plan(&scenarios, shape, ""))
        .collect();
    assert_eq!(planned.len(), scenarios.len());
    assert!(planned.is_sorted_by_key(|scenario| scenario.stage));
}

#[test]
fn a_part_of_the_name_selects() {
    let scenarios = crate::all();
    let planned = plan(&scenarios, (3, Nics::One), "cut_off");
    assert_eq!(
        planned.iter().map(|one| one.name).collect::<Vec<_>>(),
        ["owner_cut_off"]
    );
    assert!(plan(&scenarios, (1, Nics::One), "cut_off").is_empty());
}
