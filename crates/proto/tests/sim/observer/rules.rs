//! What must hold for one group at one time.

use super::{HANDOVER, HANDOVER_WITH_FAULT, HANDOVER_WITH_LOSS, JOINING, Kind, Observer};

impl Observer {
    /// Looks at all groups: a fault began or ended, or is over for some time.
    pub(crate) fn look_at_all(&mut self, now: u64) {
        for group in 0..self.groups.len() {
            self.look(now, group);
        }
    }

    /// Looks at one group, of which something changed.
    pub(crate) fn look(&mut self, now: u64, group: usize) {
        let watched = &mut self.groups[group];
        let sides = &self.sides;
        let two = pairs(&watched.answering)
            .find(|((one, first), (other, second))| first != second && sides[*one] == sides[*other]);
        if two.is_none() {
            watched.two_since = None;
        }
        let handover = match (self.disturbed, self.lossy) {
            (true, _) => HANDOVER_WITH_FAULT,
            (false, true) => HANDOVER_WITH_LOSS,
            (false, false) => HANDOVER,
        };
        let own = watched.quiet_from.max(watched.strange_until);
        let from = self.quiet_from.max(self.hushed).max(own);
        let quiet = !watched.unheard && now >= from;
        if let Some(((one, _), (other, _))) = two {
            let since = *self.groups[group].two_since.get_or_insert(now);
            let stale = [one, other]
                .into_iter()
                .find(|node| self.nodes[*node].thawed_until > now);
            if let Some(node) = stale {
                let text = format!("n{node}, which was stopped, answers as well as n{one} or n{other}");
                self.blame(Kind::Stale, now, Some(group), text);
            }
            if quiet && !self.confused && now >= since + handover {
                let text = format!("n{one} and n{other} answer since {}", crate::log::shown(since));
                self.blame(Kind::Two, now, Some(group), text);
            } else {
                let again = from.max(since + handover);
                // What is looked at for another reason is looked at when that ends.
                if again > now {
                    self.again.push((again, group));
                }
            }
        }
        if quiet {
            self.somebody_answers(now, group);
            self.candidates_answer(now, group);
            if two.is_none() && !self.disturbed {
                self.settle(now, group);
            }
        }
    }

    /// On each side that has a node that could.
    fn somebody_answers(&mut self, now: u64, group: usize) {
        let watched = &self.groups[group];
        let Some(wanted) = &watched.wanted else { return };
        let missing = wanted.keys().find(|node| {
            let seen = &self.nodes[**node];
            let able = seen.running.is_some_and(|since| now >= since + JOINING);
            let mut answering = watched.answering.iter();
            able && seen.drained_until <= now
                && answering.all(|(other, _)| self.sides[*other] != self.sides[**node])
        });
        if let Some(node) = missing {
            let text = format!("n{node} could answer, and nobody does on its side");
            self.blame(Kind::Nobody, now, Some(group), text);
        }
    }

    /// And nobody else.
    fn candidates_answer(&mut self, now: u64, group: usize) {
        let watched = &self.groups[group];
        let is_candidate = |node: &usize| {
            watched
                .wanted
                .as_ref()
                .is_some_and(|wanted| wanted.contains_key(node))
        };
        let stranger = watched.answering.iter().find(|(node, _)| !is_candidate(node));
        if let Some((node, _)) = stranger {
            let text = format!("n{node} is no candidate and answers");
            self.blame(Kind::Ineligible, now, Some(group), text);
        }
    }

    /// All is calm: whoever answers now is the owner, with a cause if it was not before.
    fn settle(&mut self, now: u64, group: usize) {
        let watched = &mut self.groups[group];
        let &[(owner, since)] = &watched.addresses[..] else {
            return;
        };
        let before = watched.settled.replace(owner);
        let created = watched.created.take();
        if before == Some(owner) {
            return;
        }
        self.nodes[owner].owned += 1;
        let Some(before) = before else {
            let fresh = created.filter(|created| created.faults == self.faults);
            if let Some(created) = fresh {
                self.balanced(now, group, owner, &created);
            }
            return;
        };
        self.nodes[before].owned -= 1;
        let watched = &mut self.groups[group];
        let heir = watched.heir.replace(owner).unwrap_or(before);
        // Several may have taken it from the one before, of whom one is left.
        let mut owners = [heir, before].into_iter();
        let may_leave = owners.any(|owner| {
            let seen = &self.nodes[owner];
            watched.may_leave(owner, seen, since) || watched.may_leave(owner, seen, now)
        });
        if heir != owner && !may_leave {
            let since = crate::log::shown(since);
            let text = format!("n{heir} had it, and n{owner} has it since {since}");
            self.blame(Kind::Moved, now, Some(group), text);
        }
    }

    /// The owner of a new group had the fewest, of those who are preferred most and had not failed.
    fn balanced(&mut self, now: u64, group: usize, owner: usize, created: &super::Created) {
        let Some(wanted) = &self.groups[group].wanted else {
            return;
        };
        let able = wanted.iter().filter(|(node, _)| {
            let seen = &self.nodes[**node];
            let running = seen.running.is_some_and(|since| now >= since + 2 * JOINING);
            running && seen.drained_until <= now && !seen.failed
        });
        let best = able.clone().map(|(_, weight)| *weight).max();
        let least = able
            .filter(|(_, weight)| Some(**weight) == best)
            .map(|(node, _)| created.owned[*node])
            .min();
        let Some(least) = least else { return };
        let had = created.owned[owner];
        let preference = wanted.get(&owner).copied();
        let is_even = preference > best || had < least + created.batch;
        if !self.nodes[owner].failed && (preference < best || !is_even) {
            let text = format!(
                "n{owner}, which had {had}, has got it; another one had {least}; {} were new",
                created.batch
            );
            self.blame(Kind::Unbalanced, now, Some(group), text);
        }
    }
}

fn pairs<T: Copy>(all: &[T]) -> impl Iterator<Item = (T, T)> {
    all.iter()
        .enumerate()
        .flat_map(|(at, one)| all[at + 1..].iter().map(|other| (*one, *other)))
}
