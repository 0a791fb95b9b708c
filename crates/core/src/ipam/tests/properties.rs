//! Sequences of operations, judged by the promises themselves after each step.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Ask(usize, Box<Request>),
    Withdraw(usize),
    Release(usize),
    Pools(Vec<usize>),
    Reserve(usize, Option<Box<Reservation>>),
    Advance(u64),
}

const SERVICES: usize = 12;

/// Pools in several shapes; of two that overlap, the one with the lower name is valid.
fn pool_shapes() -> Vec<PoolSpec> {
    vec![
        mk_spec("a", &["10.0.0.0/30"]),
        mk_spec("a", &["10.0.0.2-10.0.0.5", "fd00:a::/127"]),
        PoolSpec {
            avoid_buggy_ips: true,
            ..mk_spec("a", &["10.0.0.0/30"])
        },
        PoolSpec {
            cool_down: Duration::from_secs(3),
            ..mk_spec("b", &["10.0.1.0/31", "fd00:b::/127"])
        },
        PoolSpec {
            auto_assign: false,
            ..mk_spec("b", &["10.0.1.0/31"])
        },
        mk_spec("c", &["10.0.0.0-10.0.0.3", "fd00:c::/127"]),
    ]
}

fn chosen_pools(shapes: &[usize]) -> BTreeMap<String, Pool> {
    let all = pool_shapes();
    let chosen = mk_pools(shapes.iter().map(|shape| all[shape % all.len()].clone()));
    crate::pool::resolve(chosen.into_values()).0
}

fn request() -> impl Strategy<Value = Request> {
    let families = prop_oneof![
        4 => Just(Families::Single(Family::V4)),
        1 => Just(Families::Single(Family::V6)),
        1 => Just(Families::Dual),
        1 => Just(Families::Prefer { primary: Family::V6 }),
    ];
    let addresses = prop_oneof![
        4 => Just(vec![]),
        1 => (0..6u8).prop_map(|last| vec![IpAddr::from([10, 0, 0, last])]),
    ];
    let pool = prop_oneof![4 => Just(None), 1 => Just(Some("a".to_owned())), 1 => Just(Some("b".to_owned()))];
    let reservations = prop_oneof![
        5 => Just(vec![]),
        1 => Just(vec!["0".to_owned()]),
        1 => Just(vec!["0".to_owned(), "1".to_owned()]),
    ];
    let sharing =
        prop_oneof![2 => Just(None), 3 => Just(Some("k".to_owned())), 1 => Just(Some("l".to_owned()))];
    let backend = prop_oneof![4 => Just(""), 1 => Just("app=web")];
    let ports = prop_oneof![
        6 => proptest::collection::btree_set((80..84_u16).prop_map(tcp), 1..3),
        1 => Just(BTreeSet::new()),
    ];
    (
        families,
        addresses,
        pool,
        reservations,
        sharing,
        (backend, ports),
        0..3i64,
    )
        .prop_map(
            |(families, addresses, pool, reservations, key, (backend, ports), created)| Request {
                created,
                families,
                reservations: if addresses.is_empty() {
                    reservations
                } else {
                    vec![]
                },
                addresses,
                pool,
                terms: Arc::new(Terms {
                    key,
                    backend: backend.to_owned(),
                    ports: ports.into_iter().collect(),
                }),
                ..mk_request()
            },
        )
}

