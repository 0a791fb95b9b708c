use cortenlb_core::few::FewMap;

use super::*;

fn mk_plan() -> Plan {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let speaker = |node: &str, at: &str| {
        let speaker = Speaker {
            node: node.to_owned(),
            addresses: vec![address(at)],
        };
        (NodeId::of(node), speaker)
    };
    let candidates = BTreeMap::from([(NodeId::of("n1"), 0), (NodeId::of("n2"), -7)]);
    let group = Group {
        former: None,
        candidates: candidates.into(),
        addresses: FewMap::from([
            (address("172.21.5.240"), Interfaces::All),
            (
                address("fd00::240"),
                Interfaces::Listed(["eth0".to_owned(), "eth1".to_owned()].into()),
            ),
        ]),
        all: [address("172.21.5.240"), address("fd00::240")].into(),
        contested: true,
        on_link: true,
    };
    let nobodys = Group {
        former: None,
        candidates: BTreeMap::new().into(),
        addresses: FewMap::default(),
        all: [address("172.21.5.241")].into(),
        contested: false,
        on_link: false,
    };
    Plan {
        speakers: BTreeMap::from([speaker("n1", "172.21.5.11"), speaker("n2", "fd00::12")]),
        groups: BTreeMap::from([
            (address("172.21.5.240"), group),
            (address("172.21.5.241"), nobodys),
        ]),
        is_held: false,
    }
}

fn mk_directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("cortenlb-saved-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    assert_eq!(read(&write(&mk_plan())), Some(mk_plan()));
    assert_eq!(read(&write(&Plan::default())), Some(Plan::default()));
}

#[test]
fn a_group_of_an_earlier_version_has_its_lowest_address() {
    let mut written: serde_json::Value = serde_json::from_slice(&write(&mk_plan())).unwrap();
    let groups = written["groups"].as_object_mut().unwrap();
    for group in groups.values_mut() {
        group.as_object_mut().unwrap().remove("all");
    }
    let plan = read(written.to_string().as_bytes()).unwrap();
    for (lowest, group) in &plan.groups {
        assert_eq!(group.all, [*lowest].into());
    }
}

#[test]
fn half_a_plan_is_none() {
    let whole = write(&mk_plan());
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]), None, "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_kept() {
    let directory = mk_directory("newest");
    let file = records_in(&directory);
    assert_eq!(load(&file), None);
    let (sender, values) = watch::channel(Vec::new());
    let keeping = tokio::spawn(keep(file.clone(), values, Vec::clone));
    for value in [b"one".as_slice(), b"two", b"three"] {
        sender.send_replace(value.to_vec());
    }
    drop(sender);
    keeping.await.unwrap();
    assert_eq!(load(&file).as_deref(), Some(b"three".as_slice()));
    let long = vec![0; LARGEST + 1];
    assert!(replace(&file, &long).await.is_err(), "kubelet would end the pod");
    assert_eq!(load(&file).as_deref(), Some(b"three".as_slice()));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_was_kept_before_the_node_booted_is_gone() {
    let directory = mk_directory("boot");
    let first = folder_in(&directory, "first").unwrap();
    std::fs::write(plan_in(&first), "{}").unwrap();
    assert_eq!(folder_in(&directory, "first").unwrap(), first);
    assert!(load(&plan_in(&first)).is_some());
    let second = folder_in(&directory, "second").unwrap();
    assert_eq!((load(&plan_in(&first)), load(&plan_in(&second))), (None, None));
    assert!(second.is_dir() && !first.exists());
    std::fs::remove_dir_all(&directory).unwrap();
}
