//! The frames that nobody has asked for: when they are due, and how many go out together.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::arp;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::ndp::Advertisement;

use super::{Key, Output, Purpose, Responder};

/// The time between gratuitous frames.
pub const GRATUITOUS_EVERY: Duration = Duration::from_millis(1_100);
/// How long after the take-over they are repeated.
pub const GRATUITOUS_FOR: Duration = Duration::from_secs(5);

/// The most addresses told of within [`PACE`]; the others wait their turn, the longest due first.
///
/// A socket has room for 277 small frames (`net.core.wmem_default` of 212,992 bytes, 768 for each) and loses the rest,
/// of a thousand addresses the same ones each time. Two frames for each of 64 addresses are 128; 256 if one turn
/// follows on the other at once.
pub const AT_ONCE: usize = 64;
/// The time of one turn: 12,800 addresses a second, 17 Mbit/s of frames of the least length.
pub const PACE: Duration = Duration::from_millis(5);

/// How an address is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) mac: MacAddr,
    /// When the next gratuitous frames are due, if any are.
    pub(super) next: Option<Instant>,
    /// When the last ones are.
    until: Instant,
}

impl Served {
    /// Served from `now` on: the first frames are due.
    pub(super) fn begin(now: Instant, key: Key, mac: MacAddr, timers: &mut BTreeSet<(Instant, Key)>) -> Self {
        timers.insert((now, key));
        Self {
            mac,
            next: Some(now),
            until: now + GRATUITOUS_FOR,
        }
    }

    pub(super) fn disarm(&self, key: Key, timers: &mut BTreeSet<(Instant, Key)>) {
        if let Some(next) = self.next {
            timers.remove(&(next, key));
        }
    }
}

/// The turn that runs: its beginning, and the addresses told of since.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Instant,
    told: usize,
}

impl Pace {
    /// When the next address may be told of; in the past if at once.
    pub(super) fn ready(&self) -> Instant {
        if self.told < AT_ONCE {
            self.since
        } else {
            self.since + PACE
        }
    }

    /// Counts one address that is told of now; the time is not before [`ready`](Self::ready).
    fn count(&mut self, now: Instant) {
        if now - self.since >= PACE {
            *self = Self { since: now, told: 0 };
        }
        self.told += 1;
    }
}

impl Responder {
    /// Sends the gratuitous frames that are due, as far as their turn allows. After a pause the missed ones are not
    /// made up for.
    pub(super) fn send_due(&mut self, now: Instant) {
        while self.pace.ready() <= now
            && let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now)
        {
            self.timers.remove(&(at, key));
            let served = self
                .served
                .get_mut(&key)
                .expect("every timer is that of a served address");
            served.next = Some(now + GRATUITOUS_EVERY).filter(|next| *next <= served.until);
            self.timers.extend(served.next.map(|next| (next, key)));
            self.pace.count(now);
            self.tell(key);
        }
    }

    /// Begins anew for what is served on this interface by this protocol.
    pub(super) fn tell_anew(&mut self, now: Instant, interface: u32, protocol: EtherType) {
        for (&key, served) in &mut self.served {
            if key.1 == interface && key.0.is_ipv4() == (protocol == EtherType::Arp) {
                served.disarm(key, &mut self.timers);
                *served = Served::begin(now, key, served.mac, &mut self.timers);
            }
        }
        self.send_due(now);
    }

    /// Queues the gratuitous frames for one served address.
    fn tell(&mut self, (address, index): Key) {
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
        self.outputs.extend(frames.into_iter().map(|frame| Output::Send {
            interface: index,
            protocol,
            address,
            purpose: Purpose::Gratuitous,
            frame,
        }));
    }
}
