//! Packet sockets on real interfaces: what the filter lets through, the kernel's stamps, the errors.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::time::Duration;

use common::{ethernet, in_namespace, index, ip, skip};
use cortenlb_netio::clock;
use cortenlb_netio::multicast::Membership;
use cortenlb_netio::packet::PacketSocket;
use cortenlb_netio::poll::Poller;
use cortenlb_wire::arp;
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::filter;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::ndp::Solicitation;

const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0a]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0b]);
const DEADLINE: Option<Duration> = Some(Duration::from_secs(10));

fn request(target: &str) -> arp::Repr {
    arp::Repr::request(A, "172.21.5.100".parse().unwrap(), target.parse().unwrap())
}

/// The next frame, waited for.
fn next(socket: &PacketSocket) -> (Vec<u8>, u64) {
    let ready = Poller::new().unwrap().wait([socket.as_fd()], DEADLINE).unwrap();
    assert_eq!(ready.sources, [0], "no frame came");
    let mut buffer = [0; 2048];
    let received = socket.receive(&mut buffer).unwrap();
    (buffer[..received.length].to_vec(), received.at)
}

fn assert_empty(socket: &PacketSocket) {
    assert_eq!(
        socket.receive(&mut [0; 64]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn delivers_what_the_filter_accepts_and_nothing_else() {
    in_namespace("delivers_what_the_filter_accepts_and_nothing_else", || {
        let [a, b] = ethernet();
        let mine = request("172.21.5.240");
        let program = filter::arp([mine.target_ip]);
        let server = PacketSocket::open(b, EtherType::Arp, &program).unwrap();
        let client = PacketSocket::open(a, EtherType::Arp, &filter::arp([mine.target_ip])).unwrap();
        let started = clock::now();

        client.send(&request("172.21.5.1").emit()).unwrap();
        client
            .send(
                &arp::Repr {
                    destination: MacAddr([2, 0, 0, 0, 0, 0x99]),
                    ..mine
                }
                .emit(),
            )
            .unwrap();
        client.send(&mine.emit()).unwrap();
        let (frame, at) = next(&server);
        assert_eq!(arp::Repr::parse(&frame), Ok(mine));
        assert!(
            (started..=clock::now()).contains(&at),
            "stamped {at}, sent after {started}"
        );
        assert_empty(&server);

        let answer = mine.answer(B);
        server.send(&answer.emit()).unwrap();
        assert_eq!(arp::Repr::parse(&next(&client).0), Ok(answer));
        assert_empty(&client);

        let statistics = server.statistics().unwrap();
        assert_eq!((statistics.accepted, statistics.dropped), (1, 0));
        assert_eq!(
            server.statistics().unwrap(),
            Default::default(),
            "reading sets them to zero"
        );

        let other = request("172.21.5.241");
        server.set_filter(&filter::arp([other.target_ip])).unwrap();
        client.send(&mine.emit()).unwrap();
        client.send(&other.emit()).unwrap();
        assert_eq!(arp::Repr::parse(&next(&server).0), Ok(other));
        assert_empty(&server);
    });
}

#[test]
fn frames_of_a_vlan_on_top_are_not_the_interfaces_own() {
    let name = "frames_of_a_vlan_on_top_are_not_the_interfaces_own";
    in_namespace(name, || {
        let [a, b] = ethernet();
        let vlan = |name| format!("link add link {name} name {name}.5 type vlan id 5");
        if !std::process::Command::new("ip")
            .args(vlan("left").split(' '))
            .status()
            .unwrap()
            .success()
        {
            return skip(name, "this kernel has no VLAN interfaces (module 8021q)");
        }
        ip(&vlan("right"));
        for name in ["left", "right"] {
            ip(&format!("link set {name}.5 up"));
        }
        let mine = request("172.21.5.240");
        let open = |index| PacketSocket::open(index, EtherType::Arp, &filter::arp([mine.target_ip])).unwrap();
        let (server, vlan_server) = (open(b), open(index("right.5")));
        let (client, vlan_client) = (open(a), open(index("left.5")));

        vlan_client.send(&mine.emit()).unwrap();
        assert_eq!(arp::Repr::parse(&next(&vlan_server).0), Ok(mine));
        assert_empty(&server);
        client.send(&mine.emit()).unwrap();
        assert_eq!(arp::Repr::parse(&next(&server).0), Ok(mine));
        assert_empty(&vlan_server);
    });
}

#[test]
fn solicitations_arrive_through_the_group() {
    in_namespace("solicitations_arrive_through_the_group", || {
        let [a, b] = ethernet();
        let vip = "fd00:5::240".parse().unwrap();
        let server = PacketSocket::open(b, EtherType::Ipv6, &filter::ndp([vip])).unwrap();
        let client = PacketSocket::open(a, EtherType::Ipv6, &filter::ndp([vip])).unwrap();
        let groups = || std::fs::read_to_string("/proc/net/igmp6").unwrap();
        let joined = || {
            groups()
                .lines()
                .any(|line| line.contains(" right ") && line.contains("ff0200000000000000000001ff000240"))
        };
        assert!(!joined());
        let first = Membership::join(b, vip).unwrap();
        let second = Membership::join(b, vip).unwrap();
        drop(first);
        assert!(joined(), "the second member remains");

        let solicitation = Solicitation::multicast(A, "fe80::a".parse().unwrap(), vip);
        client.send(&solicitation.emit()).unwrap();
        assert_eq!(next(&server).0, solicitation.emit());
        drop(second);
        assert!(!joined());
    });
}

#[test]
fn says_what_is_wrong_with_the_interface() {
    in_namespace("says_what_is_wrong_with_the_interface", || {
        let error = PacketSocket::open(99, EtherType::Arp, &filter::arp([])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot bind a packet socket for Arp on interface 99"),
            "{error}"
        );

        let [_, b] = ethernet();
        let socket = PacketSocket::open(b, EtherType::Arp, &filter::arp([])).unwrap();
        ip("link set right down");
        assert_eq!(
            socket.send(&request("172.21.5.240").emit()).unwrap_err().kind(),
            ErrorKind::NetworkDown
        );
        ip("link delete right");
        let gone = socket.send(&request("172.21.5.240").emit()).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(6), "ENXIO");
    });
}
