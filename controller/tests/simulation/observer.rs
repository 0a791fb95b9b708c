//! Looks at every change of a Service: no address is given to two that may not share it, and none is moved or lost
//! unless the user asked for that. What somebody else writes into a status is nobody's promise.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cortenlb_crds::names;
use serde_json::Value;
use tokio::time::Instant;

use crate::objects::{ASKED, annotation, is_load_balancer, shown};

/// How many changes are shown with a violation.
const REMEMBERED: usize = 60;

/// How many losses a change excuses that is not the Service's own: a write that was decided before it may land after it,
/// and then comes the move.
const EXCUSED: u8 = 2;

/// By how much one watch may lag behind another: one that was refused begins anew within a second or two.
const LAG: Duration = Duration::from_secs(3);

/// What else decides about an address than the wish for one: the Service may have to leave the one that it has.
const TERMS: [&str; 6] = [
    names::ADDRESS_POOL,
    names::ADDRESS_POOL_DEPRECATED,
    names::ALLOW_SHARED_IP,
    names::ALLOW_SHARED_IP_DEPRECATED,
    names::LOAD_BALANCER_IPS_DEPRECATED,
    names::RESERVATION,
];

/// Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Observer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    services: BTreeMap<String, Value>,
    holders: BTreeMap<IpAddr, BTreeSet<String>>,
    /// What somebody else wrote, by Service.
    foreign: BTreeSet<(String, IpAddr)>,
    /// What the user has asked for since a Service last got an address, or asked for then. A wish that is taken back
    /// while it is being met may still be met.
    wished: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Whose terms the user has changed since they last got an address.
    loose: BTreeSet<String>,
    /// Who may have to move also after a change of its addresses, and how often: whose terms were changed, who shared an
    /// address with such a one, and who names a pool or a reservation that was changed.
    concerned: BTreeMap<String, u8>,
    /// When a pool or a reservation was changed last.
    changed: Option<Instant>,
    /// Who makes the changes.
    who: Who,
    start: Option<Instant>,
    last: VecDeque<String>,
    violations: Vec<String>,
}

/// Who makes a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Who {
    /// One of the controllers.
    #[default]
    Controller,
    /// The user, who may do everything.
    User,
    /// Another controller, which writes into a status.
    Rival,
}

impl Observer {
    /// The changes of `change` are made by `who`.
    pub(crate) fn acting(&self, who: Who, change: impl FnOnce()) {
        self.lock().who = who;
        change();
        self.lock().who = Who::Controller;
    }

    /// Something changes that Services name by one of these annotations: they may have to move.
    pub(crate) fn concern(&self, annotations: &[&str]) {
        let mut state = self.lock();
        state.changed = Some(Instant::now());
        let names = |service: &Value| annotations.iter().any(|name| annotation(service, name).is_some());
        let named = state.services.iter().filter(|(_, service)| names(service));
        let named: Vec<String> = named.map(|(path, _)| path.clone()).collect();
        state
            .concerned
            .extend(named.into_iter().map(|path| (path, EXCUSED)));
    }

    /// All that was changed has been followed up: nobody has a reason to move any more.
    pub(crate) fn settled(&self) {
        let mut state = self.lock();
        state.loose.clear();
        state.concerned.clear();
    }

    /// What [`Fake::observe`](cortenlb_kit::fake::Fake::observe) calls.
    pub(crate) fn see(&self, path: &str, object: Option<&Value>) {
        self.lock().see(path, object);
    }

