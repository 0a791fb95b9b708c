//! What the nodes think: for the log, and compared when all is calm.

use super::{World, address};
use crate::observer::Kind;

impl World {
    /// Notes what has changed in what a node thinks.
    pub(super) fn opinions(&mut self, node: usize) {
        let ids = &self.ids;
        let name = |id| {
            ids.get(&id)
                .map_or_else(|| "?".to_owned(), |index| format!("n{index}"))
        };
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let mut members: Vec<_> = process.cluster.members().copied().collect();
        members.sort_unstable();
        for member in &members {
            if !process.members.contains(member) {
                let (born, incarnation) = (member.life.born, member.life.incarnation);
                let text = format!("{:?} (born {born}, incarnation {incarnation})", member.phase);
                self.log.opinion(self.now, None, node, name(member.id), text);
            }
        }
        process.members = members;
        if let Some(group) = self.log.about {
            let record = process.cluster.record(address(group));
            let text = record.map_or_else(
                || "no record".to_owned(),
                |record| {
                    let standbys = record
                        .standbys
                        .map(|one| one.map_or_else(|| "-".to_owned(), name));
                    format!(
                        "{:?} {}.{} owner {} from {} then {}",
                        record.backing,
                        record.epoch,
                        record.revision,
                        name(record.owner),
                        record.from.map_or_else(|| "-".to_owned(), name),
                        standbys.join(" "),
                    )
                },
            );
            let about = format!("group {group}");
            self.log.opinion(self.now, Some(group), node, about, text);
        }
    }

    /// All is calm: everybody has the same record of a group, and it names the one that answers.
    pub(crate) fn all_agree(&mut self) {
        for group in 0..self.observer.groups() {
            let Some(owner) = self.observer.owner(group) else {
                let answerers = self.observer.answerers(group);
                if answerers.len() > 1 {
                    let text = format!("{answerers:?} answer when all is over");
                    self.observer.blame(Kind::Two, self.now, Some(group), text);
                }
                continue;
            };
            for node in 0..self.nodes.len() {
                let Some(process) = self.nodes[node].running() else {
                    continue;
                };
                let record = process.cluster.record(address(group));
                let says = record.and_then(|record| self.ids.get(&record.owner)).copied();
                if says != Some(owner) {
                    let says = says.map_or_else(|| "nobody".to_owned(), |node| format!("n{node}"));
                    let text = format!("n{owner} answers, and n{node} thinks that {says} does");
                    self.observer.blame(Kind::Disagree, self.now, Some(group), text);
                }
            }
        }
    }
}
