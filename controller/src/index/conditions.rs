//! The conditions of a Service as they were seen last. Thousands of Services are held, and ours have texts that repeat.

use std::sync::Arc;

use cortenlb_crds::names::{CONDITION_ADDRESS_ASSIGNED, CONDITION_ADDRESS_CONFLICT, CONDITION_ANNOUNCED};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::input::Verdict;
use super::record::keep;

/// All conditions of one Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    assigned: Option<Said>,
    announced: Option<Said>,
    /// Few have it.
    conflict: Option<Box<Said>>,
    /// Those of others, and ours where somebody gave them a status that we never do.
    others: Box<[Condition]>,
}

/// One condition of ours.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    verdict: Arc<Verdict>,
    since: Time,
    observed_generation: Option<i64>,
}

impl Conditions {
    pub(super) fn of(conditions: &[Condition]) -> Self {
        let mut known = Self::default();
        let mut others = Vec::new();
        for condition in conditions {
            let said = Said::of(condition);
            match (condition.type_.as_str(), said) {
                (CONDITION_ADDRESS_ASSIGNED, Some(said)) => known.assigned = Some(said),
                (CONDITION_ANNOUNCED, Some(said)) => known.announced = Some(said),
                (CONDITION_ADDRESS_CONFLICT, Some(said)) => known.conflict = Some(said.into()),
                _ => others.push(condition.clone()),
            }
        }
        known.others = others.into();
        known
    }

    /// What has not changed stays where it is.
    pub(super) fn settle_into(&mut self, old: Self) {
        keep(&mut self.assigned, old.assigned);
        keep(&mut self.announced, old.announced);
        keep(&mut self.conflict, old.conflict);
        keep(&mut self.others, old.others);
    }

    /// What our condition `type_` says.
    pub(super) fn get(&self, type_: &str) -> Option<&Verdict> {
        let said = match type_ {
            CONDITION_ADDRESS_ASSIGNED => self.assigned.as_ref(),
            CONDITION_ANNOUNCED => self.announced.as_ref(),
            CONDITION_ADDRESS_CONFLICT => self.conflict.as_deref(),
            _ => None,
        };
        said.map(|said| said.verdict.as_ref())
    }

    /// What is said of the announcement is the same for many: keeps `verdict` instead of an own copy, if it is equal.
    pub(super) fn share_announced(&mut self, verdict: &Arc<Verdict>) {
        if let Some(said) = self.announced.as_mut().filter(|said| said.verdict == *verdict) {
            said.verdict = verdict.clone();
        }
    }

    /// As Kubernetes has them.
    pub(super) fn list(&self) -> Vec<Condition> {
        let ours = [
            (CONDITION_ADDRESS_ASSIGNED, self.assigned.as_ref()),
            (CONDITION_ANNOUNCED, self.announced.as_ref()),
            (CONDITION_ADDRESS_CONFLICT, self.conflict.as_deref()),
        ];
        let ours = ours
            .into_iter()
            .filter_map(|(type_, said)| Some(said?.condition(type_)));
        self.others.iter().cloned().chain(ours).collect()
    }
}

impl Said {
    fn of(condition: &Condition) -> Option<Self> {
        let status = match condition.status.as_str() {
            "True" => true,
            "False" => false,
            _ => return None,
        };
        Some(Self {
            verdict: Arc::new(Verdict {
                status,
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            }),
            since: condition.last_transition_time.clone(),
            observed_generation: condition.observed_generation,
        })
    }

    fn condition(&self, type_: &str) -> Condition {
        self.verdict
            .condition(type_, self.since.clone(), self.observed_generation)
    }
}

impl Verdict {
    /// The condition of this type that says so.
    pub(super) fn condition(&self, type_: &str, since: Time, observed_generation: Option<i64>) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: self.status().to_owned(),
            reason: self.reason.clone(),
            message: self.message.clone(),
            last_transition_time: since,
            observed_generation,
        }
    }

    /// As Kubernetes spells it.
    pub(super) fn status(&self) -> &'static str {
        if self.status { "True" } else { "False" }
    }
}
