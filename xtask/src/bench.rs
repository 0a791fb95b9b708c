//! `cargo xtask bench`: one line `name value unit` per figure. Ratios are measured in one run; nothing is asserted,
//! since machines are shared.

mod controller;
mod ipam;
mod l2;
mod usage;

use std::time::Duration;

use clap::Args;
use cortenlb_e2e::Product;
use cortenlb_e2e::cluster::Cluster;
use cortenlb_lab::{Lab, LabOptions};

/// Measure; prints one line `name value unit` per figure.
#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure; everything when none is named.
    #[arg(value_enum)]
    areas: Vec<Area>,
    /// Numbers of pending Services of the bulk measurement.
    #[arg(long, value_delimiter = ',', default_values_t = [2000, 10_000])]
    services: Vec<usize>,
    /// Minutes for which the controller is left alone while its writes are counted.
    #[arg(long, default_value_t = 10)]
    idle: u64,
    /// Numbers of VIPs of the layer 2 measurement; what has no number in its name is measured with the last.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [1, 200], value_parser = l2::vips)]
    vips: Vec<usize>,
    /// How often each fault happens; by default 20 times, some of them less often (docs/benchmarks.md). The 99th
    /// percentile of fewer than 100 runs is the longest.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// What happens in the layer 2 measurement; by default what takes little time and no lab of its own.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',', default_values_t = l2::FAST)]
    scenes: Vec<l2::Act>,
    /// Every scene of layer 2, also while no API server answers; each fault for each number of VIPs, none less often than
    /// others. Takes many hours.
    #[arg(long, conflicts_with_all = ["scenes", "paused"])]
    all: bool,
    /// Cut off, unplug and kill once more, while no API server answers.
    #[arg(long)]
    paused: bool,
    /// Keep every core busy for this long (90s, 10m, 1h), and see who answers.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    busy: Option<Duration>,
    /// Send this many frames of noise, and see who answers.
    #[arg(long, value_name = "FRAMES")]
    noise: Option<u64>,
    /// The name of the lab.
    #[arg(long, default_value = "bench")]
    name: String,
}

/// The areas that have benchmarks.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Area {
    /// The allocator alone.
    Ipam,
    /// The controller on a real API server, and the memory of controller and speaker.
    Controller,
    /// Who answers for a VIP when nodes and speakers come and go.
    L2,
}

/// Brings a lab up, measures on it, and takes it down.
async fn on_lab(
    area: &str,
    options: LabOptions,
    product: &Product,
    measure: impl AsyncFnOnce(&Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = options.name.clone();
    let cluster = Cluster::up_as(options, product.clone()).await?;
    let outcome = measure(&cluster).await;
    if outcome.is_err() {
        cluster.dump(&format!("bench-{area}")).await;
    }
    Lab::down(&name).await?;
    outcome
}

impl Bench {
    /// Measures the areas that are asked for.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self {
            areas,
            services,
            idle,
            vips,
            runs,
            scenes,
            all,
            paused,
            busy,
            noise,
            name,
        } = self;
        let wanted = |area| areas.is_empty() || areas.contains(&area);
        if wanted(Area::Ipam) {
            ipam::run().await?;
        }
        if wanted(Area::Controller) {
            let idle = Duration::from_secs(60 * idle);
            controller::run(&name, controller::Plan { services, idle }).await?;
        }
        if wanted(Area::L2) {
            let plan = l2::Plan {
                vips,
                runs,
                all,
                scenes,
                paused,
                busy,
                noise,
            };
            l2::run(&name, plan).await?;
        }
        Ok(())
    }
}

/// Reads a number of seconds, minutes or hours.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no time: 90s, 10m, 1h");
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(seconds) * number)
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.3} {unit}");
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The least value that `percent` of the values do not exceed (the nearest rank); NaN without values.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
