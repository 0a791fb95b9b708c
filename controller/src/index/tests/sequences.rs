//! Random sequences of what users, rivals, the network and the cluster do: whatever happens, in the end every
//! Service's status says what the index has decided, and no address is shown twice.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A Service is created, or edited, without anybody being told.
    Edit(usize, Wish),
    Delete(usize),
    Pools(usize),
    /// The watch tells one Service as it is now.
    Tell(usize),
    /// The watch is late: it tells a form that has been replaced since.
    TellLate(usize),
    /// One write is answered.
    Answer,
    /// Somebody writes an address into a status.
    Rival(usize, u8),
    Restart,
    LoseAndGain,
    Wait,
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    Plain,
    Address(u8),
    Dual,
    NoLoadBalancer,
    Nonsense,
}

const SERVICES: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    let wish = prop_oneof![
        4 => Just(Wish::Plain),
        2 => (0..6u8).prop_map(Wish::Address),
        1 => Just(Wish::Dual),
        1 => Just(Wish::NoLoadBalancer),
        1 => Just(Wish::Nonsense),
    ];
    prop_oneof![
        5 => (0..SERVICES, wish).prop_map(|(number, wish)| Op::Edit(number, wish)),
        2 => (0..SERVICES).prop_map(Op::Delete),
        2 => (0..4usize).prop_map(Op::Pools),
        5 => (0..SERVICES).prop_map(Op::Tell),
        2 => (0..SERVICES).prop_map(Op::TellLate),
        6 => Just(Op::Answer),
        1 => (0..SERVICES, 0..8u8).prop_map(|(number, last)| Op::Rival(number, last)),
        1 => Just(Op::Restart),
        1 => Just(Op::LoseAndGain),
        1 => Just(Op::Wait),
    ]
}

fn name(number: usize) -> String {
    format!("s{number}")
}

struct Run {
    cluster: Cluster,
    /// The form before the last change, for a watch that is late.
    former: BTreeMap<String, Value>,
    created: u32,
}

impl Run {
    fn put(&mut self, service: Value) {
        let name = service["metadata"]["name"].as_str().unwrap().to_owned();
        if let Some(former) = self.cluster.services.get(&name) {
            self.former.insert(name, former.clone());
        }
        self.cluster.put_service(service);
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Edit(number, wish) => {
                let name = name(number);
                let mut service = self.cluster.services.get(&name).cloned().unwrap_or_else(|| {
                    self.created += 1;
                    let mut service = mk_service(&name, 0);
                    service["metadata"]["uid"] = format!("uid-{}", self.created).into();
                    service
                });
                let (annotation, type_, ips) = match wish {
                    Wish::Plain => (Value::Null, "LoadBalancer", json!(["10.96.0.1"])),
                    Wish::Address(last) => (
                        format!("10.0.0.{last}").into(),
                        "LoadBalancer",
                        json!(["10.96.0.1"]),
                    ),
                    Wish::Dual => (Value::Null, "LoadBalancer", json!(["10.96.0.1", "fd96::1"])),
                    Wish::NoLoadBalancer => (Value::Null, "ClusterIP", json!(["10.96.0.1"])),
                    Wish::Nonsense => ("x".into(), "LoadBalancer", json!(["10.96.0.1"])),
                };
                merge(
                    &mut service,
                    &json!({
                        "metadata": { "annotations": { "metallb.io/loadBalancerIPs": annotation } },
                        "spec": { "type": type_, "clusterIPs": ips, "ipFamilyPolicy": "PreferDualStack" },
                    }),
                );
                if matches!(wish, Wish::NoLoadBalancer) {
                    // As the API server does.
                    merge(&mut service, &json!({ "status": { "loadBalancer": null } }));
                }
                self.put(service);
            }
            Op::Delete(number) => {
                if self.cluster.services.contains_key(&name(number)) {
                    let gone = self.cluster.services.remove(&name(number)).unwrap();
                    self.cluster
                        .input(Input::Services(Change::Delete(mk_view(&gone))));
                }
            }
            Op::Pools(shape) => {
                let shapes: [&[Value]; 4] = [
                    &[],
                    &[mk_pool("p", &["10.0.0.0/31"])],
                    &[mk_pool("p", &["10.0.0.0-10.0.0.3", "fd00::/127"])],
                    &[mk_pool("q", &["10.0.0.2/31"])],
                ];
                self.cluster.pools.clear();
                for pool in shapes[shape] {
                    self.cluster.put_pool(pool.clone());
                }
                let pools = self
                    .cluster
                    .pools
                    .values()
                    .map(|pool| serde_json::from_value(pool.clone()).unwrap());
                let pools = pools.collect();
                self.cluster.input(Input::Pools(Change::Reset(pools)));
            }
            Op::Tell(number) => self.cluster.tell(&name(number)),
            Op::TellLate(number) => {
                if let Some(former) = self.former.get(&name(number))
                    && self.cluster.services.contains_key(&name(number))
                {
                    let former = mk_view(former);
                    self.cluster.input(Input::Services(Change::Apply(former)));
                }
            }
            Op::Answer => {
                if let Some(write) = self.cluster.pending.pop_front() {
                    if let Key::Service(key) = &write.key
                        && let Some(former) = self.cluster.services.get(key.name())
                    {
                        self.former.insert(key.name().to_owned(), former.clone());
                    }
                    self.cluster.answer(write);
                }
            }
            Op::Rival(number, last) => {
                if let Some(mut service) = self.cluster.services.get(&name(number)).cloned()
                    && service["spec"]["type"] == "LoadBalancer"
                {
                    service["status"]["loadBalancer"] =
                        json!({ "ingress": [{ "ip": format!("10.0.0.{last}") }] });
                    self.put(service);
                }
            }
            Op::Restart => {
                self.cluster.index = Index::new(mk_settings());
                self.cluster.pending.clear();
                self.cluster.list();
                self.cluster.input(Input::Lead(Some(LEAD)));
            }
            Op::LoseAndGain => {
                self.cluster.pending.clear();
                self.cluster.input(Input::Lead(None));
                self.cluster.input(Input::Lead(Some(LEAD)));
            }
            Op::Wait => {
                self.cluster.now.boot = self.cluster.now.boot + Duration::from_secs(40);
                self.cluster.index.handle_timeout(self.cluster.now);
                self.cluster.collect();
            }
        }
    }
}

