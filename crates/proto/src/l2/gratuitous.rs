//! The frames that nobody has asked for: what they are, the rhythm of a take-over, and the refresh after it.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::arp;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::ndp::Advertisement;

use super::gateway::Lesson;
use super::pace::Task;
use super::{Key, Name, Output, Purpose, Responder};

/// When the segment is told again, counted from the first frame: three rounds within 300 ms, because one frame is
/// easily lost while switches learn, then one a second.
pub const ROUNDS: [Duration; 7] = [
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(5),
];

/// Another node of the cluster has said that it has a served address, or may have where nobody here could hear it: that node
/// has so long to yield, then the segment is told again. Of the two the one that serves it still is right.
pub const REPEAT: Duration = Duration::from_millis(500);

/// How an address is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) name: Name,
    /// When it began to be.
    pub(super) since: Instant,
    /// When the segment was told first, if it was; never, while it is served in another's name.
    pub(super) told: Option<Instant>,
    /// Whether the gateway has learned of it.
    pub(super) lesson: Lesson,
    /// When it was last defended against somebody else's claim.
    pub(super) defended: Option<Instant>,
}

impl Responder {
    /// Serves the address from `now` on, in place of what was before: the first frame is due, or none at all in
    /// another's name.
    pub(super) fn begin(&mut self, now: Instant, (address, index): Key, name: Name) {
        let served = Served {
            name,
            since: now,
            told: None,
            lesson: Lesson::NotAsked,
            defended: None,
        };
        self.served.insert((address, index), served);
        let lines = self.lines.entry(index).or_default();
        lines.disarm(address);
        if name.is_own() {
            lines.arm(now, address, Task::First);
        }
    }

    /// Sends what is due, as far as the turns allow.
    pub(super) fn send_due(&mut self, now: Instant) {
        let indexes: Vec<u32> = self.lines.keys().copied().collect();
        for index in indexes {
            while let Some((address, task)) = self.lines.get_mut(&index).and_then(|lines| lines.pop(now)) {
                self.send_one(now, (address, index), task);
            }
        }
    }

    fn send_one(&mut self, now: Instant, key: Key, task: Task) {
        match task {
            Task::First => {
                self.tell(key, 0..1, Purpose::First);
                self.told_first(now, key);
                self.arm_round(now, key);
            }
            Task::Question => self.send_question(now, key),
            Task::Probe => self.ask_gateway(now, key),
            Task::Defend => self.tell(key, 0..1, Purpose::Defence),
            Task::Reply => self.tell(key, 1..2, Purpose::Gratuitous),
            Task::Again => {
                self.tell(key, 0..2, Purpose::Gratuitous);
                let served = self.served.get_mut(&key).expect("it was told of");
                served.told = Some(now);
                self.arm_round(now, key);
            }
            Task::Round => {
                self.tell(key, 0..2, Purpose::Gratuitous);
                self.arm_round(now, key);
            }
        }
    }

    /// What follows the first frame at once, in the order of the take-overs, before anything is repeated.
    fn told_first(&mut self, now: Instant, key: Key) {
        let (address, index) = key;
        let served = self.served.get_mut(&key).expect("it was told of");
        served.told = Some(now);
        let since = served.since;
        self.begin_lesson(since, key);
        if address.is_ipv4() {
            let lines = self.lines.entry(index).or_default();
            lines.arm(since, address, Task::Reply);
        }
    }

    fn arm_round(&mut self, now: Instant, (address, index): Key) {
        let told = self.served.get(&(address, index)).and_then(|served| served.told);
        let rounds = told.into_iter().flat_map(|told| ROUNDS.map(|round| told + round));
        let round = rounds.into_iter().find(|at| *at > now);
        if let Some(next) = round.or_else(|| Some(refresh(now, address, self.refresh?))) {
            let lines = self.lines.entry(index).or_default();
            lines.arm(next, address, Task::Round);
        }
    }

    /// Has the segment told [in a while](REPEAT) again of what it was told of: nothing is in another node's name.
    pub(super) fn repeat(&mut self, now: Instant, key: Key) {
        let (address, index) = key;
        if self.served.get(&key).is_some_and(|served| served.told.is_some()) {
            let lines = self.lines.entry(index).or_default();
            lines.arm(now + REPEAT, address, Task::Again);
        }
    }

    /// Begins anew for what is served on this interface by this protocol.
    pub(super) fn tell_anew(&mut self, now: Instant, interface: u32, protocol: EtherType) {
        let anew =
            |(address, index): &Key| *index == interface && address.is_ipv4() == (protocol == EtherType::Arp);
        let served = self.served.iter().filter(|(key, _)| anew(key));
        let served: Vec<_> = served.map(|(key, served)| (*key, served.name)).collect();
        for (key, name) in served {
            self.begin(now, key, name);
        }
        self.send_due(now);
    }

    /// Queues the gratuitous frames for one served address: both forms, or one of them.
    fn tell(&mut self, (address, index): Key, forms: Range<usize>, purpose: Purpose) {
        let interface = &self.interfaces[&index];
        let (protocol, frames) = match (address, interface.ndp) {
            (IpAddr::V4(address), _) => (
                EtherType::Arp,
                arp::Repr::gratuitous(interface.mac, address)
                    .map(|packet| packet.emit())
                    .to_vec(),
            ),
            (IpAddr::V6(address), Some(source)) => (
                EtherType::Ipv6,
                vec![Advertisement::unsolicited(interface.mac, source, address).emit()],
            ),
            (IpAddr::V6(_), None) => unreachable!("an address is served only where its family is carried"),
        };
        let frames = frames.into_iter().skip(forms.start).take(forms.len());
        self.outputs.extend(frames.map(|frame| Output::Send {
            interface: index,
            protocol,
            address,
            purpose,
            frame,
        }));
    }
}

/// The next time after `now` at which the segment is told of this address again. Each address has its own moment in
/// the interval, so that many that were taken over at once do not come in one burst ever after.
fn refresh(now: Instant, address: IpAddr, interval: Duration) -> Instant {
    let number = match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => {
            let number = u128::from(address);
            number as u64 ^ (number >> 64) as u64
        }
    };
    // Fibonacci hashing: neighbours, which a pool's addresses mostly are, come to lie far apart and evenly.
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    let moment = ((u128::from(hash) * u128::from(interval)) >> 64) as u64;
    let into = (u128::from(now.0) + u128::from(interval - moment)) % u128::from(interval);
    now + Duration::from_nanos(interval - into as u64)
}
