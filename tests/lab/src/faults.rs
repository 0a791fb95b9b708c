//! What can go wrong with a node or the API server, on purpose.

use std::fs;
use std::net::Ipv4Addr;

use crate::command;
use crate::error::LabError;
use crate::frozen::FrozenThread;
use crate::lab::Lab;
use crate::plan::{Host, Segment};
use crate::process::{self, Process, Server, Signal};
use crate::start::Start;
use crate::wait::gone;

/// The program that a speaker's container runs.
const SPEAKER: &str = "speaker";

/// Its thread that answers, and says that it does.
const ANSWERING: &str = "layer2";

impl Lab {
    /// Cuts a node off from all segments without telling anybody, as a power failure does: its carrier stays.
    ///
    /// # Errors
    /// There is no such node. A second cut changes nothing.
    pub async fn cut(&self, node: &str) -> Result<(), LabError> {
        self.port_state(node, "0").await
    }

    /// Undoes [`Lab::cut`].
    ///
    /// # Errors
    /// There is no such node. Healing a node that is not cut changes nothing.
    pub async fn heal(&self, node: &str) -> Result<(), LabError> {
        self.port_state(node, "3").await
    }

    /// States of a bridge's port without spanning tree: 0 drops everything, 3 forwards (bridge(8)).
    async fn port_state(&self, node: &str, state: &str) -> Result<(), LabError> {
        let node = self.plan.node(node)?;
        for segment in self.plan.segments_of(node) {
            let words = [
                "-netns",
                &self.plan.lan(),
                "link",
                "set",
                "dev",
                &node.port(segment),
                "state",
                state,
            ];
            command::run("bridge", &words).await?;
        }
        Ok(())
    }

