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
        candidates: candidates.into(),
        addresses: BTreeMap::from([
            (address("172.21.5.240"), Interfaces::All),
            (
                address("fd00::240"),
                Interfaces::Listed(["eth0".to_owned(), "eth1".to_owned()].into()),
            ),
        ]),
    };
    let nobodys = Group {
        candidates: BTreeMap::new().into(),
        addresses: BTreeMap::new(),
    };
    Plan {
        speakers: BTreeMap::from([speaker("n1", "172.21.5.11"), speaker("n2", "fd00::12")]),
        groups: BTreeMap::from([
            (address("172.21.5.240"), group),
            (address("172.21.5.241"), nobodys),
        ]),
    }
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    assert_eq!(read(&write(&mk_plan())).unwrap(), mk_plan());
    assert_eq!(read(&write(&Plan::default())).unwrap(), Plan::default());
}

#[test]
fn half_a_plan_is_none() {
    let whole = write(&mk_plan());
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_kept() {
    let directory = std::env::temp_dir().join(format!("cortenlb-saved-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = records_in(&directory);
    assert_eq!(load(&file), None);
    let (sender, values) = watch::channel(Vec::new());
    let keeping = tokio::spawn(keep(file.clone(), values));
    for value in [b"one".as_slice(), b"two", b"three"] {
        sender.send_replace(value.to_vec());
    }
    drop(sender);
    keeping.await.unwrap();
    assert_eq!(load(&file).as_deref(), Some(b"three".as_slice()));
    std::fs::remove_dir_all(&directory).unwrap();
}
