use super::*;

#[test]
fn every_scenario_runs_once_on_a_lab_of_its_size() {
    let scenarios = crate::all();
    let planned: Vec<&Scenario> = LABS
        .into_iter()
        .flat_map(|(_, shape)| plan(&scenarios, shape))
        .collect();
    assert_eq!(planned.len(), scenarios.len());
    assert!(planned.is_sorted_by_key(|scenario| scenario.stage));
}

#[test]
fn parts_of_names_choose() {
    let chosen = |parts: &[&str]| {
        let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let chosen = choose(crate::all(), &parts);
        chosen.map(|chosen| chosen.iter().map(|one| one.name).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&["cut_off"]).unwrap(), ["owner_cut_off"]);
    let two = chosen(&["cut_off", "external_ip_ans"]).unwrap();
    assert_eq!(two, ["external_ip_answers", "owner_cut_off"]);
    assert_eq!(chosen(&[]).unwrap().len(), crate::all().len());
    let unknown = chosen(&["cut_off", "cut_of_f"]).unwrap_err();
    assert!(unknown.to_string().contains("\"cut_of_f\""), "{unknown}");
}
