//! Label selectors.

use cortenlb_core::selector::{LabelSelector, Labels, SelectorError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1;

/// The selector in core's form; `matchLabels` and `matchExpressions` are and'ed.
///
/// # Errors
/// An expression with an unknown operator, or with values where there must be none, or the reverse.
pub fn selector(selector: &v1::LabelSelector) -> Result<LabelSelector, SelectorError> {
    let labels = selector
        .match_labels
        .as_ref()
        .map(Labels::from)
        .unwrap_or_default();
    let mut expressions = selector.match_expressions.iter().flatten();
    expressions.try_fold(LabelSelector::from_labels(&labels), |selector, expression| {
        let values = expression.values.clone().unwrap_or_default();
        selector.and_expression(&expression.key, &expression.operator, values)
    })
}
