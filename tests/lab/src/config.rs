//! Configuration files and command lines of the lab's servers. Pure: a plan and a folder in, text out.

use std::path::PathBuf;

use serde_json::json;

use crate::folder::LabFolder;
use crate::plan::{DNS, Host, POD_RANGES, Plan, SERVICE_RANGES, pod_ranges};
use crate::servers::PAUSE_IMAGE;

/// Where Debian's containernetworking-plugins puts its programs.
pub(crate) const CNI_PLUGINS: &str = "/usr/lib/cni";

/// The name of the log of what users ask for.
pub(crate) const AUDIT: &str = "cp-audit";

/// The folder of one node.
pub(crate) fn node_folder(folder: &LabFolder, node: Host) -> String {
    folder.join(node.to_string()).display().to_string()
}

pub(crate) fn etcd(folder: &LabFolder) -> Vec<String> {
    let data = folder.join("etcd").display().to_string();
    words(&[
        "etcd",
        &format!("--data-dir={data}"),
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        // A lab does not survive a power failure anyway.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ])
}

pub(crate) fn apiserver(plan: &Plan, folder: &LabFolder) -> Vec<String> {
    let pki = |file: &str| folder.pki(file).display().to_string();
    let words = words(&[
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        &format!(
            "--advertise-address={}",
            plan.cluster_addresses(Host::ControlPlane)[0]
        ),
        "--bind-address=0.0.0.0",
        &format!("--tls-cert-file={}", pki("apiserver.crt")),
        &format!("--tls-private-key-file={}", pki("apiserver.key")),
        &format!("--client-ca-file={}", pki("ca.crt")),
        &format!("--service-cluster-ip-range={SERVICE_RANGES}"),
        &format!("--service-account-key-file={}", pki("sa.pub")),
        &format!("--service-account-signing-key-file={}", pki("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        &format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        &format!("--kubelet-client-certificate={}", pki("admin.crt")),
        &format!("--kubelet-client-key={}", pki("admin.key")),
        // Names of nodes resolve nowhere.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
    ]);
    words.into_iter().chain(audit(plan, folder)).collect()
}

/// The API server's flags for [`audit_policy`]; none if nobody is audited.
fn audit(plan: &Plan, folder: &LabFolder) -> Vec<String> {
    if plan.audited.is_empty() {
        return Vec::new();
    }
    words(&[
        &format!("--audit-policy-file={}", audit_policy_file(folder).display()),
        &format!("--audit-log-path={}", folder.log(AUDIT).display()),
        // One file, in megabytes: what is moved aside would be missed, and 0 is 100.
        "--audit-log-maxsize=1000000",
    ])
}

/// Where [`audit_policy`] is to be.
pub(crate) fn audit_policy_file(folder: &LabFolder) -> PathBuf {
    folder.join("cp/audit-policy.json")
}

/// Who asked for what, and whether it was allowed: once when it is answered, for a watch also when it begins, since the
/// server may be killed before it ends.
pub(crate) fn audit_policy(plan: &Plan) -> String {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{ "level": "Metadata", "users": plan.audited }, { "level": "None" }],
    });
    format!("{policy:#}\n")
}

pub(crate) fn controller_manager(folder: &LabFolder) -> Vec<String> {
    words(&[
        "kube-controller-manager",
        &format!("--kubeconfig={}", folder.kubeconfig("system").display()),
        &format!(
            "--service-account-private-key-file={}",
            folder.pki("sa.key").display()
        ),
        &format!("--root-ca-file={}", folder.pki("ca.crt").display()),
        "--use-service-account-credentials",
        // Each node brings its own range (spec.podCIDRs), so that n2 always has 10.244.2.0/24.
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ])
}

pub(crate) fn scheduler(folder: &LabFolder) -> Vec<String> {
    let kubeconfig = folder.kubeconfig("system");
    words(&[
        "kube-scheduler",
        &format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false",
    ])
}

/// kube-proxy of a node, or the control plane's.
///
/// That one lets the API server reach ClusterIPs (of webhooks). It has no Node object and would wait 30 s for one, so
/// it goes by the name of n1: rules for cluster-internal traffic are the same everywhere.
pub(crate) fn proxy(folder: &LabFolder, host: Host) -> Vec<String> {
    let node = if host == Host::ControlPlane {
        Host::Node(1)
    } else {
        host
    };
    words(&[
        "kube-proxy",
        &format!("--kubeconfig={}", folder.kubeconfig("system").display()),
        &format!("--hostname-override={node}"),
        "--proxy-mode=iptables",
        &format!("--cluster-cidr={POD_RANGES}"),
        // A namespace other than the machine's may not write conntrack's limits.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ])
}

pub(crate) fn kubelet(plan: &Plan, folder: &LabFolder, node: Host) -> Vec<String> {
    let own = node_folder(folder, node);
    let [ipv4, ipv6] = plan.cluster_addresses(node);
    words(&[
        "kubelet",
        &format!("--config={own}/kubelet.json"),
        &format!("--kubeconfig={}", folder.kubeconfig(&node.to_string()).display()),
        &format!("--hostname-override={node}"),
        &format!("--node-ip={ipv4},{ipv6}"),
        &format!("--root-dir={own}/kubelet"),
    ])
}

pub(crate) fn kubelet_file(folder: &LabFolder, node: Host) -> String {
    let own = node_folder(folder, node);
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "x509": { "clientCAFile": folder.pki("ca.crt") },
            "webhook": { "enabled": true },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": folder.pki(&format!("{node}.crt")),
        "tlsPrivateKeyFile": folder.pki(&format!("{node}.key")),
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": "/dev/null",
        "containerRuntimeEndpoint": format!("unix://{own}/containerd.sock"),
        // The machine may have cgroup v1 only, and its cgroups are not the lab's to divide.
        "failCgroupV1": false,
        "cgroupsPerQOS": false,
        "cgroupDriver": "cgroupfs",
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "podLogsDir": format!("{own}/podlogs"),
        "volumePluginDir": format!("{own}/volumeplugins"),
        // A nearly full disk of the machine is no reason to evict the lab's pods.
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": false,
        "serializeImagePulls": false,
    });
    format!("{config:#}\n")
}

pub(crate) fn containerd_file(folder: &LabFolder, node: Host) -> String {
    let own = node_folder(folder, node);
    format!(
        r#"version = 3
root = "{own}/containerd/root"
state = "{own}/containerd/state"
disabled_plugins = [
    "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
    "io.containerd.differ.v1.erofs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "{own}/containerd.sock"
[ttrpc]
address = "{own}/containerd.sock.ttrpc"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
# Without CAP_SYS_RESOURCE runc cannot lower oom_score_adj, and dies of trying.
restrict_oom_score_adj = true
# Pods' namespaces lie in the lab's folder, where `down` finds them.
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{CNI_PLUGINS}"]
conf_dir = "{own}/cni"
"#
    )
}

pub(crate) fn cni_file(folder: &LabFolder, node: Host) -> String {
    let own = node_folder(folder, node);
    let ranges = pod_ranges(node).map(|range| json!([{ "subnet": range }]));
    let config = json!({
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": format!("{own}/ipam"),
                    "ranges": ranges,
                    "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    });
    format!("{config:#}\n")
}

/// CoreDNS answers for the cluster only: there is nothing beyond it to ask.
pub(crate) fn corefile(plan: &Plan, folder: &LabFolder) -> String {
    let address = plan.cluster_addresses(Host::ControlPlane)[0];
    let kubeconfig = folder.kubeconfig("system").display().to_string();
    format!(
        ".:53 {{\n    bind {address}\n    errors\n    ready :8181\n    kubernetes cluster.local in-addr.arpa ip6.arpa {{\n        \
         kubeconfig {kubeconfig}\n        pods insecure\n        ttl 5\n    }}\n}}\n"
    )
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests;
