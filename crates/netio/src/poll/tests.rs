use std::os::unix::net::UnixDatagram;

use super::*;

#[test]
fn a_wake_before_the_wait_ends_it_once() {
    let mut poller = Poller::new().unwrap();
    poller.waker().wake();
    poller.waker().wake();
    let woken = Ready {
        woken: true,
        sources: Vec::new(),
    };
    assert_eq!(poller.wait([], None).unwrap(), woken);
    let again = poller.wait([], Some(Duration::ZERO)).unwrap();
    assert_eq!(again, Ready::default(), "both wakes were taken at once");
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    let thread = std::thread::spawn(move || waker.wake());
    assert!(poller.wait([], None).unwrap().woken);
    thread.join().unwrap();
}

#[test]
fn names_the_sources_that_are_readable() {
    let mut poller = Poller::new().unwrap();
    let pairs: Vec<_> = (0..3).map(|_| UnixDatagram::pair().unwrap()).collect();
    pairs[2].1.send(b"x").unwrap();
    let ready = poller
        .wait(pairs.iter().map(|pair| pair.0.as_fd()), None)
        .unwrap();
    assert_eq!((ready.woken, ready.sources.as_slice()), (false, &[2][..]));
}
