use super::*;

#[test]
fn only_the_labs_own_shims_are_ours() {
    let folder = Path::new("/cache/labs/lab");
    let line = |address: &str| {
        format!("/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0abc\0-address\0{address}\0")
            .into_bytes()
    };
    assert!(is_shim(&line("/cache/labs/lab/n1/containerd.sock"), folder));
    assert!(!is_shim(&line("/cache/labs/lab2/n1/containerd.sock"), folder));
    assert!(!is_shim(&line("/run/containerd/containerd.sock"), folder));
    assert!(!is_shim(
        b"grep\0-address\0/cache/labs/lab/n1/containerd.sock\0",
        folder
    ));
    assert!(!is_shim(b"", folder));
}

#[test]
fn mounts_of_the_lab_are_undone_from_the_deepest() {
    let table = "\
        20 1 8:1 / / rw - ext4 /dev/vda rw\n\
        31 20 0:4 net:[1] /cache/labs/lab/n1/netns/a rw - nsfs nsfs rw\n\
        32 20 0:9 / /cache/labs/lab/n1/rootfs rw - overlay overlay rw\n\
        33 32 0:9 / /cache/labs/lab/n1/rootfs/proc rw - proc proc rw\n\
        34 20 0:9 / /cache/labs/lab2/n1/rootfs rw - overlay overlay rw\n";
    let expected = [
        "/cache/labs/lab/n1/rootfs/proc",
        "/cache/labs/lab/n1/rootfs",
        "/cache/labs/lab/n1/netns/a",
    ];
    assert_eq!(mounts_below(table, Path::new("/cache/labs/lab")), expected);
}

#[test]
fn a_shims_socket_is_named_in_its_bootstrap_file() {
    let file = br#"{"version":3,"address":"unix:///run/containerd/s/ab12","protocol":"ttrpc"}"#;
    assert_eq!(shim_socket(file), Some(PathBuf::from("/run/containerd/s/ab12")));
    assert_eq!(shim_socket(b""), None);
}
