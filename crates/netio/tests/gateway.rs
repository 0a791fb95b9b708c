//! The default gateway of a namespace as it comes, is learned, and goes.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{ethernet, in_namespace, ip};
use cortenlb_netio::gateway::{Gateway, GatewayWatch, Gateways};
use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use tokio::sync::watch;

/// Waits until the gateways are as expected.
async fn until(gateways: &mut watch::Receiver<Arc<Gateways>>, expected: Gateways) {
    let wanted = |found: &Arc<Gateways>| **found == expected;
    let found = tokio::time::timeout(Duration::from_secs(10), gateways.wait_for(wanted))
        .await
        .is_ok();
    assert!(
        found,
        "never {expected:?}, at last {:?}",
        gateways.borrow().clone()
    );
}

#[test]
fn every_change_of_a_gateway_is_told() {
    in_namespace("every_change_of_a_gateway_is_told", || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let watch = GatewayWatch::open().await.unwrap();
                let mut gateways = watch.subscribe();
                assert_eq!(**gateways.borrow(), Gateways::new());
                tokio::spawn(watch.run());

                let [left, _] = ethernet();
                ip("address add 172.21.5.11/24 dev left");
                ip("route add default via 172.21.5.1");
                let v4 = |mac| {
                    let gateway = Gateway {
                        address: "172.21.5.1".parse().unwrap(),
                        mac,
                        subnets: vec![("172.21.5.0".parse().unwrap(), 24)],
                    };
                    ((left, EtherType::Arp), gateway)
                };
                until(&mut gateways, Gateways::from([v4(None)])).await;
                let mac = MacAddr([2, 0, 0, 0, 0, 0xfe]);
                ip("neighbour replace 172.21.5.1 lladdr 02:00:00:00:00:fe dev left");
                until(&mut gateways, Gateways::from([v4(Some(mac))])).await;

                ip("-6 address add fd00:5::11/64 dev left nodad");
                ip("-6 route add default via fe80::fe dev left");
                let v6 = Gateway {
                    address: "fe80::fe".parse().unwrap(),
                    mac: None,
                    subnets: vec![("fd00:5::".parse().unwrap(), 64), ("fe80::".parse().unwrap(), 64)],
                };
                let both = Gateways::from([v4(Some(mac)), ((left, EtherType::Ipv6), v6.clone())]);
                until(&mut gateways, both).await;
                ip("route delete default");
                until(&mut gateways, Gateways::from([((left, EtherType::Ipv6), v6)])).await;
            });
    });
}
