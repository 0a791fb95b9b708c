//! Candidates with clocks of their own against one simulated Lease: whatever the network does, two never hold it at
//! the same moment, and nobody holds it between two moments of one term.

use std::{collections::VecDeque, time::Duration};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use proptest::{collection::vec, prelude::*};
use tokio::time::Instant;

use crate::lease::{Action, LeaseState, Timing};

/// The true time between two steps of the simulation.
const STEP: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Server {
    version: u64,
    lease: Option<LeaseSpec>,
    /// Every term that the Lease has named, by holder and transitions, in the order of its writes.
    terms: Vec<(Option<String>, Option<i32>)>,
}

impl Server {
    /// `None` for a conflict.
    fn write(&mut self, expected: Option<&str>, spec: LeaseSpec) -> Option<(String, LeaseSpec)> {
        let current = self.lease.as_ref().map(|_| self.version.to_string());
        if current.as_deref() != expected {
            return None;
        }
        self.version += 1;
        let term = (spec.holder_identity.clone(), spec.lease_transitions);
        if self.terms.last() != Some(&term) {
            self.terms.push(term);
        }
        self.lease = Some(spec);
        self.get()
    }

    fn get(&self) -> Option<(String, LeaseSpec)> {
        self.lease.clone().map(|spec| (self.version.to_string(), spec))
    }
}

/// What the network does with one request.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Steps until the request is at the server, or `None` if it never gets there.
    there: Option<u8>,
    /// Steps until the answer is back, or `None` if it is lost.
    back: Option<u8>,
}

struct Request {
    action: Action,
    sent: Instant,
    give_up: Instant,
    arrives: Option<usize>,
    back: Option<u8>,
    /// The step in which the answer is back, and the answer.
    answer: Option<(usize, Answer)>,
}

enum Answer {
    Read(Option<(String, LeaseSpec)>),
    Written(Option<(String, LeaseSpec)>),
}

struct Node {
    name: String,
    state: LeaseState,
    /// This clock's rate, and the process's beginning on it.
    rate: f64,
    offset: Duration,
    request: Option<Request>,
    /// What the watch will tell, and in which step at the earliest.
    sightings: VecDeque<(usize, Option<(String, LeaseSpec)>)>,
    /// Steps for which the process is stopped.
    frozen: usize,
}

impl Node {
    fn now(&self, epoch: Instant, step: usize) -> Instant {
        epoch + self.offset + (STEP * u32::try_from(step).unwrap()).mul_f64(self.rate)
    }

    /// What the process's task does in one step.
    fn run(&mut self, now: Instant, step: usize, weather: Weather) {
        if let Some(request) = &mut self.request {
            let back = matches!(request.answer, Some((at, _)) if at <= step);
            if now >= request.give_up {
                self.state.failed(request.sent);
            } else if back {
                match request.answer.take().unwrap().1 {
                    Answer::Read(lease) => self.state.read(now, lease),
                    Answer::Written(Some((version, spec))) => {
                        self.state.written(request.sent, now, version, spec);
                    }
                    Answer::Written(None) => self.state.conflict(now),
                }
            } else {
                return;
            }
            self.request = None;
        }
        while let Some((_, lease)) = self.sightings.pop_front_if(|(at, _)| *at <= step) {
            self.state.told(now, lease);
        }
        let action = self.state.poll(now);
        if matches!(action, Action::Wait(_)) {
            return;
        }
        let give_up = self.state.give_up(now, &action);
        let arrives = weather.there.map(|steps| step + 1 + usize::from(steps));
        // The spec differs with every renewal, as `renewTime` makes it do.
        let action = match action {
            Action::Create(spec) => Action::Create(stamped(spec, step)),
            Action::Update {
                resource_version,
                spec,
            } => Action::Update {
                resource_version,
                spec: stamped(spec, step),
            },
            other => other,
        };
        self.request = Some(Request {
            action,
            sent: now,
            give_up,
            arrives,
            back: weather.back,
            answer: None,
        });
    }
}

fn stamped(spec: LeaseSpec, step: usize) -> LeaseSpec {
    LeaseSpec {
        preferred_holder: Some(step.to_string()),
        ..spec
    }
}

/// Requests that their sender has given up on, or whose sender is dead, still arrive.
fn deliver(server: &mut Server, request: &mut Request, step: usize) {
    if request.arrives != Some(step) {
        return;
    }
    let answer = match &request.action {
        Action::Read => Answer::Read(server.get()),
        Action::Create(spec) => Answer::Written(server.write(None, spec.clone())),
        Action::Update {
            resource_version,
            spec,
        } => Answer::Written(server.write(Some(resource_version), spec.clone())),
        Action::Wait(_) => unreachable!("waiting is no request"),
    };
    request.answer = request.back.map(|steps| (step + 1 + usize::from(steps), answer));
}

#[derive(Clone, Copy, Debug)]
enum Blow {
    Nothing,
    /// The process is stopped for so many steps, and continues as if nothing had been.
    Freeze(u8),
    /// The process dies and starts anew, under its old name.
    Crash,
    /// The process gives the Lease up and stands again.
    Release,
}

