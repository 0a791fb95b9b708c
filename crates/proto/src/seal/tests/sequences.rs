//! Three nodes, and a network that is in the hands of somebody who records everything and plays it to anybody.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const NODES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Op {
    /// A node seals a payload for another one; it is recorded, not delivered.
    Say(usize, usize),
    /// A recorded datagram, by its place from the end of the record, is brought to a node: late, again, or to somebody
    /// whom it was not for.
    Play(usize, usize),
    /// A node says something and this one hears it, with all answers that follow.
    Talk(usize, usize),
    Restart(usize),
    Rekey(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let node = || 0..NODES.len();
    prop_oneof![
        3 => (node(), node()).prop_map(|(from, to)| Op::Say(from, to)),
        12 => (prop_oneof![3 => 0..8_usize, 1 => 0..400_usize], node()).prop_map(|(at, to)| Op::Play(at, to)),
        8 => (node(), node()).prop_map(|(from, to)| Op::Talk(from, to)),
        1 => node().prop_map(Op::Restart),
        1 => (node(), 0..4_usize).prop_map(|(who, step)| Op::Rekey(who, step)),
    ]
}

struct World {
    speakers: Vec<Seal>,
    keys: [usize; 3],
    boots: u64,
    payloads: u64,
    record: Vec<Vec<u8>>,
    /// Which boot sealed a payload, and for which node.
    said: BTreeMap<Vec<u8>, (BootId, usize)>,
    /// The payloads that were taken.
    taken: BTreeSet<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        Self {
            speakers: (0..3).map(|node| speaker(NODES[node], node as u64)).collect(),
            keys: [0; 3],
            boots: 3,
            payloads: 0,
            record: Vec::new(),
            said: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    fn shared(step: usize) -> &'static [&'static [u8]] {
        [[OLD].as_slice(), &[OLD, NEW], &[NEW, OLD], &[NEW]][step]
    }

    fn say(&mut self, from: usize, to: usize) -> Vec<u8> {
        self.payloads += 1;
        let plain = self.payloads.to_be_bytes().to_vec();
        let sealed = self.speakers[from].seal(NodeId::of(NODES[to]), &plain).unwrap();
        self.said.insert(plain, (self.speakers[from].boot, to));
        self.record.push(sealed.clone());
        sealed
    }

    /// Brings a datagram to a node; the answer is recorded.
    fn play(&mut self, bytes: &[u8], to: usize) -> Opened {
        let opened = self.speakers[to].open(bytes);
        match &opened {
            Opened::Payload { boot, bytes } => {
                assert_eq!(self.said[bytes], (*boot, to));
                assert!(
                    self.taken.insert(bytes.clone()),
                    "{} took {bytes:?} again",
                    NODES[to]
                );
            }
            Opened::Reply { bytes, .. } => {
                assert!(bytes.len() <= 75);
                self.record.push(bytes.clone());
            }
            Opened::Nothing | Opened::Refused(_) => {}
        }
        opened
    }

    /// A payload, and all answers that it leads to. Whether the payload was taken.
    fn talk(&mut self, from: usize, to: usize) -> bool {
        let (mut bytes, mut at) = (self.say(from, to), to);
        for _ in 0..3 {
            match self.play(&bytes, at) {
                Opened::Reply { bytes: answer, .. } => {
                    bytes = answer;
                    at = if at == to { from } else { to };
                }
                opened => return matches!(opened, Opened::Payload { .. }),
            }
        }
        panic!("answers without end");
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Say(from, to) => drop(self.say(from, to)),
            Op::Play(back, to) => {
                if let Some(bytes) = self.record.iter().rev().nth(back).cloned() {
                    self.play(&bytes, to);
                }
            }
            Op::Talk(from, to) => drop(self.talk(from, to)),
            Op::Restart(node) => {
                self.speakers[node] = speaker_with(Self::shared(self.keys[node]), NODES[node], self.boots);
                self.boots += 1;
            }
            Op::Rekey(node, step) => {
                self.keys[node] = step;
                self.speakers[node].set_keys(keys(Self::shared(step)));
            }
        }
        for speaker in &self.speakers {
            assert!(speaker.sessions() <= 3 * MOST_PER_NODE);
        }
    }
}

proptest! {
    #[test]
    fn each_payload_is_taken_at_most_once_and_genuine_ones_get_through(
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
        }
        // From here on the network only delivers, and all have the same key.
        for node in 0..3 {
            world.run(&Op::Rekey(node, 0));
        }
        for (from, to) in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)] {
            let known = world.talk(from, to);
            prop_assert!(known || world.talk(from, to), "{} is not heard by {}", NODES[from], NODES[to]);
        }
        // And nothing of all that was ever said is taken again.
        for bytes in world.record.clone() {
            for node in 0..3 {
                world.play(&bytes, node);
            }
        }
    }
}
