//! The whole of it on real interfaces, in a network namespace of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::time::Duration;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::few::FewMap;
use cortenlb_netio::packet::PacketSocket;
use cortenlb_proto::l2::{Interface, ROUNDS};
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::ndp::{self, Solicitation};
use cortenlb_wire::{arp, filter};

use super::*;

const INSIDE: &str = "CORTENLB_TEST_INSIDE_NAMESPACE";
const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const NODE_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0a]);
pub(super) const CLIENT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0b]);
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 240);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 1);
pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 21, 5, 100);

/// Runs this test again in a process with a network namespace of its own, with these capabilities alone while
/// `body` runs; skips with a printed reason when not root.
pub(super) fn in_namespace(name: &str, set_up: &str, capabilities: &str, body: impl AsyncFnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(body());
    }
    let possible = Command::new("unshare").args(["--net", "true"]).status();
    if !possible.as_ref().is_ok_and(|status| status.success()) {
        // Not by `println!`: what a test that passes prints is not shown, and `cargo xtask test` counts these lines.
        let why = "a network namespace needs root and unshare(1)";
        writeln!(io::stdout(), "\nSKIPPED {name}: {why}: {possible:?}").unwrap();
        return;
    }
    let script = format!(
        "set -e\n{set_up}\nexec setpriv --bounding-set=-all,{capabilities} \"$0\" --exact {name} --nocapture"
    );
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("unshare");
    child
        .args(["--net", "--mount", "--", "sh", "-c", &script])
        .arg(program)
        .env(INSIDE, "1");
    let output = child.output().unwrap();
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(
        output.status.success() && told[0].contains("1 passed"),
        "inside of the namespace:\n{}{}",
        told[0],
        told[1]
    );
}

pub(super) const SET_UP: &str = "
ip link add name node address 02:00:00:00:00:0a type veth peer name client address 02:00:00:00:00:0b
ip link set node addrgenmode none
ip link set node up
ip link set client up
ip -6 address add fe80::a/64 dev node nodad
ip address add 172.21.5.11/24 dev node
ip route add default via 172.21.5.1
ip neighbour add 172.21.5.1 lladdr 02:00:00:00:00:0b dev node";

