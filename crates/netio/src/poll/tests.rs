use std::os::unix::net::UnixDatagram;

use super::*;

#[test]
fn a_wake_before_the_wait_ends_it_once() {
    let mut poller = Poller::new().unwrap();
    poller.waker().wake();
    poller.waker().wake();
    assert_eq!(poller.wait([], None).unwrap(), []);
    assert_eq!(poller.wait([], Some(Duration::ZERO)).unwrap(), []);
    assert_eq!(poller.descriptors[0].revents, 0, "both wakes were taken at once");
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    let thread = std::thread::spawn(move || waker.wake());
    poller.wait([], None).unwrap();
    thread.join().unwrap();
}

#[test]
fn names_the_sources_that_are_readable() {
    let mut poller = Poller::new().unwrap();
    let pairs: Vec<_> = (0..3).map(|_| UnixDatagram::pair().unwrap()).collect();
    pairs[2].1.send(b"x").unwrap();
    assert_eq!(
        poller
            .wait(pairs.iter().map(|pair| pair.0.as_fd()), None)
            .unwrap(),
        [2]
    );
}
