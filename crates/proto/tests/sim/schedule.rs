//! What happens in a run, all of it from one number.

use crate::dice::{Dice, MILLISECOND, SECOND};
use crate::fault::{Fault, Wanted};

/// Until then nothing goes wrong: a cluster that begins takes its time.
pub(crate) const SETTLED: u64 = 5 * SECOND;

/// So long after the last fault all is right again.
pub(crate) const HEALING: u64 = SECOND;

#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) from: u64,
    /// None: for ever, or something that is done at once.
    pub(crate) to: Option<u64>,
    pub(crate) fault: Fault,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    /// When each node of the beginning starts.
    pub(crate) starts: Vec<u64>,
    /// How many come later.
    pub(crate) joining: usize,
    /// The groups of the beginning.
    pub(crate) groups: Vec<Wanted>,
    /// So many datagrams of a thousand are lost, whatever else happens.
    pub(crate) loss: u64,
    /// Whether speakers answer in the name of others.
    pub(crate) stands_in: bool,
    pub(crate) episodes: Vec<Episode>,
    /// Until then nothing is expected of anybody: what happens together hides one thing from those who would have to act.
    pub(crate) hushed: u64,
    pub(crate) end: u64,
}

/// All of so many nodes, none preferred.
pub(crate) fn all(nodes: usize) -> Wanted {
    (0..nodes).map(|node| (node, 0)).collect()
}

impl Schedule {
    /// Nodes that start at the same time, groups that all can answer for, and nothing goes wrong.
    pub(crate) fn calm(seed: u64, nodes: usize, groups: usize) -> Self {
        Self {
            seed,
            starts: vec![0; nodes],
            joining: 0,
            groups: vec![all(nodes); groups],
            loss: 0,
            stands_in: true,
            episodes: Vec::new(),
            hushed: 0,
            end: SETTLED,
        }
    }

    /// The same with something that goes wrong, and time to heal.
    pub(crate) fn with(mut self, from: u64, lasting: Option<u64>, fault: Fault) -> Self {
        let to = lasting.map(|lasting| from + lasting);
        self.joining += usize::from(matches!(fault, Fault::Join(_)));
        self.end = self.end.max(to.unwrap_or(from) + HEALING + 4 * SECOND);
        self.episodes.push(Episode { from, to, fault });
        self
    }

    /// One to four things go wrong, one after the other or at once; then three seconds without.
    pub(crate) fn random(seed: u64, nodes: (usize, usize), groups: (usize, usize)) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let nodes = dice.index(nodes.0, nodes.1);
        let mut most = groups.1;
        if dice.one_in(2) {
            most = groups.0.midpoint(groups.0.max(groups.1 / 4));
        }
        let count = dice.index(groups.0, most.max(groups.0));
        let mut schedule = Self::calm(seed, nodes, count);
        if dice.one_in(2) {
            schedule.starts = (0..nodes).map(|_| dice.between(0, SECOND)).collect();
        }
        schedule.loss = if dice.one_in(3) { dice.between(1, 20) } else { 0 };
        for group in &mut schedule.groups {
            *group = wanted(&mut dice, nodes);
        }
        // Each node's process or kernel goes wrong once at most: what it is doing otherwise nobody could tell.
        let mut untouched = dice.some(&(0..nodes).collect::<Vec<_>>(), nodes);
        let mut at = SETTLED;
        for _ in 0..dice.between(1, 4) {
            let (fault, lasting) = fault(&mut dice, &schedule, &mut untouched);
            let from = at;
            at = if dice.one_in(3) {
                from + dice.between(0, lasting.unwrap_or(SECOND))
            } else {
                from + lasting.unwrap_or(0) + dice.between(2_600 * MILLISECOND, 4 * SECOND)
            };
            let hopeless = schedule.episodes.iter().any(|episode| {
                let meets = episode.to.is_none_or(|to| from < to);
                meets && (hides(&episode.fault, &fault) || hides(&fault, &episode.fault))
            });
            if !hopeless {
                schedule = schedule.with(from, lasting, fault);
            }
        }
        schedule
    }
}

/// Whether nobody could learn of `other` in time because of `fault`: where no datagram arrives, or one node hears none, a
/// node that begins cannot tell whether it is alone, and who stands by cannot know that the owner is gone, be it dead or
/// beyond a partition. And a new group that is made while nodes are stopped may wait for two of them, one after the other.
/// Module `silenced` plays these pairs.
fn hides(fault: &Fault, other: &Fault) -> bool {
    let begins_or_ends =
        other.node().is_some() || matches!(other, Fault::Create { .. } | Fault::Unplugged(_));
    let is_cut_off = matches!((fault, other), (Fault::Blocked, Fault::Partition { .. }));
    let silences = matches!(
        fault,
        Fault::Blocked | Fault::Deaf(_) | Fault::Mute(_) | Fault::Apart(_)
    );
    let is_stopped = matches!(fault, Fault::Pause(_));
    (silences && begins_or_ends) || is_cut_off || (is_stopped && matches!(other, Fault::Create { .. }))
}

