//! Thousands of random schedules: one answerer wherever there can be one, two nowhere, and no move without a cause.
//!
//! The tests of this module are several so that they run at the same time.

use crate::play::play_all;
use crate::schedule::Schedule;

#[test]
fn two_and_three_nodes() {
    play_all("random::two_and_three", 4_000, |seed| {
        Schedule::random(seed, (2, 3), (1, 20))
    });
}

#[test]
fn four_and_five_nodes() {
    play_all("random::four_and_five", 3_500, |seed| {
        Schedule::random(seed, (4, 5), (1, 20))
    });
}

#[test]
fn six_and_seven_nodes() {
    play_all("random::six_and_seven", 2_500, |seed| {
        Schedule::random(seed, (6, 7), (1, 20))
    });
}

#[test]
fn fifty_nodes() {
    play_all("random::fifty", 100, |seed| {
        Schedule::random(seed, (50, 50), (1, 100))
    });
}

#[test]
fn five_hundred_nodes() {
    play_all("random::five_hundred", 5, |seed| {
        Schedule::random(seed, (500, 500), (10, 50))
    });
}

#[test]
fn hundreds_of_groups() {
    play_all("random::hundreds", 60, |seed| {
        Schedule::random(seed, (2, 7), (100, 2_000))
    });
}

#[test]
fn ten_thousand_groups() {
    play_all("random::ten_thousand", 12, |seed| {
        Schedule::random(seed, (3, 7), (10_000, 10_000))
    });
}
