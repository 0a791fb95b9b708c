use super::*;

#[test]
fn what_a_group_keeps_is_announced_without_a_gap_when_its_lowest_address_changes() {
    let mut lan = Lan::new();
    let owner = lan.answering()[0];
    let lower: IpAddr = "172.21.5.200".parse().unwrap();
    let mut after = plan();
    let mut group = after.groups.remove(&vip()).unwrap();
    group.former = Some(vip());
    group.addresses.insert(lower, Scope::All);
    group.all.insert(lower);
    after.groups.insert(lower, group);
    let now = lan.now;
    for id in [1, 2, 3].map(id) {
        lan.node(id).set_plan(now, after.clone());
        while let Some(action) = lan.node(id).poll_action() {
            if let Action::Table(table) = action {
                assert_eq!(table.contains_key(&vip()), id == owner);
                assert!(!table.contains_key(&lower), "it is asked for first");
                lan.tables.insert(id, table);
            }
        }
    }
    lan.run(Duration::from_secs(2));
    assert_eq!(lan.answering(), [owner]);
    assert!(lan.tables[&owner].contains_key(&lower));
}
