//! What may happen.

use proptest::prelude::*;

/// How many Services there are at most.
pub(crate) const SERVICES: usize = 6;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A Service is created, or edited.
    Edit(usize, Wish),
    Delete(usize),
    /// A Service is deleted while the write that gives it something is under way.
    DeleteInFlight(usize),
    /// Two Services ask for one address in the same instant.
    Twice(usize, usize, u8),
    /// Nonsense in the annotation of this number.
    Garbage(usize, usize, String),
    /// Somebody else writes an address into a status.
    Rival(usize, u8),
    /// The pools become those of this shape.
    Pools(usize),
    /// A reservation is made, or removed.
    Reserve(usize, Option<Reserve>),
    /// The namespace belongs to the team for which some pools are, or no longer.
    Team(bool),
    /// From now on requests fail at random.
    Errors,
    /// From now on every write takes 2 s.
    Slow,
    /// Requests are answered again.
    Calm,
    /// The API server stops for so many seconds, and goes on.
    Freeze(u16),
    /// The API server is away for so many seconds, and has forgotten its history.
    Restart(u16),
    /// Every watch ends.
    Break,
    /// The leader is killed and comes back at once.
    Kill,
    /// The wall clock is wrong by so many hours.
    Wall(i8),
    /// So many milliseconds pass.
    Wait(u16),
}

/// What a Service asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Plain,
    Address(u8),
    Dual,
    Sharing(u16),
    Reservation(usize),
    Pool(bool),
    NoLoadBalancer,
}

/// What a reservation keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserve {
    pub(crate) address: Option<u8>,
    /// The Service that it names.
    pub(crate) service: usize,
    pub(crate) retain: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => Just(Wish::Plain),
        3 => (0..8u8).prop_map(Wish::Address),
        1 => Just(Wish::Dual),
        2 => (80..84u16).prop_map(Wish::Sharing),
        1 => (0..2usize).prop_map(Wish::Reservation),
        1 => any::<bool>().prop_map(Wish::Pool),
        1 => Just(Wish::NoLoadBalancer),
    ]
}

fn garbage() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "",
        " ",
        ",",
        "10.0.0.1,",
        "10.0.0.1,10.0.0.2",
        "10.0.0.1/32",
        "fd00::1",
        "::ffff:10.0.0.1",
        "010.0.0.1",
        "-1",
        "0",
        "1",
        "2",
        "p",
        "q",
        "r0",
        "r0,r1,r2",
        "ns/r0",
        "a b",
        "\u{0}",
        "é",
    ];
    prop_oneof![
        3 => proptest::sample::select(KNOWN).prop_map(str::to_owned),
        1 => ".{0,40}",
    ]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let service = 0..SERVICES;
    let reserve = (proptest::option::of(0..8u8), service.clone(), any::<bool>());
    let reserve = reserve.prop_map(|(address, service, retain)| Reserve {
        address,
        service,
        retain,
    });
    prop_oneof![
        12 => (service.clone(), wish()).prop_map(|(service, wish)| Op::Edit(service, wish)),
        4 => service.clone().prop_map(Op::Delete),
        2 => service.clone().prop_map(Op::DeleteInFlight),
        2 => (service.clone(), service.clone(), 0..8u8).prop_map(|(one, other, last)| Op::Twice(one, other, last)),
        3 => (service.clone(), 0..11usize, garbage()).prop_map(|(service, which, text)| Op::Garbage(service, which, text)),
        2 => (service, 0..8u8).prop_map(|(service, last)| Op::Rival(service, last)),
        3 => (0..7usize).prop_map(Op::Pools),
        2 => (0..2usize, proptest::option::of(reserve)).prop_map(|(name, reserve)| Op::Reserve(name, reserve)),
        1 => any::<bool>().prop_map(Op::Team),
        3 => Just(Op::Errors),
        2 => Just(Op::Slow),
        2 => Just(Op::Calm),
        1 => (1..300u16).prop_map(Op::Freeze),
        1 => (0..20u16).prop_map(Op::Restart),
        1 => Just(Op::Break),
        1 => Just(Op::Kill),
        1 => (-30..30i8).prop_map(Op::Wall),
        6 => (0..3_000u16).prop_map(Op::Wait),
    ]
}
