//! What a speaker reads besides the API, and where it keeps what it knows while it is being restarted.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::Naming;

/// Where the speakers' key is mounted, as in MetalLB's manifests.
pub(super) const KEY_DIRECTORY: &str = "/etc/ml_secret_key";
/// Where a speaker keeps what it knows, for its next process in the same pod. All else is read-only.
const STATE_DIRECTORY: &str = "/var/lib/cortenlb";

/// The volume of the speakers' key.
const KEY: &str = "memberlist";

/// The speaker's volumes.
pub(super) fn volumes(naming: Naming) -> Vec<Volume> {
    vec![
        Volume {
            name: "metallb-excludel2".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: "metallb-excludel2".to_owned(),
                optional: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        },
        Volume {
            name: KEY.to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(naming.speakers_key()),
                // The pod must start before the controller has made it, to say what is missing.
                optional: Some(true),
                // The files are uid 0's, who has no capability to read those of others.
                default_mode: Some(0o400),
                ..Default::default()
            }),
            ..Default::default()
        },
        Volume {
            name: "state".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                // A pod that exceeds it is evicted.
                size_limit: Some(Quantity("64Mi".to_owned())),
                ..Default::default()
            }),
            ..Default::default()
        },
    ]
}

/// Where they are mounted.
pub(super) fn mounts() -> Vec<VolumeMount> {
    vec![
        read_only("metallb-excludel2", "/etc/metallb"),
        read_only(KEY, KEY_DIRECTORY),
        VolumeMount {
            name: "state".to_owned(),
            mount_path: STATE_DIRECTORY.to_owned(),
            ..Default::default()
        },
    ]
}

fn read_only(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..Default::default()
    }
}
