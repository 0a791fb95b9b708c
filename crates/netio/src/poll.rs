//! Waiting for several sockets and for a waker, on a thread of its own: `ppoll(2)` and `eventfd(2)`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::sys;

/// Waits for sockets and for its [`Waker`]s.
#[derive(Debug)]
pub struct Poller {
    event: Arc<File>,
    descriptors: Vec<libc::pollfd>,
}

/// Ends the [`Poller`]'s wait, the present one or the next. Clones wake the same poller.
#[derive(Clone, Debug)]
pub struct Waker {
    event: Arc<File>,
}

/// Why a wait is over; neither, if its time was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A waker was used.
    pub woken: bool,
    /// The positions of the sources that want attention, in order.
    pub sources: Vec<usize>,
}

impl Poller {
    /// A poller that nobody has woken.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            event: Arc::new(File::from(sys::eventfd()?)),
            descriptors: Vec::new(),
        })
    }

    /// A waker for another thread.
    pub fn waker(&self) -> Waker {
        Waker {
            event: Arc::clone(&self.event),
        }
    }

    /// Waits until a source is readable or has an error to tell, a waker was used, or `timeout` is over (`None`:
    /// never).
    ///
    /// # Errors
    /// Those of `ppoll(2)`; an interruption by a signal is not one.
    pub fn wait<'a>(
        &mut self,
        sources: impl IntoIterator<Item = BorrowedFd<'a>>,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let entry = |fd: BorrowedFd<'_>| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        self.descriptors.clear();
        self.descriptors.push(entry(self.event.as_fd()));
        self.descriptors.extend(sources.into_iter().map(entry));
        match sys::ppoll(&mut self.descriptors, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Ready::default()),
            result => result?,
        }
        let (event, sources) = self
            .descriptors
            .split_first()
            .expect("the first descriptor is the waker's");
        let woken = event.revents != 0;
        if woken {
            // Sets the count of wakes to zero; it cannot fail after poll has found it readable.
            (&*self.event).read_exact(&mut [0; 8])?;
        }
        let ready = sources.iter().enumerate();
        let ready = ready.filter(|(_, source)| source.revents != 0);
        Ok(Ready {
            woken,
            sources: ready.map(|(at, _)| at).collect(),
        })
    }
}

impl Waker {
    /// Ends the wait.
    pub fn wake(&self) {
        // The one possible failure is a full counter (2^64 - 2 wakes unseen), which wakes all the same.
        let _ = (&*self.event).write(&1_u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests;
