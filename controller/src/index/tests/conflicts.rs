//! Somebody else on the segment has an address.

use super::*;

const MAC: &str = "02:00:5e:00:53:01";
const TYPE: &str = "cortenlb.io/AddressConflict";

/// The speakers say which Services have which addresses that are somebody else's.
fn contested(cluster: &mut Cluster, found: &[(&str, &str)]) {
    let mut known: BTreeMap<ServiceKey, Contested> = BTreeMap::new();
    for (name, address) in found {
        let contested = known.entry(ServiceKey::new("ns", *name)).or_default();
        contested.insert(address.parse().unwrap(), MAC.to_owned());
    }
    cluster.input(Input::Contested(known));
    cluster.settle();
}

fn mk_cluster(services: &[Value]) -> Cluster {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/30"])], services);
    contested(&mut cluster, &[]);
    cluster.take_log();
    cluster
}

const SAYS: &str = "True InUseOnSegment: 10.0.0.0 is in use by 02:00:5e:00:53:01 on the segment, which is no node of this \
                    cluster, so no node answers for it: take the address away from that station, or out of the \
                    IPAddressPool; it is asked for again after 10 s, and later every 5 min, and used when nobody has it";

#[test]
fn who_was_given_it_a_moment_ago_gets_another_one_and_nobody_gets_it_unasked() {
    let mut cluster = mk_cluster(&[mk_service("s", 9)]);
    cluster.pass(Duration::from_secs(9));
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    assert_eq!(cluster.shown("s"), "10.0.0.1 (p)");
    assert_eq!(cluster.condition("s", TYPE), "");
    assert!(
        cluster
            .take_log()
            .contains(&"IPAllocated Assigned IP [\"10.0.0.1\"]".to_owned())
    );
    for (name, address) in [("t", "10.0.0.2 (p)"), ("u", "10.0.0.3 (p)"), ("v", " (-)")] {
        cluster.apply(mk_service(name, 5));
        assert_eq!(cluster.shown(name), address);
    }
    cluster.pass(Duration::from_secs(600));
    assert_eq!(cluster.shown("v"), "10.0.0.0 (p)");
}

#[test]
fn who_has_had_it_for_longer_keeps_it_and_says_so_until_it_is_over() {
    let mut cluster = mk_cluster(&[mk_service("s", 9)]);
    cluster.pass(Duration::from_secs(10));
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert_eq!(cluster.condition("s", TYPE), SAYS);
    assert_eq!(cluster.take_log(), ["patch s"]);
    contested(&mut cluster, &[]);
    assert_eq!(cluster.condition("s", TYPE), "");
    assert_eq!(cluster.take_log(), ["patch s"]);
}

#[test]
fn who_asked_for_it_by_name_keeps_it() {
    let mut service = mk_service("s", 9);
    merge(&mut service, &asking_for("10.0.0.0"));
    let mut cluster = mk_cluster(&[service]);
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert_eq!(cluster.condition("s", TYPE), SAYS);
}

#[test]
fn what_was_adopted_is_kept() {
    let mut cluster = mk_cluster(&[mk_holder("s", 9, "10.0.0.0", "p")]);
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    assert_eq!(cluster.condition("s", TYPE), SAYS);
}

#[test]
fn who_asks_for_another_one_says_nothing_of_the_old_one() {
    let mut cluster = mk_cluster(&[mk_holder("s", 9, "10.0.0.0", "p")]);
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    cluster.edit("s", asking_for("10.0.0.2"));
    assert_eq!(cluster.shown("s"), "10.0.0.2 (p)");
    assert_eq!(cluster.condition("s", TYPE), "");
}

#[test]
fn after_a_change_of_leader_it_is_said_on_and_its_end_is_noticed() {
    let mut cluster = mk_cluster(&[mk_holder("s", 9, "10.0.0.0", "p")]);
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    cluster.restart();
    assert_eq!(cluster.condition("s", TYPE), SAYS, "nobody has said otherwise");
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    cluster.apply(mk_service("t", 1));
    cluster.delete("s");
    cluster.apply(mk_service("u", 1));
    assert_eq!(cluster.shown("u"), "10.0.0.2 (p)", "it is in quarantine");
    let mut cluster = mk_cluster(&[mk_holder("s", 9, "10.0.0.0", "p")]);
    contested(&mut cluster, &[("s", "10.0.0.0")]);
    cluster.restart();
    contested(&mut cluster, &[]);
    assert_eq!(cluster.condition("s", TYPE), "");
}

#[test]
fn nothing_is_written_where_nothing_is_said() {
    let mut cluster = mk_cluster(&[mk_service("s", 9)]);
    contested(&mut cluster, &[("gone", "10.0.0.9"), ("s", "10.0.0.9")]);
    contested(&mut cluster, &[]);
    assert_eq!(cluster.take_log(), [""; 0]);
}
