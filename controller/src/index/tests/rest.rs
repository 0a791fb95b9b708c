//! From any state, once every write is answered, the index comes to rest: every Service shows what it holds, and every
//! wish is met that can be met.

use proptest::prelude::*;

use super::*;

const SERVICES: u8 = 5;

/// Fewer than there would have to be if none was ever in the way.
const ADDRESSES: u8 = 7;

#[derive(Clone, Copy, Debug)]
enum Op {
    Wish { service: u8, v4: u8, v6: u8 },
    Answer,
    Refuse,
    Settle,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..SERVICES, 0..ADDRESSES, 0..ADDRESSES)
            .prop_map(|(service, v4, v6)| Op::Wish { service, v4, v6 }),
        4 => Just(Op::Answer),
        1 => Just(Op::Refuse),
        1 => Just(Op::Settle),
    ]
}

fn wish(service: u8, v4: u8, v6: u8) -> Value {
    // Some have one family.
    if service.is_multiple_of(2) {
        asking_for(format!("10.0.0.{v4},fd00::1{v6}"))
    } else {
        asking_for(format!("10.0.0.{v4}"))
    }
}

fn mk_asking(service: u8) -> Value {
    let mut object = mk_service(&format!("s{service}"), service.into());
    if service.is_multiple_of(2) {
        merge(
            &mut object,
            &json!({ "spec": { "clusterIPs": ["10.96.0.1", "fd96::1"], "ipFamilyPolicy": "RequireDualStack" } }),
        );
    }
    merge(&mut object, &wish(service, service, service));
    object
}

fn run(ops: &[Op]) -> Result<(), TestCaseError> {
    let services: Vec<Value> = (0..SERVICES).map(mk_asking).collect();
    let pools = [mk_pool("p", &["10.0.0.0/28", "fd00::/120"])];
    let mut cluster = Cluster::with(&pools, &services);
    for op in ops {
        match *op {
            Op::Wish { service, v4, v6 } => {
                let name = format!("s{service}");
                let mut object = cluster.services[&name].clone();
                merge(&mut object, &wish(service, v4, v6));
                cluster.put_service(object);
                cluster.tell(&name);
            }
            Op::Answer => {
                if let Some(write) = cluster.pending.pop_front() {
                    cluster.answer(write);
                }
            }
            Op::Refuse => {
                if let Some(write) = cluster.pending.pop_front() {
                    let target = write.target.clone();
                    let source = Box::new(kube::Error::LinesCodecMaxLineLengthExceeded);
                    let result = Err(Refusal::Rejected { target, source });
                    cluster.answered(write, result);
                }
            }
            Op::Settle => cluster.settle(),
        }
        let mut shown: Vec<String> = Vec::new();
        for name in cluster.services.keys() {
            let text = cluster.shown(name);
            shown.extend(
                text.split(' ')
                    .filter(|word| word.contains(['.', ':']))
                    .map(str::to_owned),
            );
        }
        let all = shown.len();
        shown.sort();
        shown.dedup();
        prop_assert_eq!(all, shown.len(), "an address is shown twice");
    }
    cluster.settle();
    for _ in 0..2 {
        cluster.pass(Duration::from_secs(10));
    }
    for name in cluster.services.keys() {
        let asked = cluster.services[name]["metadata"]["annotations"]["metallb.io/loadBalancerIPs"].as_str();
        let asked = asked.unwrap().replace(',', " ");
        let assigned = cluster.assigned(name);
        if assigned.starts_with("True Assigned") {
            prop_assert_eq!(cluster.shown(name), format!("{asked} (p)"));
        } else {
            let taken = |address: &str| {
                let mut others = cluster.services.keys().filter(|other| *other != name);
                others.any(|other| cluster.shown(other).split(' ').any(|shown| shown == address))
            };
            prop_assert!(
                asked.split(' ').any(taken),
                "{} {} asks {}: {}",
                name,
                cluster.shown(name),
                asked,
                assigned
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_wish_is_met_that_can_be_met(ops in proptest::collection::vec(op(), 1..40)) {
        run(&ops)?;
    }
}
