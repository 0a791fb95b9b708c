use super::*;

fn mk_reservation(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "cortenlb.io/v1alpha1", "kind": "AddressReservation",
        "metadata": { "name": name, "namespace": "ns" }, "spec": spec,
    })
}

impl Cluster {
    fn apply_reservation(&mut self, mut reservation: Value) {
        self.version += 1;
        reservation["metadata"]["resourceVersion"] = self.version.to_string().into();
        let name = reservation["metadata"]["name"].as_str().unwrap().to_owned();
        self.reservations.insert(name.clone(), reservation);
        let object = serde_json::from_value(self.reservations[&name].clone()).unwrap();
        self.input(Input::Reservations(Change::Apply(object)));
        self.settle();
    }

    /// Phase, address and whom it is bound to, as `kubectl get` shows them, and the reason.
    fn reserved(&self, name: &str) -> String {
        let status = &self.reservations[name]["status"];
        let text = |field: &str| status[field].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {}",
            text("phase"),
            text("address"),
            text("boundTo"),
            status["conditions"][0]["reason"].as_str().unwrap_or("-")
        )
    }
}

#[test]
fn a_service_created_anew_has_its_address_and_the_reservation_says_so() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "services": ["web"] })));
    assert_eq!(cluster.reserved("r"), "Available 10.0.0.0 - Available");
    cluster.apply(mk_service("other", 9));
    cluster.apply(mk_service("web", 5));
    assert_eq!(
        (cluster.shown("other").as_str(), cluster.shown("web").as_str()),
        ("10.0.0.1 (p)", "10.0.0.0 (p)")
    );
    assert_eq!(cluster.reserved("r"), "Bound 10.0.0.0 web Bound");
    cluster.delete("web");
    assert_eq!(cluster.reserved("r"), "Available 10.0.0.0 - Available");
    cluster.apply(mk_service("web", 1));
    assert_eq!(cluster.shown("web"), "10.0.0.0 (p)");
}

#[test]
fn a_reservation_is_remembered_by_the_next_leader_also_without_its_pool() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "services": ["web"] })));
    cluster.delete_pool("p");
    cluster.restart();
    assert_eq!(cluster.reserved("r"), "Available 10.0.0.0 - Available");
    cluster.apply(mk_service("web", 1));
    assert_eq!(cluster.shown("web"), "10.0.0.0 (p)");
    cluster.apply_pool(mk_pool("p", &["10.0.0.0/24"]));
    cluster.apply(mk_service("other", 2));
    assert_eq!(cluster.shown("other"), "10.0.0.1 (p)");
    // And a restart that changes nothing writes nothing.
    cluster.pass(Duration::from_secs(2));
    let before = cluster.version;
    cluster.restart();
    assert_eq!(cluster.version, before);
}

#[test]
fn a_reservation_that_waits_says_why() {
    let holder = mk_holder("holder", 9, "10.0.0.5", "p");
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[holder]);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "address": "10.0.0.5" })));
    assert_eq!(cluster.reserved("r"), "Pending - - AddressInUse");
    let message = &cluster.reservations["r"]["status"]["conditions"][0]["message"];
    assert_eq!(
        message,
        "10.0.0.5 is in use by ns/holder, which may not bind to this reservation"
    );
    cluster.edit(
        "holder",
        json!({ "metadata": { "annotations": { "cortenlb.io/reservation": "r" } } }),
    );
    assert_eq!(cluster.reserved("r"), "Bound 10.0.0.5 holder Bound");
    assert_eq!(cluster.shown("holder"), "10.0.0.5 (p)");
}

/// The reservation was made while nobody led: it has no address yet, and its Service has one.
#[test]
fn a_reservation_found_at_a_start_binds_to_who_asks_for_it_and_moves_nobody() {
    let mut service = mk_holder("web", 5, "10.0.0.5", "p");
    service["metadata"]["annotations"]["cortenlb.io/reservation"] = "r".into();
    let mut cluster = Cluster::following(&[mk_pool("p", &["10.0.0.0/24"])], &[service]);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p" })));
    cluster.input(Input::Lead(Some(LEAD)));
    cluster.settle();
    assert_eq!(cluster.shown("web"), "10.0.0.5 (p)");
    assert_eq!(cluster.reserved("r"), "Bound 10.0.0.5 web Bound");
}

#[test]
fn a_freed_address_cools_down_over_a_change_of_leader() {
    let mut pool = mk_pool("p", &["10.0.0.0/31"]);
    pool["metadata"]["annotations"] = json!({ "cortenlb.io/cool-down": "5m" });
    let mut cluster = Cluster::with(&[pool], &[mk_holder("s", 9, "10.0.0.0", "p")]);
    cluster.delete("s");
    cluster.pass(Duration::from_secs(2));
    let cooling = &cluster.pools["p"]["status"]["coolingDown"];
    assert_eq!(
        (&cooling[0]["address"], &cooling[0]["service"]),
        (&json!("10.0.0.0"), &json!("ns/s"))
    );
    cluster.restart();
    cluster.apply(mk_service("other", 5));
    cluster.apply(mk_service("third", 5));
    assert_eq!(
        (cluster.shown("other").as_str(), cluster.shown("third").as_str()),
        ("10.0.0.1 (p)", " (-)")
    );
    cluster.pass(Duration::from_secs(400));
    assert_eq!(cluster.shown("third"), "10.0.0.0 (p)");
    cluster.pass(Duration::from_secs(2));
    assert!(cluster.pools["p"]["status"]["coolingDown"].is_null());
}

#[test]
fn a_cool_down_that_is_no_duration_is_told_and_the_pool_is_used() {
    let mut pool = mk_pool("p", &["10.0.0.0/31"]);
    pool["metadata"]["annotations"] = json!({ "cortenlb.io/cool-down": "five" });
    let cluster = Cluster::with(&[pool], &[mk_service("s", 9)]);
    assert_eq!(cluster.shown("s"), "10.0.0.0 (p)");
    let condition = &cluster.pools["p"]["status"]["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("True"), &json!("CoolDownIgnored"))
    );
}
