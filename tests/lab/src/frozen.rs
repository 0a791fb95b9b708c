//! One thread of a process that is stopped: ptrace(2), since a signal stops all of them.
//!
//! Only the thread that has stopped another one can let it go on, and by its end it does. So one of our own stays for as
//! long.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::Process;

/// A thread that is stopped; it goes on when this is dropped.
#[derive(Debug)]
#[must_use = "the thread goes on when this is dropped"]
pub struct FrozenThread {
    /// Closed, it tells the tracer that it is over.
    held: Option<mpsc::Sender<Infallible>>,
    tracer: Option<JoinHandle<()>>,
}

impl FrozenThread {
    /// Stops the first thread of that name.
    pub(crate) fn named(processes: &[Process], name: &str) -> io::Result<Self> {
        let thread = processes.iter().find_map(|process| named(*process, name));
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such thread");
        Self::of(thread.ok_or_else(missing)?)
    }

    fn of(thread: Pid) -> io::Result<Self> {
        let (held, hold) = mpsc::channel();
        let (say, said) = mpsc::channel();
        let work = move || {
            let stopped = stop(thread);
            let is_stopped = stopped.is_ok();
            let _the_starter_waits = say.send(stopped);
            if is_stopped {
                let _closed: Result<Infallible, _> = hold.recv();
                // Whoever was killed meanwhile cannot go on.
                let _gone = ptrace::detach(thread, None::<Signal>);
            }
        };
        let tracer = Builder::new().name("tracer".to_owned()).spawn(work)?;
        said.recv().expect("the tracer says how its start went")?;
        Ok(Self {
            held: Some(held),
            tracer: Some(tracer),
        })
    }
}

impl Drop for FrozenThread {
    fn drop(&mut self) {
        self.held.take();
        if let Some(tracer) = self.tracer.take() {
            tracer.join().expect("the tracer does not panic");
        }
    }
}

/// The thread of that name (proc_pid_comm(5)).
fn named(process: Process, name: &str) -> Option<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.pid)).ok()?;
    let mut threads = tasks
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let thread = threads.find(|thread| {
        let called = fs::read_to_string(format!("/proc/{}/task/{thread}/comm", process.pid));
        called.is_ok_and(|called| called.trim_end() == name)
    });
    thread.map(Pid::from_raw)
}

/// Stops a thread, and waits until it stands still.
fn stop(thread: Pid) -> nix::Result<()> {
    ptrace::seize(thread, ptrace::Options::empty())?;
    ptrace::interrupt(thread)?;
    // Without __WALL only processes are waited for, and no other threads.
    match waitpid(thread, Some(WaitPidFlag::__WALL))? {
        WaitStatus::Exited(..) | WaitStatus::Signaled(..) => Err(Errno::ESRCH),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
