//! What is to happen, and how often.

use std::time::Duration;

use clap::ValueEnum as _;

use super::scene::VIPS;
use crate::bench::print;

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
    /// The thread of its speaker that answers is stopped for a while.
    Stuck,
    /// Its VIP segment loses its carrier; on a lab of its own, with two network cards a node.
    #[value(alias = "plug")]
    Unplug,
    /// Its only network card loses its carrier.
    UnplugOne,
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

/// How often a fault happens unless a user says it.
pub(super) const RUNS: u16 = 20;

/// What is measured.
pub(in crate::bench) struct Plan {
    /// Numbers of VIPs, one after the other on one lab; in order, and none twice.
    pub(in crate::bench) vips: Vec<usize>,
    /// How often each fault happens, if not as often as is usual for it.
    pub(in crate::bench) runs: Option<u16>,
    /// Whether everything happens, and every fault for each number of VIPs.
    pub(in crate::bench) all: bool,
    /// What happens, unless everything does.
    pub(in crate::bench) scenes: Vec<Act>,
    /// Whether faults happen once more while the API server is paused; as for `scenes`.
    pub(in crate::bench) paused: bool,
    /// For how long every core is kept busy; asking for it is choosing that scene.
    pub(in crate::bench) busy: Option<Duration>,
    /// How many frames of noise there are; as for `busy`.
    pub(in crate::bench) noise: Option<u64>,
}

impl Plan {
    pub(super) fn wants(&self, act: Act) -> bool {
        match act {
            _ if self.all => true,
            Act::Busy if self.busy.is_some() => true,
            Act::Noise if self.noise.is_some() => true,
            act => self.scenes.contains(&act),
        }
    }

    /// Whether it happens while the API server is paused, too.
    pub(super) fn wants_paused(&self, act: Act) -> bool {
        self.wants(act) && (self.paused || self.all)
    }

    /// The numbers of VIPs on which there is a [`Self::round`]: the last, unless everything is measured.
    pub(super) fn rounds(&self) -> &[usize] {
        let skipped = if self.all {
            0
        } else {
            self.vips.len().saturating_sub(1)
        };
        &self.vips[skipped..]
    }

    /// The runs of one fault on so many VIPs; `usual` ones, unless everything is measured.
    pub(super) fn round(&self, vips: usize, usual: u16) -> Round {
        if self.all {
            return self.counted(vips);
        }
        Round {
            vips: None,
            runs: self.runs.unwrap_or(usual),
        }
    }

    /// The runs of what happens on each number of VIPs in any case.
    pub(super) fn counted(&self, vips: usize) -> Round {
        Round {
            vips: Some(vips),
            runs: self.runs.unwrap_or(RUNS),
        }
    }

    /// Whether there is anything to do on the lab that most scenes share.
    pub(super) fn wants_segment(&self) -> bool {
        let elsewhere = [Act::Unplug, Act::Memory];
        let mut acts = Act::value_variants().iter();
        acts.any(|act| self.wants(*act) && !elsewhere.contains(act))
    }
}

/// The runs of one fault, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) runs: u16,
    /// The number of VIPs, where there is a round for each.
    vips: Option<usize>,
}

impl Round {
    /// The name of a figure: of what is measured with several numbers of VIPs it ends in the number.
    pub(super) fn name(self, figure: &str) -> String {
        match self.vips {
            Some(vips) => format!("l2.{figure}.{vips}"),
            None => format!("l2.{figure}"),
        }
    }

    pub(super) fn print(self, figure: &str, value: f64, unit: &str) {
        print(&self.name(figure), value, unit);
    }
}

/// Reads a number of VIPs: as many as the lab's segment has room for.
pub(in crate::bench) fn vips(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| format!("{text} is no number"))?;
    let fits = (1..=VIPS).contains(&number);
    fits.then_some(number)
        .ok_or_else(|| format!("from 1 to {VIPS}, not {number}"))
}

#[cfg(test)]
mod tests;