/// The next frame on the client's side for which `read` has a value.
fn next<T>(socket: &PacketSocket, mut read: impl FnMut(&[u8]) -> Option<T>) -> T {
    let mut poller = Poller::new().unwrap();
    let mut buffer = [0; 2048];
    loop {
        match socket.receive(&mut buffer) {
            Ok(received) => {
                if let Some(value) = read(&buffer[..received.length]) {
                    return value;
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                let ready = poller.wait([socket.as_fd()], Some(DEADLINE)).unwrap();
                assert_eq!(ready.sources, [0], "no frame came");
            }
        }
    }
}

pub(super) const NODE: &str = "n1";

/// One group of these addresses, which this node alone can announce.
pub(super) fn plan(addresses: &[&str]) -> Plan {
    let me = NodeId::of(NODE);
    let addresses: FewMap<IpAddr, Scope> = addresses
        .iter()
        .map(|address| (address.parse().unwrap(), Scope::All))
        .collect();
    let speaker = Speaker {
        node: NODE.to_owned(),
        addresses: Vec::new(),
    };
    let lowest = *addresses.keys().next().unwrap();
    let group = Group {
        former: None,
        candidates: Arc::new(BTreeMap::from([(me, 0)])),
        all: addresses.keys().copied().collect(),
        addresses,
        contested: false,
        on_link: false,
    };
    Plan {
        speakers: BTreeMap::from([(me, speaker)]),
        groups: BTreeMap::from([(lowest, group)]),
        is_held: false,
    }
}

fn settings(exclusions: Exclusions) -> Settings {
    Settings {
        node: NODE.to_owned(),
        exclusions,
        refresh: None,
        rebalance: false,
        stand_in: true,
        bind: None,
        records: None,
    }
}

#[test]
fn announces_answers_and_falls_silent() {
    in_namespace(
        "l2::tests::announces_answers_and_falls_silent",
        SET_UP,
        "+net_raw",
        async || {
            let links = LinkWatch::open().await.unwrap();
            let client_index = links
                .subscribe()
                .borrow()
                .values()
                .find(|link| link.name == "client")
                .unwrap()
                .index;
            let vip6 = "fd00:5::240".parse().unwrap();
            let arp_socket = PacketSocket::open(client_index, EtherType::Arp, &filter::arp([VIP])).unwrap();
            let ndp_socket = PacketSocket::open(client_index, EtherType::Ipv6, &filter::ndp([vip6])).unwrap();

            let mut registry = Registry::default();
            let exclusions = Exclusions::parse(
                "excludel2.yaml".as_ref(),
                "announcedInterfacesToExclude: [client]",
            )
            .unwrap();
            let handle = spawn(&mut registry, settings(exclusions)).await.unwrap();
            handle.forwards_setter()();
            let names = handle.interface_names().borrow().clone();
            assert_eq!(names, BTreeSet::from(["lo", "node"].map(str::to_owned)));

            handle.set_plan(plan(&["172.21.5.240", "fd00:5::240"]).into());
            for expected in arp::Repr::gratuitous(NODE_MAC, VIP) {
                let gratuitous = |packet: &arp::Repr| packet.sender_ip == VIP && packet.target_ip == VIP;
                let packet = next(&arp_socket, |frame| {
                    arp::Repr::parse(frame).ok().filter(gratuitous)
                });
                assert_eq!(packet, expected);
            }
            let told = next(&ndp_socket, |frame| match ndp::Repr::parse(frame) {
                Ok(ndp::Repr::Advertisement(told)) => Some(told),
                _ => None,
            });
            assert!(told.target == vip6 && !told.solicited);

            let question = next(&arp_socket, |frame| {
                let packet = arp::Repr::parse(frame).ok()?;
                (packet.target_ip == GATEWAY).then_some(packet)
            });
            assert_eq!((question.destination, question.sender_ip), (CLIENT_MAC, VIP));
            arp_socket.send(&question.answer(CLIENT_MAC).emit()).unwrap();

            let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
            arp_socket.send(&request.emit()).unwrap();
            let unicast = |frame: &[u8]| {
                arp::Repr::parse(frame)
                    .ok()
                    .filter(|packet| packet.target_ip == CLIENT)
            };
            assert_eq!(next(&arp_socket, unicast), request.answer(NODE_MAC));

            let solicitation = Solicitation::multicast(CLIENT_MAC, "fd00:5::100".parse().unwrap(), vip6);
            ndp_socket.send(&solicitation.emit()).unwrap();
            let answer = next(&ndp_socket, |frame| match ndp::Repr::parse(frame) {
                Ok(ndp::Repr::Advertisement(advertisement)) if advertisement.solicited => Some(advertisement),
                _ => None,
            });
            assert_eq!(answer, solicitation.answer(NODE_MAC, "fe80::a".parse().unwrap()));

            let failovers = handle.failovers();
            handle.stop();
            let shown: serde_json::Value = serde_json::from_str(&failovers.to_json()).unwrap();
            let changes = shown["changes"].as_array().unwrap();
            let taken = changes
                .iter()
                .find(|change| change["group"] == "172.21.5.240")
                .unwrap();
            assert_eq!(taken["cause"], "Placed");
            for phase in ["taken", "announced", "gateway"] {
                assert!(taken["milliseconds"][phase].is_u64(), "{phase}: {taken}");
            }
            while arp_socket.receive(&mut [0; 64]).is_ok() {}
            arp_socket.send(&request.emit()).unwrap();
            assert_eq!(
                arp_socket.receive(&mut [0; 64]).unwrap_err().kind(),
                io::ErrorKind::WouldBlock,
                "silent"
            );

            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            assert!(
                text.contains("metallb_layer2_requests_received{ip=\"172.21.5.240\"} 1\n"),
                "{text}"
            );
            assert!(
                text.contains("cortenlb_gateway_learned_seconds_count 1\n"),
                "{text}"
            );
            assert!(
                text.contains("metallb_layer2_responses_sent{ip=\"fd00:5::240\"} 1\n"),
                "{text}"
            );
            assert!(
                text.contains("metallb_layer2_gratuitous_sent{ip=\"fd00:5::240\"} "),
                "{text}"
            );
        },
    );
}

/// The two ends of [`SET_UP`].
pub(super) struct Segment {
    pub(super) node: u32,
    pub(super) client: u32,
    /// The node's, for the responder.
    pub(super) interfaces: Interfaces,
}

pub(super) async fn segment() -> Segment {
    let links = LinkWatch::open().await.unwrap().subscribe().borrow().clone();
    let [node, client] =
        ["node", "client"].map(|name| links.values().find(|link| link.name == name).unwrap().index);
    let interface = Interface {
        name: "node".into(),
        mac: NODE_MAC,
        arp: true,
        ndp: None,
        ipv4: None,
    };
    Segment {
        node,
        client,
        interfaces: Interfaces::from([(node, interface)]),
    }
}

pub(super) fn mk_mailbox(poller: &Poller) -> Arc<Mailbox> {
    Arc::new(Mailbox {
        desired: Mutex::default(),
        waker: poller.waker(),
    })
}

/// Runs `ip` with these words, and expects success.
fn ip(words: &str) {
    let status = Command::new("ip")
        .args(words.split_whitespace())
        .status()
        .unwrap();
    assert!(status.success(), "ip {words}");
}

/// Asks for the VIP from this interface until the node answers.
fn assert_answered(client: u32) {
    let socket = PacketSocket::open(client, EtherType::Arp, &filter::arp([VIP])).unwrap();
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    let mut poller = Poller::new().unwrap();
    let mut buffer = [0; 2048];
    for _ in 0..100 {
        socket.send(&request.emit()).unwrap();
        poller
            .wait([socket.as_fd()], Some(Duration::from_millis(100)))
            .unwrap();
        while let Ok(received) = socket.receive(&mut buffer) {
            if arp::Repr::parse(&buffer[..received.length]) == Ok(request.answer(NODE_MAC)) {
                return;
            }
        }
    }
    panic!("no answer within ten seconds");
}

#[test]
fn an_interface_that_comes_back_unnoticed_is_heard_again() {
    in_namespace(
        "l2::tests::an_interface_that_comes_back_unnoticed_is_heard_again",
        SET_UP,
        "+net_raw,+net_admin",
        async || {
            let Segment {
                node,
                client,
                interfaces,
            } = segment().await;
            let poller = Poller::new().unwrap();
            let mailbox = mk_mailbox(&poller);
            // Nobody follows the links: as if they had been read before and after, and not between.
            mailbox.post(|desired| {
                desired.links = Some((interfaces, Ports::new()));
                desired.plan = Some(plan(&["172.21.5.240"]).into());
            });
            let metrics = metrics::Metrics::register(&mut Registry::default());
            let mut ownership = Ownership::new(Instant(clock::now()), NodeId::of(NODE), 0, 0);
            ownership.handle(
                Instant(clock::now()),
                cortenlb_proto::cluster::Input::Forwards(true),
            );
            let machines = (Responder::new(None), ownership, None);
            let driver = driver::Driver::new(
                poller,
                Arc::clone(&mailbox),
                metrics,
                machines,
                Default::default(),
            );
            let thread = thread::spawn(move || driver.run());
            assert_answered(client);

            ip("link delete node");
            ip(&format!(
                "link add name node index {node} address {NODE_MAC} type veth
                 peer name client index {client} address {CLIENT_MAC}"
            ));
            ip("link set client up");
            let socket = PacketSocket::open(client, EtherType::Arp, &filter::arp([VIP])).unwrap();
            ip("link set node up");
            // All rounds: of those that began with the first table one is gone.
            let [announcement, _] = arp::Repr::gratuitous(NODE_MAC, VIP);
            for _ in 0..=ROUNDS.len() {
                next(&socket, |frame| {
                    (arp::Repr::parse(frame) == Ok(announcement)).then_some(())
                });
            }
            assert_answered(client);

            mailbox.post(|desired| desired.stop = true);
            thread.join().unwrap().unwrap();
        },
    );
}

#[test]
fn the_solicited_node_group_is_joined_again_when_the_link_is_back() {
    in_namespace(
        "l2::tests::the_solicited_node_group_is_joined_again_when_the_link_is_back",
        SET_UP,
        "+net_raw,+net_admin",
        async || {
            let links = LinkWatch::open().await.unwrap().subscribe().borrow().clone();
            let client = links.values().find(|link| link.name == "client").unwrap().index;
            let vip: Ipv6Addr = "fd00:5::240".parse().unwrap();
            let socket = PacketSocket::open(client, EtherType::Ipv6, &filter::ndp([vip])).unwrap();
            let exclusions = Exclusions::parse(
                "excludel2.yaml".as_ref(),
                "announcedInterfacesToExclude: [client]",
            );
            let handle = spawn(&mut Registry::default(), settings(exclusions.unwrap()))
                .await
                .unwrap();
            handle.forwards_setter()();
            let joined = || {
                let groups = std::fs::read_to_string("/proc/net/igmp6").unwrap();
                let mut groups = groups.lines().filter(|line| line.contains(" node "));
                groups.any(|line| line.contains("ff0200000000000000000001ff000240"))
            };
            let told = |frame: &[u8]| {
                let ndp::Repr::Advertisement(told) = ndp::Repr::parse(frame).ok()? else {
                    return None;
                };
                (told.target == vip).then_some(told)
            };
            handle.set_plan(plan(&["fd00:5::240"]).into());
            next(&socket, told);
            assert!(joined());

            ip("link set node down");
            while socket.receive(&mut [0; 64]).is_ok() {}
            ip("link set node up");
            // The kernel has taken the address away with the link.
            ip("-6 address add fe80::a/64 dev node nodad");
            next(&socket, told);
            assert!(joined());
            let solicitation = Solicitation::multicast(CLIENT_MAC, "fd00:5::100".parse().unwrap(), vip);
            socket.send(&solicitation.emit()).unwrap();
            let answer = next(&socket, |frame| told(frame).filter(|told| told.solicited));
            assert_eq!(answer, solicitation.answer(NODE_MAC, "fe80::a".parse().unwrap()));
            handle.stop();
        },
    );
}
