//! What the log and the metrics say of the other speakers.

use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{NodeId, Phase, Why};

use super::{Action, Ownership};
use crate::l2::hearing::Hearing;
use crate::l2::view::View;

impl Ownership {
    /// A member is in another phase than before.
    pub(super) fn tell_phase(&mut self, id: NodeId, before: Option<Phase>, after: Phase, why: Why) {
        if why == Why::NotForwarding {
            tracing::warn!(
                node = self.name_of(id),
                "the node takes addresses although it may not forward what comes in: for 30 s its condition Ready was not seen True, \
                 or kube-proxy did not answer http://127.0.0.1:10256/healthz with 200. Look at the node's conditions \
                 (kubectl describe node), and at kube-proxy's log there"
            );
        }
        let (why, by) = why.told();
        let node = self.name_of(id);
        let by = by.map_or("", |id| self.name_of(id));
        let before = before.map_or("Unknown", name);
        let after = name(after);
        tracing::info!(node, before, after, why, by, "speaker is in another phase");
        if id != self.me {
            self.actions.push_back(Action::Phase(after));
        }
    }

    /// A datagram of another speaker has come.
    pub(super) fn hear(&mut self, now: Instant) {
        if self.heard.hear(now) == Some(Hearing::Back) {
            tracing::info!("another speaker is heard again");
        }
    }

    /// Looks whether any speaker is heard that should be there.
    pub(super) fn listen(&mut self, now: Instant) {
        let others = self.plan.speakers.iter().filter(|(id, _)| **id != self.me);
        let others = others.filter(|(_, speaker)| !speaker.addresses.is_empty());
        let nodes: Vec<&str> = others.map(|(_, speaker)| speaker.node.as_str()).collect();
        if self.heard.look(now, !nodes.is_empty()) == Some(Hearing::Lost) {
            tracing::warn!(
                nodes = nodes.join(", "),
                "no other speaker was heard for 10 s, although their pods are there: is their UDP port (--ml-bindport, \
                 7946 by default) blocked between nodes? While it is, nothing fails over"
            );
        }
        self.missing.look(now, self.cluster.unheard(now));
    }

    /// How this node sees the others, and what they know of its interfaces.
    pub(in crate::l2) fn view(&self) -> View {
        let missing = self.missing.ids().filter_map(|id| self.plan.speakers.get(&id));
        let missing = missing.filter(|speaker| !speaker.addresses.is_empty());
        let attachment = self.cluster.attachment(self.me);
        View {
            unheard: self.heard.is_lost(),
            missing: missing.map(|speaker| speaker.node.clone()).collect(),
            attached: attachment.map(|attachment| attachment.interfaces.clone()),
        }
    }
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Joining => "Joining",
        Phase::Up => "Up",
        Phase::Draining => "Draining",
        Phase::Away => "Away",
        Phase::Dead => "Dead",
    }
}
