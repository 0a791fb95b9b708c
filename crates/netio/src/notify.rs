//! What following the kernel's state by netlink notifications takes, whatever the state.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::watch;

use crate::link::Error;

/// The most notifications that share one look at the kernel's state; further ones cost one look more.
const SHARED: usize = 1_024;

/// Notifications, as many at a time as have come.
pub(crate) type Notifications = BoxStream<'static, Vec<NetlinkMessage<RouteNetlinkMessage>>>;

/// Subscribes to notifications; the handle asks for the state. What is asked after this misses no change. Needs a
/// tokio runtime, and no capability.
pub(crate) fn subscribe(groups: &[MulticastGroup]) -> Result<(Handle, Notifications), Error> {
    let (connection, handle, notifications) =
        rtnetlink::new_multicast_connection(groups).map_err(Error::Open)?;
    // Ends by itself when the handle is dropped.
    tokio::spawn(connection);
    let notifications = notifications.map(|(message, _)| message).ready_chunks(SHARED);
    Ok((handle, notifications.boxed()))
}

/// Tells the subscribers of `state` if it has changed.
pub(crate) fn publish<T: PartialEq>(state: &watch::Sender<Arc<T>>, new: T) {
    state.send_if_modified(|current| {
        let changed = **current != new;
        if changed {
            *current = Arc::new(new);
        }
        changed
    });
}
