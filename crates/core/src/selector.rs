//! Label selectors (Kubernetes `metav1.LabelSelector`), parsed once and matched often.

use std::collections::BTreeSet;

mod labels;

pub use labels::Labels;

/// A `metav1.LabelSelector`: all requirements must hold. The empty selector matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

/// One requirement on one label key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold for it.
    pub test: Test,
}

/// The operators of `matchExpressions`, with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The label is there and its value is one of these.
    In(BTreeSet<String>),
    /// The label is absent, or its value is none of these.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Why a selector cannot be used. The object that carries it is ignored as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// `operator` is none of the four.
    #[error("{operator:?} is not a valid label selector operator (In, NotIn, Exists, DoesNotExist)")]
    Operator {
        /// The text found.
        operator: String,
    },
    /// `In` and `NotIn` need values, the others must have none.
    #[error("matchExpressions on key {key:?}: operator {operator} {} values", if *.wants { "needs" } else { "takes no" })]
    Values {
        /// The key of the expression.
        key: String,
        /// Its operator.
        operator: String,
        /// Whether the operator needs values.
        wants: bool,
    },
}

impl LabelSelector {
    /// The selector that demands each of `labels` literally (`matchLabels`).
    pub fn from_labels(labels: &Labels) -> Self {
        let requirements = labels
            .iter()
            .map(|(key, value)| Requirement {
                key: key.to_owned(),
                test: Test::In([value.to_owned()].into()),
            })
            .collect();
        Self { requirements }
    }

    /// Adds one of `matchExpressions`.
    pub fn and_expression(
        mut self,
        key: &str,
        operator: &str,
        values: impl IntoIterator<Item = String>,
    ) -> Result<Self, SelectorError> {
        let values: BTreeSet<String> = values.into_iter().collect();
        let wants = matches!(operator, "In" | "NotIn");
        let test = match operator {
            "In" => Test::In(values.clone()),
            "NotIn" => Test::NotIn(values.clone()),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            _ => {
                return Err(SelectorError::Operator {
                    operator: operator.to_owned(),
                });
            }
        };
        if wants == values.is_empty() {
            return Err(SelectorError::Values {
                key: key.to_owned(),
                operator: operator.to_owned(),
                wants,
            });
        }
        self.requirements.push(Requirement {
            key: key.to_owned(),
            test,
        });
        Ok(self)
    }

    /// Whether `labels` meet every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