fn reservation() -> impl Strategy<Value = Reservation> {
    let address =
        prop_oneof![2 => Just(None), 1 => (0..4u8).prop_map(|last| Some(IpAddr::from([10, 0, 0, last])))];
    let pool = prop_oneof![Just("a"), Just("b"), Just("c")];
    let services = proptest::collection::btree_set((0..SERVICES).prop_map(|number| number.to_string()), 0..3);
    let recorded = prop_oneof![3 => Just(None), 1 => prop_oneof![Just(Right::Has), Just(Right::Waits), Just(Right::Released)].prop_map(|right| {
        Some(Recorded { address: IpAddr::from([10, 0, 1, 1]), right })
    })];
    (
        address,
        pool,
        services,
        any::<bool>(),
        recorded,
        0..3i64,
        any::<bool>(),
    )
        .prop_map(
            |(address, pool, services, retain, recorded, created, six)| Reservation {
                created,
                pool: pool.to_owned(),
                family: if six && address.is_none() {
                    Family::V6
                } else {
                    Family::V4
                },
                address,
                services,
                retain,
                recorded,
            },
        )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..SERVICES, request()).prop_map(|(service, request)| Op::Ask(service, Box::new(request))),
        1 => (0..SERVICES).prop_map(Op::Withdraw),
        2 => (0..SERVICES).prop_map(Op::Release),
        2 => proptest::collection::vec(0..6usize, 0..3).prop_map(Op::Pools),
        2 => (0..3usize, proptest::option::of(reservation().prop_map(Box::new)))
            .prop_map(|(number, reservation)| Op::Reserve(number, reservation)),
        1 => (0..3u64).prop_map(Op::Advance),
    ]
}

fn service(number: usize) -> ServiceKey {
    key(&number.to_string())
}

fn holdings(allocator: &Allocator) -> BTreeMap<ServiceKey, Assignment> {
    (0..SERVICES)
        .map(service)
        .filter_map(|service| Some((service.clone(), allocator.assignment(&service)?.clone())))
        .collect()
}

fn may_share(a: &Terms, b: &Terms) -> bool {
    a.key.is_some()
        && a.key == b.key
        && a.backend == b.backend
        && !a.ports.iter().any(|port| b.ports.contains(port))
}

/// The promises that hold after every step.
fn check(allocator: &Allocator, pools: &BTreeMap<String, Pool>) -> Result<(), TestCaseError> {
    let held: BTreeMap<&ServiceKey, &Held> = allocator
        .services
        .iter()
        .filter_map(|(key, entry)| Some((key, entry.held.as_ref()?)))
        .collect();
    for (a, a_held) in &held {
        for (b, b_held) in held.iter().filter(|(b, _)| *b != a) {
            let common = a_held
                .assignment
                .addresses
                .iter()
                .any(|address| b_held.assignment.addresses.contains(address));
            prop_assert!(
                !common || may_share(&a_held.terms, &b_held.terms),
                "{a} and {b} hold one address"
            );
        }
    }
    let distinct: BTreeSet<IpAddr> = held
        .values()
        .flat_map(|held| held.assignment.addresses.iter().copied())
        .collect();
    for (name, pool) in pools {
        for family in Family::ALL {
            // Nothing lost: what is not held can be taken, address by address.
            let usage = allocator.usage(name, family).unwrap();
            let usable = |address: &IpAddr| {
                let edge = matches!(address, IpAddr::V4(address) if matches!(address.octets()[3], 0 | 255));
                !(pool.avoid_buggy_ips() && edge)
            };
            let inside = |address: &&IpAddr| {
                Family::of(**address) == family && pool.ranges().iter().any(|range| range.contains(**address))
            };
            let assigned = distinct
                .iter()
                .filter(inside)
                .filter(|address| usable(address))
                .count();
            prop_assert_eq!(usage.assigned, assigned as u128, "{} {}", name, family);
            let has_free = allocator.pools[name.as_str()]
                .first(family)
                .map(|(_, address)| address);
            prop_assert_eq!(has_free.is_some(), usage.available() > 0);
            prop_assert!(has_free.is_none_or(|address| allocator.occupancy(address) == Occupancy::Free));
            let kept = |address: &IpAddr| {
                (Family::of(*address) == family && !distinct.contains(address) && usable(address))
                    && pool.ranges().iter().any(|range| range.contains(*address))
            };
            let cooling = allocator.cooling(name).into_iter().map(|(address, _)| address);
            let withheld: BTreeSet<IpAddr> = reserved(allocator)
                .into_values()
                .chain(cooling)
                .filter(kept)
                .collect();
            prop_assert_eq!(usage.withheld, withheld.len() as u128, "{} {}", name, family);
        }
    }
    // A reservation's address is with those who may bind, or with nobody.
    let reserved = reserved(allocator);
    let distinct: BTreeSet<IpAddr> = reserved.values().copied().collect();
    let alone = distinct.len() == reserved.len();
    prop_assert!(alone, "two reservations have one address");
    for (reservation, address) in reserved {
        for holder in allocator.holders.get(&address).into_iter().flatten() {
            prop_assert!(
                allocator.reservations.may_bind(&reservation, holder),
                "{holder} has what {reservation} keeps"
            );
        }
    }
    // Nobody waits for what it could have.
    for (key, entry) in &allocator.services {
        if let (Some(request), Some(refusal)) = (&entry.request, entry.refusal.as_deref()) {
            let could = allocator.decide(key, request, entry.held.as_ref());
            prop_assert!(could.is_err(), "{key} waits though it could have {could:?}");
            // What it was told of the pools is still so, although nobody has looked at it since.
            let is_of_others = !["NoAddressAvailable", "PoolExhausted"].contains(&refusal.reason());
            let may_differ = is_of_others || !request.reservations.is_empty();
            prop_assert!(may_differ || could == Err(refusal.clone()), "{key}: {refusal}");
        }
    }
    Ok(())
}