fn weather() -> impl Strategy<Value = Weather> {
    // Also about as long as a claim holds (35 steps): many a renewal is late, yet succeeds.
    let delay = || {
        prop_oneof![
            7 => (0..3_u8).prop_map(Some),
            2 => (10..30_u8).prop_map(Some),
            2 => (0..120_u8).prop_map(Some),
            2 => Just(None),
        ]
    };
    (delay(), delay()).prop_map(|(there, back)| Weather { there, back })
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        60 => Just(Blow::Nothing),
        2 => (1..=250_u8).prop_map(Blow::Freeze),
        1 => Just(Blow::Crash),
        1 => Just(Blow::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Clocks start anywhere and run up to 15 % fast or slow: 3.5 s on the slowest are fewer than 5 s on the fastest.
    #[test]
    fn two_never_hold_the_lease(
        clocks in vec((0.85..1.15_f64, 0..1_000_000_u64), 2..4),
        weathers in vec(weather(), 64),
        blows in vec((blow(), 0..3_usize), 150),
    ) {
        let epoch = Instant::now();
        let mut server = Server::default();
        let mut adrift = Vec::<Request>::new();
        let mut watched = 0;
        let mut held_before = vec![None; clocks.len()];
        let mut terms = Vec::new();
        // Who has held the Lease in which term, one entry for each time without anybody else in between.
        let mut reigns = Vec::new();
        let mut nodes: Vec<Node> = clocks.iter().enumerate().map(|(number, &(rate, offset))| {
            let name = format!("node-{number}");
            let state = LeaseState::new(&name, Timing::default());
            Node { name, state, rate, offset: Duration::from_secs(offset), request: None, sightings: VecDeque::new(), frozen: 0 }
        }).collect();
        for step in 0..1500 {
            let number = step % nodes.len();
            if step % 10 == 0 {
                let (blow, whom) = blows[step / 10];
                let whom = whom % nodes.len();
                let node = &mut nodes[whom];
                match blow {
                    Blow::Nothing => {}
                    Blow::Freeze(steps) => node.frozen = usize::from(steps),
                    Blow::Crash => {
                        adrift.extend(node.request.take());
                        node.state = LeaseState::new(&node.name, Timing::default());
                        node.frozen = 0;
                    }
                    // The task sees a shutdown only between two requests.
                    Blow::Release if node.frozen == 0 && node.request.is_none() => {
                        if let Some(Action::Update { resource_version, spec }) = node.state.release() {
                            server.write(Some(&resource_version), spec);
                        }
                        node.state = LeaseState::new(&node.name, Timing::default());
                    }
                    Blow::Release => {}
                }
            }
            for request in adrift.iter_mut().chain(nodes.iter_mut().filter_map(|node| node.request.as_mut())) {
                deliver(&mut server, request, step);
            }
            if std::mem::replace(&mut watched, server.version) != server.version {
                for (index, node) in nodes.iter_mut().enumerate() {
                    // A break of the watch, or a lag.
                    let lag = weathers[(step + index * 11) % weathers.len()].there;
                    node.sightings.extend(lag.map(|lag| (step + usize::from(lag), server.get())));
                }
            }
            for (index, node) in nodes.iter_mut().enumerate() {
                if node.frozen > 0 {
                    node.frozen -= 1;
                    continue;
                }
                let now = node.now(epoch, step);
                if node.request.as_ref().is_some_and(|request| now >= request.give_up && request.answer.is_none()) {
                    // Given up, yet still on its way.
                    let request = node.request.as_ref().unwrap();
                    adrift.push(Request { action: request.action.clone(), answer: None, ..*request });
                }
                node.run(now, step, weathers[(step + index * 7 + number) % weathers.len()]);
            }
            let holding: Vec<_> = nodes.iter().filter(|node| node.state.claim().holds(node.now(epoch, step))).collect();
            prop_assert!(holding.len() <= 1, "step {step}: {:?}", holding.iter().map(|node| &node.name).collect::<Vec<_>>());
            if let [node] = holding[..] {
                let reign = (node.name.clone(), node.state.claim().transitions);
                if reigns.last() != Some(&reign) {
                    prop_assert!(!reigns.contains(&reign), "{reign:?} goes on after another: {reigns:?}");
                    reigns.push(reign);
                }
            }
            for (node, before) in nodes.iter().zip(&mut held_before) {
                let claim = node.state.claim();
                let term = claim.held.then_some(claim.transitions);
                if term != *before && let Some(term) = term {
                    prop_assert!(terms.last().is_none_or(|&last| last < term), "{} repeats term {term}: {terms:?}", node.name);
                    terms.push(term);
                }
                *before = term;
            }
        }
        for (index, term) in server.terms.iter().enumerate() {
            prop_assert!(!server.terms[..index].contains(term), "{term:?} comes back: {:?}", server.terms);
        }
        // Calm weather: somebody leads in the end.
        let calm = Weather { there: Some(0), back: Some(0) };
        let led = (1500..2500).any(|step| {
            for request in adrift.iter_mut().chain(nodes.iter_mut().filter_map(|node| node.request.as_mut())) {
                deliver(&mut server, request, step);
            }
            for node in &mut nodes {
                let now = node.now(epoch, step);
                node.run(now, step, calm);
            }
            step > 2000 && nodes.iter().filter(|node| node.state.claim().holds(node.now(epoch, step))).count() == 1
        });
        prop_assert!(led, "nobody leads");
    }
}