    /// What was found so far.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// The last changes, one a line.
    pub(crate) fn last(&self) -> String {
        self.lock().last.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Fails if anything was found.
    pub(crate) fn check(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "{violations:#?}\n{}", self.last());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn see(&mut self, path: &str, object: Option<&Value>) {
        if !path.contains("/services/") {
            return;
        }
        let now = Instant::now();
        let at = now.duration_since(*self.start.get_or_insert(now));
        let before = self.services.get(path).cloned().unwrap_or_default();
        let after = object.cloned().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let (had, has) = (shown(&before), shown(&after));
        let epoch = annotation(&after, names::EPOCH).unwrap_or("-");
        let line = format!(
            "{at:?} {:?}: {name} v{} {} {had:?} -> {has:?} asks {:?} epoch {epoch}",
            self.who,
            after["metadata"]["resourceVersion"],
            after["spec"]["type"],
            annotation(&after, ASKED),
        );
        self.last.push_back(line.clone());
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
        if self.who == Who::User {
            let wished = self.wished.entry(path.to_owned()).or_default();
            wished.extend(asked_for(&after));
            let shares = annotation(&after, names::ALLOW_SHARED_IP).is_some();
            let other_ports = before["spec"]["ports"] != after["spec"]["ports"];
            if TERMS
                .iter()
                .any(|name| annotation(&before, name) != annotation(&after, name))
                || (shares && other_ports)
            {
                self.loose.insert(path.to_owned());
                // Pools and reservations are told by watches of their own: what it gets first may be by their old form.
                if self.changed.is_some_and(|at| now - at < LAG) {
                    self.concerned.entry(path.to_owned()).or_insert(1);
                }
                let sharers = had.iter().filter_map(|address| self.holders.get(address));
                let sharers = sharers.flatten().filter(|sharer| *sharer != path);
                let sharers = sharers.map(|sharer| (sharer.clone(), EXCUSED));
                self.concerned.extend(sharers);
            }
        }
        for address in had.iter().filter(|address| !has.contains(address)) {
            if self.who == Who::Controller && !self.may_lose(path, &after, *address) {
                self.violations
                    .push(format!("{address} was taken away unasked: {line}"));
            }
            self.foreign.remove(&(path.to_owned(), *address));
            if let Some(holders) = self.holders.get_mut(address) {
                holders.remove(path);
            }
        }
        for address in has.iter().filter(|address| !had.contains(address)) {
            if self.who == Who::Rival {
                self.foreign.insert((path.to_owned(), *address));
            } else if let Some(other) = self.other_holder(path, &after, *address) {
                self.violations
                    .push(format!("{address} is held by {other} already: {line}"));
            }
            self.holders.entry(*address).or_default().insert(path.to_owned());
        }
        if object.is_none() || (self.who == Who::Controller && had != has) {
            // It may have got what it can have until what it asks for comes free.
            self.wished
                .insert(path.to_owned(), asked_for(&after).into_iter().collect());
            self.loose.remove(path);
        }
        if object.is_none() {
            self.concerned.remove(path);
        } else if self.who == Who::Controller && had.iter().any(|address| !has.contains(address)) {
            self.concerned
                .entry(path.to_owned())
                .and_modify(|left| *left -= 1);
            self.concerned.retain(|_, left| *left > 0);
        }
        match object {
            Some(object) => self.services.insert(path.to_owned(), object.clone()),
            None => self.services.remove(path),
        };
    }

    fn other_holder(&self, path: &str, service: &Value, address: IpAddr) -> Option<&String> {
        let holders = self.holders.get(&address)?;
        // Who shares an address may be joined by another one in the instant in which it stops to: nobody can know.
        holders.iter().find(|other| {
            *other != path
                && !self.loose.contains(*other)
                && !self.foreign.contains(&((*other).clone(), address))
                && !may_share(service, &self.services[*other])
        })
    }

    /// Whether the user's word takes this address from the Service as it is now.
    fn may_lose(&self, path: &str, service: &Value, address: IpAddr) -> bool {
        let asks = asked_for(service);
        let asks_for_others = !asks.is_empty() && !asks.contains(&address);
        let has = shown(service);
        let wished = self.wished.get(path);
        let has_wished =
            !has.is_empty() && wished.is_some_and(|wished| has.iter().all(|has| wished.contains(has)));
        let ips = service["spec"]["clusterIPs"].as_array().into_iter().flatten();
        let mut ips = ips.filter_map(|ip| ip.as_str()?.parse::<IpAddr>().ok());
        let other_family = !ips.any(|ip| ip.is_ipv4() == address.is_ipv4());
        !is_load_balancer(service)
            || asks_for_others
            || has_wished
            || other_family
            || self.loose.contains(path)
            || self.concerned.contains_key(path)
            || self
                .foreign
                .iter()
                .any(|(by, foreign)| by == path || *foreign == address)
    }
}

fn asked_for(service: &Value) -> Vec<IpAddr> {
    let list = annotation(service, ASKED).unwrap_or_default().split(',');
    list.filter_map(|text| text.trim().parse().ok()).collect()
}

/// Equal keys, and no port twice.
fn may_share(one: &Value, other: &Value) -> bool {
    let key = |service| annotation(service, "metallb.io/allow-shared-ip").filter(|key| !key.is_empty());
    let ports = |service: &Value| -> BTreeSet<(String, u64)> {
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        ports
            .map(|port| {
                let protocol = port["protocol"].as_str().unwrap_or("TCP");
                (protocol.to_owned(), port["port"].as_u64().unwrap_or_default())
            })
            .collect()
    };
    key(one).is_some() && key(one) == key(other) && ports(one).is_disjoint(&ports(other))
}
