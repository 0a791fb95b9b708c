//! Random sequences of what users, administrators, other controllers, the network and the clock do. After the last
//! fault's end the state is right within a second, and meanwhile no address was held twice.

mod ops;
mod run;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use tokio::time::sleep;

use crate::faults::ops::{Op, op};
use crate::faults::run::Run;
use crate::oracle;

const SECOND: Duration = Duration::from_secs(1);

/// A debug build does about twenty a second; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES");
    asked.map_or(256, |text| text.parse().unwrap())
}

fn play(ops: Vec<Op>, seed: u64) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new(seed).await;
        for op in ops {
            run.act(op).await;
            run.cluster.observer.check();
        }
        let limit = run.end().await;
        run.cluster.until_right(limit).await;
        // And it stays right. Counters follow within a second, and what cools down does for five.
        sleep(7 * SECOND).await;
        let before = run.cluster.writes();
        sleep(20 * SECOND).await;
        run.cluster.observer.check();
        assert_eq!(run.cluster.writes()[before.len()..], [""; 0]);
        let missing = oracle::missing(&run.cluster.fake, &run.cluster.settings, true);
        assert!(missing.is_empty(), "{missing:#?}");
    });
}

proptest! {
    #![proptest_config(Config { cases: cases(), max_shrink_iters: 200, ..Config::default() })]

    #[test]
    fn after_the_last_fault_the_state_is_right(ops in proptest::collection::vec(op(), 1..25), seed: u64) {
        play(ops, seed);
    }
}
