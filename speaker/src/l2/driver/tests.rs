//! What the thread does, one turn after the other, on real sockets in a network namespace of its own.

use std::net::Ipv4Addr;

use cortenlb_proto::cluster::NodeId;
use cortenlb_wire::member::{Body, Datagram, Life, Member, Phase, Unanswered};
use cortenlb_wire::{arp, filter};
use prometheus_client::registry::Registry;

use super::*;
use crate::l2::attached::Ports;
use crate::l2::attached::tests::mk_attached;
use crate::l2::tests::{
    CLIENT, CLIENT_MAC, NODE, NODE_MAC, SET_UP, Segment, VIP, in_namespace, mk_mailbox, plan, segment,
};

/// So long a turn waits for a frame.
const WAIT: Duration = Duration::from_millis(20);

/// The machine of a node that has answered for the VIP for some 30 s: earlier nobody's complaint would count.
fn mk_owner(node: u32) -> Ownership {
    let end = now();
    let mut at = Instant(end.0 - 30_000_000_000);
    let mut ownership = Ownership::new(at, NodeId::of(NODE), 0, 0);
    ownership.handle(at, cluster::Input::Forwards(true));
    ownership.set_names(BTreeMap::from([(node, "node".to_owned())]));
    let port = mk_attached(0x0a, true, &["172.21.5.0/24"]);
    ownership.set_ports(at, Ports::from([(node, port)]));
    ownership.set_plan(at, plan(&["172.21.5.240"]));
    while at < end {
        at = (at + WAIT).min(end);
        ownership.tick(at);
    }
    while ownership.poll_action().is_some() {}
    // What it answers for is told anew.
    ownership.set_plan(end, plan(&["172.21.5.240"]));
    ownership
}

/// Another node has asked for the VIP in vain, twice.
fn mk_complaint() -> Vec<u8> {
    let group = VIP.into();
    let from = Member {
        id: NodeId::of("n2"),
        life: Life {
            born: 1,
            incarnation: 0,
        },
        phase: Phase::Up,
    };
    let body = Body::Unanswered(Unanswered {
        group,
        address: group,
        epoch: 1,
        times: 2,
    });
    let sequence = 1;
    Datagram { from, sequence, body }.emit()
}

/// One turn of the thread's loop.
fn turn(driver: &mut Driver) {
    let sockets = driver.ports.values().map(|port| port.socket.as_fd());
    driver.poller.wait(sockets, Some(WAIT)).unwrap();
    driver.ownership.tick(now());
    driver.work();
    let ports: Vec<Port> = driver.ports.keys().copied().collect();
    ports.into_iter().for_each(|port| driver.receive(port));
    driver.responder.handle_input(now(), Input::Timeout);
    driver.work();
}

/// Asks once for the VIP from the client's side.
fn is_answered(driver: &mut Driver, client: &PacketSocket) -> bool {
    let mut buffer = [0; 2048];
    while client.receive(&mut buffer).is_ok() {}
    let request = arp::Repr::request(CLIENT_MAC, CLIENT, VIP);
    client.send(&request.emit()).unwrap();
    for _ in 0..10 {
        turn(driver);
        while let Ok(received) = client.receive(&mut buffer) {
            if arp::Repr::parse(&buffer[..received.length]) == Ok(request.answer(NODE_MAC)) {
                return true;
            }
        }
    }
    false
}

#[test]
fn an_owner_that_is_told_that_it_is_not_heard_opens_its_sockets_anew() {
    in_namespace(
        "l2::driver::tests::an_owner_that_is_told_that_it_is_not_heard_opens_its_sockets_anew",
        SET_UP,
        "+net_raw",
        async || {
            let Segment {
                node,
                client,
                interfaces,
            } = segment().await;
            let poller = Poller::new().unwrap();
            let mailbox = mk_mailbox(&poller);
            let metrics = Metrics::register(&mut Registry::default());
            let machines = (Responder::new(None), mk_owner(node), None);
            let mut driver = Driver::new(poller, mailbox, metrics, machines, Told::default());
            driver
                .responder
                .handle_input(now(), Input::Interfaces(interfaces));
            driver.work();
            let client = PacketSocket::open(client, EtherType::Arp, &filter::arp([VIP])).unwrap();
            assert!(is_answered(&mut driver, &client));

            // The socket is open, and hears nothing about the VIP any more: what an owner cannot see.
            let deafen = |driver: &Driver| {
                let elsewhere = filter::arp([Ipv4Addr::new(192, 0, 2, 1)]);
                let port = &driver.ports[&(node, EtherType::Arp)];
                port.socket.set_filter(&elsewhere).unwrap();
            };
            deafen(&driver);
            assert!(!is_answered(&mut driver, &client));
            let complaint = mk_complaint();
            driver
                .ownership
                .handle(now(), cluster::Input::Datagram(&complaint));
            driver.work();
            assert!(is_answered(&mut driver, &client));

            // All that is announced there is told anew each time, so that it is done once a minute at most.
            deafen(&driver);
            driver.reopen(&[node]);
            driver.work();
            assert!(!is_answered(&mut driver, &client));
        },
    );
}
