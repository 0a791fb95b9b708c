//! What is to happen, and how often.

use std::time::Duration;

use clap::ValueEnum as _;

use super::scene::VIPS;

/// Something that happens to an owner.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::bench) enum Act {
    /// It is cut off, and returns.
    #[value(alias = "heal")]
    Cut,
    /// It is to announce nothing any more.
    Drain,
    /// All speakers are replaced, one after the other.
    Stop,
    /// Its speaker is killed.
    Kill,
    /// Its speaker is stopped for a while.
    Freeze,
    /// Its VIP segment loses its carrier; on a lab of its own, with two network cards a node.
    #[value(alias = "plug")]
    Unplug,
    /// It has no speaker for a while.
    Join,
    /// All speakers are replaced while requests go through a VIP.
    Upgrade,
    /// It is asked beside thousands of requests for others.
    Arp,
    /// Its speaker is sent datagrams by somebody who has not the key.
    Forged,
    /// Its segment is flooded with what nobody should send.
    Noise,
    /// Every core is busy.
    Busy,
    /// There are 2,000 Services; on a lab of its own, with five nodes.
    Memory,
}

/// What is measured unless a user chooses: all that takes little time and no lab of its own.
pub(in crate::bench) const FAST: [Act; 9] = [
    Act::Cut,
    Act::Drain,
    Act::Stop,
    Act::Kill,
    Act::Freeze,
    Act::Join,
    Act::Upgrade,
    Act::Arp,
    Act::Forged,
];

/// What is measured.
pub(in crate::bench) struct Plan {
    /// Numbers of VIPs, one after the other on one lab.
    pub(in crate::bench) vips: Vec<usize>,
    /// How often the owner of a VIP is cut off, healed and drained, for each number of VIPs; and at most how often
    /// anything else happens.
    pub(in crate::bench) runs: u16,
    /// What happens.
    pub(in crate::bench) scenes: Vec<Act>,
    /// Whether faults happen once more while the API server is paused.
    pub(in crate::bench) paused: bool,
    /// For how long every core is kept busy; asking for it is choosing that scene.
    pub(in crate::bench) busy: Option<Duration>,
    /// How many frames of noise there are; as for `busy`.
    pub(in crate::bench) noise: Option<u64>,
}

impl Plan {
    pub(super) fn wants(&self, act: Act) -> bool {
        match act {
            Act::Busy if self.busy.is_some() => true,
            Act::Noise if self.noise.is_some() => true,
            act => self.scenes.contains(&act),
        }
    }

    /// Whether there is anything to do on the lab that most scenes share.
    pub(super) fn wants_segment(&self) -> bool {
        let elsewhere = [Act::Unplug, Act::Memory];
        let mut acts = Act::value_variants().iter();
        acts.any(|act| self.wants(*act) && !elsewhere.contains(act))
    }
}

/// Reads a number of VIPs: as many as the lab's segment has room for.
pub(in crate::bench) fn vips(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| format!("{text} is no number"))?;
    let fits = (1..=VIPS).contains(&number);
    fits.then_some(number)
        .ok_or_else(|| format!("from 1 to {VIPS}, not {number}"))
}