/// Mostly all nodes, sometimes some of them, seldom with preferences.
fn wanted(dice: &mut Dice, nodes: usize) -> Wanted {
    let everybody: Vec<usize> = (0..nodes).collect();
    let count = if dice.one_in(5) {
        dice.index(1, nodes)
    } else {
        nodes
    };
    let chosen = dice.some(&everybody, count);
    let preferring = dice.one_in(12);
    let weight = |dice: &mut Dice| {
        let best = if preferring { 2 } else { 0 };
        i64::try_from(dice.between(0, best)).unwrap()
    };
    chosen.into_iter().map(|node| (node, weight(dice))).collect()
}

/// Most faults are short, some last.
const fn lasting(dice: &mut Dice) -> u64 {
    match dice.number() % 8 {
        0 => dice.between(50 * MILLISECOND, 500 * MILLISECOND),
        1 => dice.between(4 * SECOND, 11 * SECOND),
        _ => dice.between(500 * MILLISECOND, 4 * SECOND),
    }
}

/// Something that happens to one node, if `kind` is one of that.
fn node_fault(dice: &mut Dice, kind: u64, untouched: &mut Vec<usize>) -> Option<(Fault, Option<u64>)> {
    if kind >= 9 {
        return None;
    }
    let node = untouched.pop()?;
    let lasting = lasting(dice);
    let snapshot = dice.one_in(2);
    let set_back = dice.one_in(5);
    let for_ever = dice.one_in(5);
    Some(match kind {
        0 | 1 => (Fault::Pause(node), Some(lasting)),
        2..5 => {
            let kill = Fault::Kill {
                node,
                snapshot,
                set_back,
            };
            (kill, Some(lasting.max(200 * MILLISECOND)))
        }
        5 | 6 => {
            let lasting = dice.between(800 * MILLISECOND, 5_300 * MILLISECOND);
            (Fault::Restart { node, snapshot }, Some(lasting))
        }
        _ => {
            let lasting = (!for_ever).then_some(lasting.max(2 * SECOND));
            (Fault::Power { node, snapshot }, lasting)
        }
    })
}

fn fault(dice: &mut Dice, schedule: &Schedule, untouched: &mut Vec<usize>) -> (Fault, Option<u64>) {
    let nodes = schedule.starts.len();
    let any = |dice: &mut Dice| dice.index(0, nodes - 1);
    let kind = dice.between(0, 19);
    if let Some(fault) = node_fault(dice, kind, untouched) {
        return fault;
    }
    let lasting = lasting(dice);
    let fault = match kind {
        0..5 => {
            let everybody: Vec<usize> = (0..nodes).collect();
            let count = if dice.one_in(2) {
                1
            } else {
                dice.index(1, nodes - 1)
            };
            Fault::Partition {
                inside: dice.some(&everybody, count).into_iter().collect(),
                gateway_inside: dice.one_in(2),
            }
        }
        5..11 => {
            let node = any(dice);
            match dice.between(0, 6) {
                0 => Fault::Blocked,
                1 => Fault::Deaf(node),
                2 => Fault::Mute(node),
                3 => Fault::Apart(node),
                4 => Fault::OneWay {
                    from: node,
                    to: (node + 1) % nodes,
                },
                5 => Fault::Loss(dice.between(50, 500)),
                _ => Fault::Partition {
                    inside: [node].into(),
                    gateway_inside: false,
                },
            }
        }
        11 => Fault::Drain(any(dice)),
        12 => Fault::Unplugged(any(dice)),
        13 | 14 if !schedule.groups.is_empty() => {
            let group = dice.index(0, schedule.groups.len() - 1);
            let wanted = wanted(dice, nodes);
            return (Fault::Candidates { group, wanted }, None);
        }
        15 if !schedule.groups.is_empty() => {
            let group = dice.index(0, schedule.groups.len() - 1);
            return (Fault::Remove(group), None);
        }
        16 => return (Fault::Join(nodes + schedule.joining), None),
        _ => {
            let first = schedule.groups_ever();
            let count = if dice.one_in(2) { 1 } else { dice.index(2, 10) };
            let groups = (first..first + count).collect();
            let wanted = wanted(dice, nodes);
            return (Fault::Create { groups, wanted }, None);
        }
    };
    (fault, Some(lasting))
}

impl Schedule {
    /// How many groups there are in the whole run.
    pub(crate) fn groups_ever(&self) -> usize {
        let created = self.episodes.iter().map(|episode| match &episode.fault {
            Fault::Create { groups, .. } => groups.len(),
            _ => 0,
        });
        self.groups.len() + created.sum::<usize>()
    }

    /// How many nodes there are in the whole run.
    pub(crate) fn nodes_ever(&self) -> usize {
        self.starts.len() + self.joining
    }
}