    /// Loses the frames in which a node says by ARP that it has an address, and nothing else that it sends: to everybody
    /// else on the VIP segment it does not answer for that address.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn mute(&self, node: &str, address: Ipv4Addr) -> Result<(), LabError> {
        let port = self.plan.node(node)?.port(Segment::Vip);
        let address = address.to_string();
        let rule = [
            "-A",
            "FORWARD",
            "-i",
            &port,
            "-p",
            "ARP",
            "--arp-ip-src",
            &address,
            "-j",
            "DROP",
        ];
        self.filter_frames(&rule).await
    }

    /// Loses the UDP datagrams to a port that one node sends to another one over the segment of the cluster; what is sent
    /// the other way comes through.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn block(&self, from: &str, to: &str, port: u16) -> Result<(), LabError> {
        let segment = self.plan.cluster_segment();
        let (from, to) = (self.plan.node(from)?, self.plan.node(to)?);
        let (from, to, port) = (from.port(segment), to.port(segment), port.to_string());
        for [family, protocol, destination] in [
            ["IPv4", "--ip-proto", "--ip-dport"],
            ["IPv6", "--ip6-proto", "--ip6-dport"],
        ] {
            let rule = [
                "-A",
                "FORWARD",
                "-i",
                &from,
                "-o",
                &to,
                "-p",
                family,
                protocol,
                "udp",
                destination,
                &port,
                "-j",
                "DROP",
            ];
            self.filter_frames(&rule).await?;
        }
        Ok(())
    }

    /// Undoes every [`Lab::mute`] and [`Lab::block`].
    ///
    /// # Errors
    /// The filter cannot be changed.
    pub async fn unmute(&self) -> Result<(), LabError> {
        self.filter_frames(&["-F", "FORWARD"]).await
    }

    async fn filter_frames(&self, rule: &[&str]) -> Result<(), LabError> {
        let lan = self.plan.lan();
        let words = ["netns", "exec", &lan, "ebtables"];
        command::run("ip", &[&words[..], rule].concat()).await?;
        Ok(())
    }

    /// Takes the carrier of the VIP segment away from a node.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn unplug(&self, node: &str) -> Result<(), LabError> {
        self.carrier(node, "down").await
    }

    /// Undoes [`Lab::unplug`].
    ///
    /// # Errors
    /// There is no such node.
    pub async fn plug(&self, node: &str) -> Result<(), LabError> {
        self.carrier(node, "up").await
    }

    async fn carrier(&self, node: &str, state: &str) -> Result<(), LabError> {
        let port = self.plan.node(node)?.port(Segment::Vip);
        command::run("ip", &["-n", &self.plan.lan(), "link", "set", &port, state]).await?;
        Ok(())
    }

    /// Stops the speaker of a node in the middle of whatever it does (SIGSTOP).
    ///
    /// # Errors
    /// There is no such node, or no speaker on it.
    pub async fn freeze(&self, node: &str) -> Result<(), LabError> {
        self.signal_speaker(node, Signal::Stop).await
    }

    /// Undoes [`Lab::freeze`].
    ///
    /// # Errors
    /// There is no such node, or no speaker on it.
    pub async fn thaw(&self, node: &str) -> Result<(), LabError> {
        self.signal_speaker(node, Signal::Continue).await
    }

    /// Stops the thread with which the speaker of a node answers, and nothing else of it, until what is returned is dropped.
    ///
    /// # Errors
    /// There is no such node, or no speaker on it, or its thread cannot be traced.
    pub fn freeze_thread(&self, node: &str) -> Result<FrozenThread, LabError> {
        let frozen = FrozenThread::named(&self.speakers(node)?, ANSWERING);
        frozen.map_err(|source| LabError::Thread {
            thread: ANSWERING,
            node: node.to_owned(),
            source,
        })
    }

    async fn signal_speaker(&self, node: &str, signal: Signal) -> Result<(), LabError> {
        Ok(process::signal(signal, &self.speakers(node)?).await?)
    }

    /// A speaker's pod uses its node's network, so it is found in the node's namespace.
    fn speakers(&self, node: &str) -> Result<Vec<Process>, LabError> {
        let namespace = self.node_namespace(self.plan.node(node)?);
        let number = process::namespace_number(format!("/run/netns/{namespace}")).unwrap_or_default();
        let speakers: Vec<Process> = process::in_namespace(number)
            .filter(|process| is_program(*process, SPEAKER))
            .collect();
        if speakers.is_empty() {
            return Err(LabError::NoProcess {
                process: SPEAKER,
                node: node.to_owned(),
            });
        }
        Ok(speakers)
    }

    /// Ends a container without notice (SIGKILL); `container` is its identifier in the pod's status, with or without
    /// `containerd://`.
    ///
    /// # Errors
    /// The process cannot be signalled; one that does not run any more is not an error.
    pub async fn kill_container(&self, container: &str) -> Result<(), LabError> {
        let processes: Vec<Process> = container_processes(container).collect();
        Ok(process::signal(Signal::Kill, &processes).await?)
    }

    /// The process number of a container on this machine; see [`Lab::kill_container`].
    pub fn container_pid(&self, container: &str) -> Option<u32> {
        Some(container_processes(container).next()?.pid)
    }

    /// Stops the API server (SIGSTOP): connections stay open, nothing is answered.
    ///
    /// # Errors
    /// It does not run.
    pub async fn pause_api(&self) -> Result<(), LabError> {
        self.signal_api(Signal::Stop).await
    }

    /// Undoes [`Lab::pause_api`].
    ///
    /// # Errors
    /// It does not run.
    pub async fn resume_api(&self) -> Result<(), LabError> {
        self.signal_api(Signal::Continue).await
    }

    /// Ends the API server without notice (SIGKILL): connections break, and new ones are refused.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill_api(&self) -> Result<(), LabError> {
        let server = self.api_server()?;
        process::signal(Signal::Kill, &[server.process]).await?;
        gone(server.process).await;
        Ok(())
    }

    /// Starts the API server again with its command line, over the etcd that went on, and waits until it is ready.
    ///
    /// It has everything that was stored, and nothing of what led there: its watch cache begins now, so that a watch
    /// from an older version is told 410 (Expired).
    ///
    /// # Errors
    /// It runs already, or ends again, or is not ready in time.
    pub async fn start_api(&self) -> Result<(), LabError> {
        if self.api_server().is_ok() {
            return Err(LabError::ApiRuns);
        }
        let start = Start {
            plan: &self.plan,
            folder: &self.folder,
            servers: &self.servers,
        };
        start.api_server().await.map(|_| ())
    }

    /// [`Lab::kill_api`] and [`Lab::start_api`].
    ///
    /// # Errors
    /// As theirs.
    pub async fn restart_api(&self) -> Result<(), LabError> {
        self.kill_api().await?;
        self.start_api().await
    }

    async fn signal_api(&self, signal: Signal) -> Result<(), LabError> {
        Ok(process::signal(signal, &[self.api_server()?.process]).await?)
    }

    /// The API server, if it runs.
    fn api_server(&self) -> Result<Server, LabError> {
        let name = format!("{}-kube-apiserver", Host::ControlPlane);
        let server = Server::of(&self.folder, &name).filter(|server| server.process.is_running());
        server.ok_or(LabError::NoProcess {
            process: "kube-apiserver",
            node: Host::ControlPlane.to_string(),
        })
    }
}

/// The processes in the control group of a container, whose path ends in its identifier.
fn container_processes(container: &str) -> impl Iterator<Item = Process> {
    let identifier = container.trim_start_matches("containerd://");
    process::all().filter(move |process| {
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
        !identifier.is_empty() && groups.lines().any(|line| line.ends_with(identifier))
    })
}

fn is_program(process: Process, name: &str) -> bool {
    let program = fs::read_link(format!("/proc/{}/exe", process.pid));
    program.is_ok_and(|program| program.file_name().is_some_and(|file| file == name))
}
