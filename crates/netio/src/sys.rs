//! Every `unsafe` block: system calls behind functions that are safe to call with any arguments.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Nanoseconds of one of the kernel's clocks.
pub(crate) fn clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the one timespec that the call writes.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "every Linux that has packet sockets has clock {clock}");
    nanoseconds(time)
}

/// A time since an epoch as one number; zero for a time before it.
fn nanoseconds(time: libc::timespec) -> u64 {
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec)
        .saturating_mul(1_000_000_000)
        .saturating_add(part(time.tv_nsec))
}

/// What a system call that returns a negative number on failure has set `errno` to.
fn check(result: impl Into<libc::c_long>) -> io::Result<()> {
    if result.into() < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The soft and the hard limit on the number of descriptors.
pub(crate) fn descriptors() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the one rlimit that the call writes.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    check(result)?;
    Ok(limit)
}

/// Sets both of them.
pub(crate) fn set_descriptors(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is to an rlimit that outlives the call.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    check(result)
}

const CALLING_THREAD: libc::c_long = 0;
const NO_FLAGS: libc::c_long = 0;

/// How the calling thread is scheduled.
pub(crate) fn scheduling() -> io::Result<libc::sched_attr> {
    let size = mem::size_of::<libc::sched_attr>();
    // SAFETY: a sched_attr is made of numbers alone, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    // SAFETY: `attributes` is a valid place for as many bytes as the call is told that it may write.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            CALLING_THREAD,
            &raw mut attributes,
            size,
            NO_FLAGS,
        )
    };
    check(result)?;
    Ok(attributes)
}

/// Has it scheduled so.
pub(crate) fn set_scheduling(attributes: libc::sched_attr) -> io::Result<()> {
    // SAFETY: the pointer is to a sched_attr that outlives the call and says its own size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            CALLING_THREAD,
            &raw const attributes,
            NO_FLAGS,
        )
    };
    check(result)
}

/// `eventfd(2)`, not blocking.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `ppoll(2)` until one of the descriptors is readable or has failed, or the time is over.
pub(crate) fn ppoll(descriptors: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: pointer and length are those of one exclusive slice; the timespec, if any, outlives the call; no
    // signal mask is given.
    let result = unsafe {
        libc::ppoll(
            descriptors.as_mut_ptr(),
            descriptors.len() as libc::nfds_t,
            timeout,
            ptr::null(),
        )
    };
    check(result)
}

/// Binds a packet socket to an interface and a protocol (`packet(7)`).
pub(crate) fn bind_packet(socket: BorrowedFd<'_>, interface: u32, protocol: u16) -> io::Result<()> {
    let interface = i32::try_from(interface).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: sockaddr_ll consists of integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface;
    // SAFETY: the pointer is to a sockaddr_ll, and the length is its size.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    check(result)
}

/// Sets an integer option of a socket.
pub(crate) fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer is to an integer, and the length is its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    check(result)
}

/// `PACKET_STATISTICS`: frames that passed the filter, and those of them that the receive queue had no room for.
/// Reading sets both to zero.
pub(crate) fn packet_statistics(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    // `struct tpacket_stats` (linux/if_packet.h): two unsigned integers.
    let mut statistics = [0_u32; 2];
    let mut length = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the pointer is to as many bytes as the length says.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            statistics.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    check(result)?;
    Ok((statistics[0], statistics[1]))
}

/// Receives one datagram: its length, and the wall-clock time in nanoseconds that the kernel stamped it with.
pub(crate) fn receive_stamped(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
    // Room for one control message with a timespec (32 bytes with its header), aligned as the header needs.
    let mut control = [0_u64; 8];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: msghdr consists of integers and pointers, for which all zeros is a value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer in `header` is to a live buffer of the stated length, and none is shared.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok((length, stamp(&header)))
}

/// The time stamp among the control messages of a received datagram.
fn stamp(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel has filled in `header`, whose control buffer is still alive.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return null or a whole message header inside of the control buffer.
    while let Some(current) = unsafe { message.as_ref() } {
        if current.cmsg_level == libc::SOL_SOCKET && current.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: SCM_TIMESTAMPNS carries one timespec, perhaps unaligned.
            let time = unsafe { ptr::read_unaligned(libc::CMSG_DATA(current).cast::<libc::timespec>()) };
            return Some(nanoseconds(time));
        }
        // SAFETY: `current` was returned for the same header.
        message = unsafe { libc::CMSG_NXTHDR(header, current) };
    }
    None
}
