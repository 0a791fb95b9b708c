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

/// The watch lags behind the answer to a write.
#[test]
fn an_older_form_of_a_reservation_is_no_news() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    cluster.reservations.insert("r".into(), Value::Null);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p" })));
    let mut older = cluster.reservations["r"].clone();
    older["metadata"]["resourceVersion"] = "0".into();
    older["status"] = Value::Null;
    cluster.take_log();
    let older = serde_json::from_value(older).unwrap();
    cluster.input(Input::Reservations(Change::Apply(older)));
    assert!(cluster.pending.is_empty(), "{:?}", cluster.pending);
    // What is listed is the truth.
    let listed = typed(&cluster.reservations);
    cluster.input(Input::Reservations(Change::Reset(listed)));
    assert!(cluster.pending.is_empty());
}

#[test]
fn an_answer_to_a_reservation_that_is_gone_is_none_to_the_one_that_follows() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/24"])], &[]);
    let mk = |uid: &str, version: u64, address: &str| {
        let mut reservation = mk_reservation("r", json!({ "pool": "p", "address": address }));
        reservation["metadata"]["uid"] = uid.into();
        reservation["metadata"]["resourceVersion"] = version.to_string().into();
        reservation
    };
    let tell = |cluster: &mut Cluster, object: &Value| {
        let object = serde_json::from_value(object.clone()).unwrap();
        cluster.input(Input::Reservations(Change::Apply(object)));
    };
    let old = mk("old", 100, "10.0.0.5");
    tell(&mut cluster, &old);
    let write = cluster.pending.pop_front().unwrap();
    let mut landed = old;
    let Op::Patch { body, .. } = &write.op else {
        panic!()
    };
    merge(&mut landed, &body.read());
    landed["metadata"]["resourceVersion"] = "101".into();
    // Deleted and created anew before the answer is read.
    let new = mk("new", 103, "10.0.0.9");
    cluster.version = 103;
    cluster.reservations.insert("r".into(), new.clone());
    let gone = serde_json::from_value(landed.clone()).unwrap();
    cluster.input(Input::Reservations(Change::Delete(gone)));
    tell(&mut cluster, &new);
    let result = Ok(Some(Box::new(serde_json::from_value(landed).unwrap())));
    cluster.answered(write, result);
    let found = cluster.index.reservations.found();
    let asks: Vec<_> = found
        .values()
        .map(|asks| asks.address.unwrap().to_string())
        .collect();
    assert_eq!(asks, ["10.0.0.9"]);
    cluster.settle();
    assert!(cluster.take_log().is_empty(), "no conflict");
    assert_eq!(cluster.reserved("r"), "Available 10.0.0.9 - Available");
}

#[test]
fn a_reservation_names_nobody_of_another_namespace() {
    let elsewhere = |name: &str, port: u16| {
        let mut holder = mk_holder(name, 9, "10.0.0.5", "p");
        holder["metadata"]["namespace"] = "far".into();
        holder["metadata"]["annotations"]["metallb.io/allow-shared-ip"] = "k".into();
        holder["spec"]["ports"] = json!([{ "port": port }]);
        holder
    };
    let message = |cluster: &Cluster| {
        let message = &cluster.reservations["r"]["status"]["conditions"][0]["message"];
        message.as_str().unwrap().to_owned()
    };
    let pools = [mk_pool("p", &["10.0.0.0/24"])];
    let mut cluster = Cluster::with(&pools, &[elsewhere("secret", 80)]);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "address": "10.0.0.5" })));
    assert_eq!(
        message(&cluster),
        "10.0.0.5 is in use by a Service in another namespace, which may not bind to this reservation"
    );
    let mut many: Vec<Value> = (0..20)
        .map(|number| elsewhere(&format!("s{number}"), number))
        .collect();
    for service in &mut many[..12] {
        service["metadata"]["namespace"] = "ns".into();
    }
    let mut cluster = Cluster::with(&pools, &many);
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "address": "10.0.0.5" })));
    assert_eq!(
        message(&cluster),
        "10.0.0.5 is in use by ns/s0,ns/s1,ns/s10,ns/s11,ns/s2,ns/s3,ns/s4,ns/s5 and 5 more, which may not bind to this \
         reservation"
    );
    let mut other = mk_reservation("first", json!({ "pool": "p", "address": "10.0.0.6" }));
    other["metadata"]["namespace"] = "far".into();
    other["metadata"]["resourceVersion"] = "1".into();
    let other = serde_json::from_value(other).unwrap();
    cluster.input(Input::Reservations(Change::Apply(other)));
    cluster.pending.clear();
    cluster.apply_reservation(mk_reservation("r", json!({ "pool": "p", "address": "10.0.0.6" })));
    assert_eq!(
        message(&cluster),
        "10.0.0.6 is reserved by a reservation in another namespace"
    );
}
