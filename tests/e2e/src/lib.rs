//! Scenarios against the lab: what a user does, on a real Kubernetes, with our image and our manifests.
//!
//! | module | owns |
//! | --- | --- |
//! | [`cluster`] | a lab as scenarios use it: objects, waiting, requests from the client host |
//! | [`objects`] | builders of the objects that scenarios create |
//! | [`observer`] | watches all Services through a fault, and judges every event |
//! | [`reference`] | the story that CortenLB exists for, as a demonstration and as a scenario |
//! | [`rights`] | the roles of the manifest against what the product asked of the API server |
//! | [`runner`] | the order, the clean-up between scenarios, the count |
//! | `scenarios` | the scenarios, by area |
//!
//! Never imports the code under test apart from the API types: a scenario sees what a user sees.

use std::path::PathBuf;

pub mod cluster;
pub mod objects;
pub mod observer;
pub mod reference;
pub mod rights;
pub mod runner;
mod scenarios;

pub use runner::{Scenario, Stage, Summary, choose, run};
pub use scenarios::all;

/// What is installed: an image archive and the manifest that names the image.
#[derive(Clone, Debug)]
pub struct Product {
    /// OCI image archive of the controller and the speaker.
    pub image: PathBuf,
    /// The manifest; applying it is the whole install.
    pub manifest: PathBuf,
    /// The Helm chart, which names the image as well.
    pub chart: PathBuf,
    /// The example objects of the API types, accepted and rejected.
    pub examples: PathBuf,
    /// The folder in which scenarios keep what is to be looked at afterwards.
    pub artefacts: PathBuf,
    /// The program `kubectl-cortenlb`; none where nobody asks it.
    pub cli: Option<PathBuf>,
}