/// The reservations that have an address.
fn reserved(allocator: &Allocator) -> BTreeMap<ReservationKey, IpAddr> {
    let keys = (0..3).map(reservation_key);
    keys.filter_map(|key| match allocator.standing(&key)? {
        Standing::Available(address) | Standing::Bound(address, _) => Some((key, address)),
        Standing::Pending(..) | Standing::Released(_) => None,
    })
    .collect()
}

fn reservation_key(number: usize) -> ReservationKey {
    ReservationKey::new("ns", number.to_string())
}

/// The held addresses at which each holder lets one under `terms` join it.
fn shareable(allocator: &Allocator, terms: &Terms) -> BTreeSet<IpAddr> {
    let mut open: BTreeMap<IpAddr, bool> = BTreeMap::new();
    for held in allocator
        .services
        .values()
        .filter_map(|entry| entry.held.as_ref())
    {
        for address in &held.assignment.addresses {
            *open.entry(*address).or_insert(true) &= may_share(&held.terms, terms);
        }
    }
    open.into_iter()
        .filter(|(_, open)| *open)
        .map(|(address, _)| address)
        .collect()
}

/// Who asks for nothing special gets what a walk over all addresses of all pools finds first.
fn first_by_walking(
    pools: &BTreeMap<String, Pool>,
    held: &BTreeSet<IpAddr>,
    family: Family,
) -> Option<IpAddr> {
    let ranges = pools
        .values()
        .filter(|pool| pool.auto_assign())
        .flat_map(|pool| pool.ranges().iter().map(|range| (range, pool.avoid_buggy_ips())));
    ranges
        .filter(|(range, _)| range.family() == family)
        .find_map(|(range, avoid)| {
            let mut address = range.first();
            loop {
                let edge =
                    avoid && matches!(address, IpAddr::V4(address) if matches!(address.octets()[3], 0 | 255));
                if !edge && !held.contains(&address) {
                    return Some(address);
                }
                if address == range.last() {
                    return None;
                }
                address = match address {
                    IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() + 1).into(),
                    IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() + 1).into(),
                };
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_after_every_step(ops in proptest::collection::vec(op(), 1..60)) {
        let mut pools = chosen_pools(&[0, 3]);
        let mut allocator = Allocator::default();
        allocator.set_pools(pools.clone());
        for op in ops {
            let before = holdings(&allocator);
            allocator.take_changed();
            match op {
                Op::Ask(number, request) => {
                    let service = service(number);
                    let lost = allocator.services.get(&service).and_then(|entry| entry.held.clone())
                        .is_some_and(|held| !allocator.may_keep(&service, &held, &request.terms));
                    let taken: BTreeSet<IpAddr> =
                        before.values().flat_map(|held| held.addresses.iter().copied()).collect();
                    let plain = !before.contains_key(&service)
                        && request.addresses.is_empty()
                        && request.reservations.is_empty()
                        && allocator.reservations.naming(&service).next().is_none()
                        && allocator.cooling.of(&service).next().is_none()
                        && request.pool.is_none();
                    if let (true, Families::Single(family)) = (plain, request.families) {
                        let open = shareable(&allocator, &request.terms);
                        let mut taken: BTreeSet<IpAddr> = taken.difference(&open).copied().collect();
                        taken.extend(reserved(&allocator).into_values());
                        for pool in pools.keys() {
                            taken.extend(allocator.cooling(pool).into_iter().map(|(address, _)| address));
                        }
                        let expected = first_by_walking(&pools, &taken, family);
                        allocator.request(&service, *request);
                        let got = allocator.assignment(&service).map(|held| held.addresses[0]);
                        prop_assert_eq!(got, expected);
                    } else {
                        allocator.request(&service, *request);
                    }
                    if allocator.refusal(&service).is_some() && !lost {
                        // Others may gain, if its ports have changed; nobody loses.
                        let after = holdings(&allocator);
                        prop_assert_eq!(before.get(&service), after.get(&service));
                        prop_assert!(before.keys().all(|key| after.contains_key(key)));
                    }
                }
                Op::Withdraw(number) => allocator.withdraw(&service(number)),
                Op::Release(number) => allocator.release(&service(number)),
                Op::Reserve(number, spec) => {
                    let content: Vec<ServiceKey> =
                        before.keys().filter(|key| allocator.refusal(key).is_none()).cloned().collect();
                    allocator.set_reservation(&reservation_key(number), spec.map(|spec| *spec));
                    let after = holdings(&allocator);
                    // Only who asks for something else, or for the reservation, may move.
                    for (key, held) in before.iter().filter(|(key, _)| content.contains(key)) {
                        let asked = allocator.services[key].request.as_ref();
                        let asks = asked.is_some_and(|asked| !asked.reservations.is_empty());
                        let stays = |address| after[key].addresses.contains(address);
                        prop_assert!(asks || held.addresses.iter().all(stays), "{key} moved");
                    }
                }
                Op::Advance(seconds) => {
                    let now = allocator.now + Duration::from_secs(seconds);
                    allocator.advance(now);
                    prop_assert!(before.keys().all(|key| allocator.assignment(key).is_some()));
                    prop_assert!(allocator.poll_timeout().is_none_or(|due| due > now));
                }
                Op::Pools(shapes) => {
                    let by_name = |service: &&ServiceKey| {
                        let request = &allocator.services[*service].request;
                        request
                            .as_ref()
                            .is_some_and(|request| request.pool.is_some() || !request.reservations.is_empty())
                    };
                    let content: Vec<ServiceKey> = before
                        .keys()
                        .filter(|service| allocator.refusal(service).is_none() && !by_name(service))
                        .cloned()
                        .collect();
                    pools = chosen_pools(&shapes);
                    allocator.set_pools(pools.clone());
                    let after = holdings(&allocator);
                    // Nobody loses its address; only who asks for another one, or for a pool by name, may move.
                    prop_assert!(before.keys().all(|service| after.contains_key(service)));
                    for service in content {
                        let kept = before[&service].addresses.iter().all(|address| {
                            after[&service].addresses.contains(address)
                        });
                        prop_assert!(kept, "{service} moved");
                    }
                }
            }
            check(&allocator, &pools)?;
            let after = holdings(&allocator);
            let changed = allocator.take_changed();
            for service in (0..SERVICES).map(service) {
                let differs = before.get(&service) != after.get(&service);
                prop_assert!(!differs || changed.contains(&service), "{service} changed silently");
            }
        }
    }

    #[test]
    fn a_restart_moves_nothing(
        ops in proptest::collection::vec(op(), 1..60),
        order in any::<u64>(),
    ) {
        let mut pools = chosen_pools(&[0, 3]);
        let mut allocator = Allocator::default();
        allocator.set_pools(pools.clone());
        for op in ops {
            match op {
                Op::Ask(number, request) => allocator.request(&service(number), *request),
                Op::Withdraw(number) => allocator.withdraw(&service(number)),
                Op::Release(number) => allocator.release(&service(number)),
                Op::Reserve(number, spec) => {
                    allocator.set_reservation(&reservation_key(number), spec.map(|spec| *spec));
                }
                Op::Advance(seconds) => allocator.advance(allocator.now + Duration::from_secs(seconds)),
                Op::Pools(shapes) => {
                    pools = chosen_pools(&shapes);
                    allocator.set_pools(pools.clone());
                }
            }
        }
        let before = holdings(&allocator);
        let mut again = Allocator::default();
        again.set_pools(pools);
        let claims = allocator.services.iter().filter_map(|(key, entry)| {
            let held = entry.held.clone()?;
            // The rank is arbitrary, so that the claims are adopted in any order.
            let rank = order.rotate_left(u32::from(key.name().as_bytes()[0])) as i64;
            Some((key.clone(), Claim {
                explicit: rank & 1 == 0,
                annotated: rank & 2 == 0,
                created: rank,
                addresses: held.assignment.addresses,
                pool: held.assignment.pool.to_string(),
                terms: held.terms,
            }))
        });
        prop_assert_eq!(again.adopt(claims.collect()), vec![]);
        prop_assert_eq!(&holdings(&again), &before);
        // Of several reasons why a reservation waits, another one may come first.
        let standings = |allocator: &Allocator| -> Vec<Option<Result<Standing, Option<IpAddr>>>> {
            let standings = (0..3).map(|number| allocator.standing(&reservation_key(number)));
            let told = |standing| match standing {
                Standing::Pending(_, last) => Err(last),
                standing => Ok(standing),
            };
            standings.map(|standing| standing.map(told)).collect()
        };
        let found = (0..3).map(reservation_key).filter_map(|key| {
            let recorded = match allocator.standing(&key)? {
                Standing::Available(address) | Standing::Bound(address, _) => Some((address, Right::Has)),
                Standing::Released(address) => Some((address, Right::Released)),
                Standing::Pending(_, last) => last.map(|last| (last, Right::Waits)),
            };
            let recorded = recorded.map(|(address, right)| Recorded { address, right });
            let spec = allocator.reservations.spec(&key)?.clone();
            Some((key, Reservation { recorded, ..spec }))
        });
        again.advance(allocator.now);
        for (address, cooling) in allocator.pools.keys().flat_map(|pool| allocator.cooling(pool)) {
            again.resume_cool_down(address, cooling);
        }
        let mut asked: BTreeMap<ReservationKey, BTreeSet<ServiceKey>> = BTreeMap::new();
        for (service, entry) in &allocator.services {
            for name in entry.request.iter().flat_map(|request| &request.reservations) {
                let key = ReservationKey::new("ns", name);
                asked.entry(key).or_default().insert(service.clone());
            }
        }
        again.adopt_reservations(found.collect(), asked);
        // Then every Service asks for what it has asked for.
        for (key, entry) in &allocator.services {
            if let Some(request) = &entry.request {
                again.request(key, request.clone());
            }
        }
        prop_assert_eq!(holdings(&again), before);
        prop_assert_eq!(standings(&again), standings(&allocator));
    }
}