proptest! {
    #[test]
    fn in_the_end_every_status_says_what_was_decided(ops in proptest::collection::vec(op(), 1..80)) {
        let mut run = Run {
            cluster: Cluster::with(&[mk_pool("p", &["10.0.0.0/31"])], &[]),
            former: BTreeMap::new(),
            created: 0,
        };
        for op in ops {
            run.act(op);
            // No address is held by two: nobody here shares.
            let allocator = run.cluster.index.allocator.as_ref().unwrap();
            let mut held: Vec<IpAddr> = (0..SERVICES)
                .filter_map(|number| allocator.assignment(&ServiceKey::new("ns", name(number))))
                .flat_map(|held| held.addresses.clone())
                .collect();
            held.sort();
            let all = held.len();
            held.dedup();
            prop_assert_eq!(all, held.len());
        }
        // Everything is told and answered.
        for _ in 0..4 {
            for number in 0..SERVICES {
                run.cluster.tell(&name(number));
            }
            run.cluster.settle();
        }
        let before = run.cluster.services.clone();
        let allocator = run.cluster.index.allocator.as_ref().unwrap();
        for (service, object) in &before {
            let assigned = run.cluster.assigned(service);
            if assigned.contains("OtherController") {
                continue;
            }
            let held = allocator.assignment(&ServiceKey::new("ns", service));
            let shown: Vec<IpAddr> = {
                let entries = object["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
                entries.map(|entry| entry["ip"].as_str().unwrap().parse().unwrap()).collect()
            };
            match held {
                Some(held) => {
                    prop_assert_eq!(&shown, &held.addresses, "{}", service);
                    prop_assert!(assigned.starts_with("True"), "{} {}", service, assigned);
                }
                // What is shown without being held is foreign.
                None => prop_assert!(
                    shown.iter().all(|address| allocator.pool_of(*address).is_none()),
                    "{} shows {:?}", service, shown
                ),
            }
        }
        // And a restart changes nothing of it.
        run.cluster.take_log();
        run.cluster.restart();
        let yielded = before.keys().any(|service| run.cluster.assigned(service).contains("OtherController"));
        let foreign = run.cluster.log.iter().any(|line| line.starts_with("patch"));
        prop_assert!(yielded || !foreign, "{:?}", run.cluster.log);
    }
}
