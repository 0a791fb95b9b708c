//! promtool, for the tests of `deploy/monitoring`.

use std::path::PathBuf;

const PROMTOOL: (&str, &str) = ("prometheus", "promtool");

/// Where it is, once [`fetch`] has brought it.
#[cfg(test)]
fn promtool() -> Option<PathBuf> {
    cortenlb_lab::find_unpacked(PROMTOOL.0, PROMTOOL.1)
}

/// Brings it out of Debian's package.
pub(crate) async fn fetch() -> anyhow::Result<PathBuf> {
    Ok(cortenlb_lab::unpacked(PROMTOOL.0, PROMTOOL.1).await?)
}

#[cfg(test)]
mod tests;
