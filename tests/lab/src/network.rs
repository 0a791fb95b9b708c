//! The network of a lab: namespaces, bridges, cables, addresses and routes. [`scripts`] is pure; [`create`] runs it.

use std::fmt::Write as _;

use crate::command::{CommandError, run_with};
use crate::plan::{Host, Plan, SERVICE_RANGES, Segment, pod_ranges};

/// Commands for one namespace; without a namespace they are the machine's own.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    namespace: Option<String>,
    /// Lines of `path value` below /proc/sys/net; a kernel without one of them does not need it.
    settings: String,
    /// Lines for `ip -batch`.
    commands: String,
}

/// Makes the network of `plan`; on an error the part that exists stays, for `down` to remove.
pub(crate) async fn create(plan: &Plan) -> Result<(), CommandError> {
    for script in scripts(plan) {
        let Script {
            namespace,
            settings,
            commands,
        } = script;
        match namespace {
            None => {
                run_with("ip", &["-batch", "-"], &commands).await?;
            }
            Some(namespace) => {
                run_with(
                    "nsenter",
                    &[&format!("--net=/run/netns/{namespace}"), "sh", "-c", APPLY],
                    &settings,
                )
                .await?;
                run_with("ip", &["-n", &namespace, "-batch", "-"], &commands).await?;
            }
        }
    }
    Ok(())
}

const APPLY: &str = "while read -r path value; do \
    if [ -e /proc/sys/net/$path ]; then echo $value > /proc/sys/net/$path; fi; done";

fn scripts(plan: &Plan) -> Vec<Script> {
    let hosts = plan.hosts();
    let spaces = hosts.iter().map(|host| plan.namespace(*host)).chain([plan.lan()]);
    let spaces = spaces
        .map(|namespace| format!("netns add {namespace}\n"))
        .collect();
    let mut scripts = vec![Script {
        namespace: None,
        settings: String::new(),
        commands: spaces,
    }];
    scripts.push(cables(plan, &hosts));
    scripts.push(bridges(plan, &hosts));
    scripts.extend(hosts.iter().map(|host| host_script(plan, *host)));
    scripts
}

/// One cable for each place of a host on a segment, and the one from the machine to the control plane.
fn cables(plan: &Plan, hosts: &[Host]) -> Script {
    let (lan, mut commands) = (plan.lan(), String::new());
    for host in hosts {
        for segment in plan.segments_of(*host) {
            let (port, interface, mac) = (host.port(segment), segment.interface(), host.mac(segment));
            let namespace = plan.namespace(*host);
            line(
                &mut commands,
                &format!(
                    "link add {port} netns {lan} type veth peer name {interface} address {mac} netns {namespace}"
                ),
            );
        }
    }
    let (interface, namespace) = (plan.access_interface(), plan.namespace(Host::ControlPlane));
    line(
        &mut commands,
        &format!("link add {interface} type veth peer name uplink netns {namespace}"),
    );
    line(
        &mut commands,
        &format!("addr add {}/30 dev {interface}", plan.access_here()),
    );
    line(&mut commands, &format!("link set {interface} up"));
    Script {
        namespace: None,
        settings: String::new(),
        commands,
    }
}

/// The bridges have no addresses of their own, and frames on them meet no packet filter.
fn bridges(plan: &Plan, hosts: &[Host]) -> Script {
    let mut commands = String::new();
    for segment in plan.segments() {
        // Without a querier on the segment, snooping would only delay multicast that it has not learned yet.
        line(
            &mut commands,
            &format!("link add {} type bridge mcast_snooping 0", segment.bridge()),
        );
        line(&mut commands, &format!("link set {} up", segment.bridge()));
    }
    for host in hosts {
        for segment in plan.segments_of(*host) {
            line(
                &mut commands,
                &format!("link set {} master {} up", host.port(segment), segment.bridge()),
            );
        }
    }
    let settings = "ipv6/conf/all/disable_ipv6 1\nipv6/conf/default/disable_ipv6 1\n\
        bridge/bridge-nf-call-iptables 0\nbridge/bridge-nf-call-ip6tables 0\nbridge/bridge-nf-call-arptables 0\n";
    Script {
        namespace: Some(plan.lan()),
        settings: settings.to_owned(),
        commands,
    }
}

fn host_script(plan: &Plan, host: Host) -> Script {
    let mut settings = String::from(
        "ipv4/conf/all/rp_filter 0\nipv4/conf/default/rp_filter 0\n\
         ipv6/conf/all/accept_dad 0\nipv6/conf/default/accept_dad 0\n\
         ipv6/conf/all/accept_ra 0\nipv6/conf/default/accept_ra 0\n",
    );
    if matches!(host, Host::Node(_) | Host::Router) {
        settings.push_str("ipv4/ip_forward 1\nipv6/conf/all/forwarding 1\n");
    }
    if matches!(host, Host::Node(_)) {
        // A pod that reaches another pod of its node through a ClusterIP: the answer must pass the NAT again.
        settings.push_str("bridge/bridge-nf-call-iptables 1\nbridge/bridge-nf-call-ip6tables 1\n");
    }

    let mut commands = String::from("link set lo up\n");
    for segment in plan.segments_of(host) {
        let interface = segment.interface();
        line(&mut commands, &format!("link set {interface} up"));
        line(
            &mut commands,
            &format!("addr add {}/24 dev {interface}", host.ipv4(segment)),
        );
        line(
            &mut commands,
            &format!("addr add {}/64 dev {interface} nodad", host.ipv6(segment)),
        );
    }
    if host == Host::ControlPlane {
        line(&mut commands, "link set uplink up");
        line(
            &mut commands,
            &format!("addr add {}/30 dev uplink", plan.access_there()),
        );
        // A ClusterIP needs a route, any route, before kube-proxy's rules see the packet and lead it elsewhere.
        let interface = plan.cluster_segment().interface();
        for range in SERVICE_RANGES.split(',') {
            line(&mut commands, &format!("route add {range} dev {interface}"));
        }
    }
    if matches!(host, Host::Node(_) | Host::Client) {
        // The router leads nowhere else: it is there to be a gateway, and later a BGP neighbour.
        line(
            &mut commands,
            &format!("route add default via {}", Host::Router.ipv4(Segment::Vip)),
        );
        line(
            &mut commands,
            &format!("route add default via {}", Host::Router.ipv6(Segment::Vip)),
        );
    }
    if host != Host::Client {
        for node in plan.nodes().filter(|node| *node != host) {
            for (range, via) in pod_ranges(node).iter().zip(plan.cluster_addresses(node)) {
                line(&mut commands, &format!("route add {range} via {via}"));
            }
        }
    }
    Script {
        namespace: Some(plan.namespace(host)),
        settings,
        commands,
    }
}

fn line(script: &mut String, text: &str) {
    writeln!(script, "{text}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests;
