//! Interfaces as they come, change and go in a namespace.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{ethernet, in_namespace, ip};
use cortenlb_netio::link::{Link, LinkWatch, Links};
use tokio::sync::watch;

/// Waits until the interface with this name is as wanted.
async fn until(links: &mut watch::Receiver<Arc<Links>>, name: &str, wanted: impl Fn(Option<&Link>) -> bool) {
    let find = |links: &Arc<Links>| wanted(links.values().find(|link| link.name == name));
    let found = tokio::time::timeout(Duration::from_secs(10), links.wait_for(find))
        .await
        .is_ok();
    assert!(found, "{name} never became as wanted: {:?}", links.borrow());
}

#[test]
fn every_change_of_an_interface_is_told() {
    in_namespace("every_change_of_an_interface_is_told", || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let watch = LinkWatch::open().await.unwrap();
                let mut links = watch.subscribe();
                assert_eq!(
                    links
                        .borrow()
                        .values()
                        .map(|link| link.name.as_str())
                        .collect::<Vec<_>>(),
                    ["lo"]
                );
                tokio::spawn(watch.run());

                let [left, _] = ethernet();
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| {
                        link.index == left
                            && link.up
                            && link.carrier
                            && link.broadcast
                            && !link.noarp
                            && link.master.is_none()
                            && link.mac.is_some_and(|mac| mac.to_string() == "02:00:00:00:00:0a")
                    })
                })
                .await;
                // The kernel makes the link-local address; it is shown once duplicate address detection is over.
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| link.addresses.contains(&"fe80::ff:fe00:a".parse().unwrap()))
                })
                .await;
                ip("address add 172.21.5.11/24 dev left");
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| link.addresses.contains(&"172.21.5.11".parse().unwrap()))
                })
                .await;
                ip("link set left address 02:00:00:00:00:0c");
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| {
                        link.mac.is_some_and(|mac| mac.to_string() == "02:00:00:00:00:0c")
                    })
                })
                .await;
                ip("link set right down");
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| link.up && !link.carrier)
                })
                .await;
                ip("link set left arp off");
                until(&mut links, "left", |link| link.is_some_and(|link| link.noarp)).await;
                ip("link add name bridge type bridge");
                ip("link set left master bridge");
                until(&mut links, "left", |link| {
                    link.is_some_and(|link| link.master.is_some())
                })
                .await;
                ip("link delete left");
                until(&mut links, "left", |link| link.is_none()).await;
                until(&mut links, "right", |link| link.is_none()).await;
            });
    });
}
