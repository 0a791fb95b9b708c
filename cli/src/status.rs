//! `status`: how full the pools are, and who answers for which address.

use std::net::IpAddr;

use cortenlb_core::addr::Family;
use cortenlb_core::ipam::Usage;
use cortenlb_core::name::ServiceKey;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::facts::Facts;
use crate::failovers::{Change, Told, Unread, last_move};
use crate::model::Addresses;
use crate::page::{Cell, Page, Report, Table, Tone, age, joined};

/// What there is at the moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pools: Vec<PoolLine>,
    vips: Vec<VipLine>,
    waiting: Vec<WaitingLine>,
    /// Speakers that could not be asked for the last moves.
    unread: Vec<Unread>,
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PoolLine {
    pool: String,
    /// None: it has no addresses of this family.
    ipv4: Option<Fill>,
    ipv6: Option<Fill>,
    auto_assign: bool,
    /// Why it is ignored.
    ignored: Option<String>,
}

/// Numbers of addresses; each stands still at 2^64 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fill {
    assigned: u64,
    /// Reserved or cooling down.
    withheld: u64,
    total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct VipLine {
    address: IpAddr,
    service: String,
    pool: Option<String>,
    /// The nodes that say that they announce it; more than one for a moment.
    nodes: Vec<String>,
    /// Seconds since the newest of them said so.
    since: Option<i64>,
    last_move: Option<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitingLine {
    service: String,
    reason: String,
    message: String,
}

/// What there is; `told` are the time lines of the speakers.
pub(crate) fn report(facts: &Facts, told: &[Told]) -> Status {
    let addresses = Addresses::of(facts, &facts.pools);
    let mut pools: Vec<PoolLine> = addresses
        .valid
        .values()
        .map(|pool| PoolLine {
            pool: pool.name().to_owned(),
            ipv4: Fill::of(addresses.allocator.usage(pool.name(), Family::V4)),
            ipv6: Fill::of(addresses.allocator.usage(pool.name(), Family::V6)),
            auto_assign: pool.auto_assign(),
            ignored: None,
        })
        .collect();
    pools.extend(addresses.ignored.iter().map(|(pool, why)| PoolLine {
        pool: pool.clone(),
        ipv4: None,
        ipv6: None,
        auto_assign: false,
        ignored: Some(why.clone()),
    }));
    let mut vips: Vec<VipLine> = Vec::new();
    let mut waiting: Vec<WaitingLine> = Vec::new();
    for key in addresses.wants.keys() {
        match addresses.allocator.assignment(key) {
            Some(held) => {
                let lines = held.addresses.iter();
                vips.extend(lines.map(|address| vip(facts, told, key, *address, &held.pool)));
            }
            None => waiting.extend(addresses.refusal(key).map(|(reason, message)| WaitingLine {
                service: key.to_string(),
                reason,
                message,
            })),
        }
    }
    vips.sort_by(|a, b| (a.address, &a.service).cmp(&(b.address, &b.service)));
    Status {
        pools,
        vips,
        waiting,
        unread: Unread::of(told),
        now: facts.now,
    }
}

fn vip(facts: &Facts, told: &[Told], key: &ServiceKey, address: IpAddr, pool: &str) -> VipLine {
    let announcers = facts.announcers_of(key);
    let nodes = announcers.iter().filter_map(|object| object.status.as_ref());
    let ages = announcers.iter().filter_map(|object| object.creation_timestamp());
    VipLine {
        address,
        service: key.to_string(),
        pool: Some(pool.to_owned()).filter(|pool| !pool.is_empty()),
        nodes: nodes.map(|status| status.node.clone()).collect(),
        since: ages.map(|time| facts.now.as_second() - time.0.as_second()).min(),
        last_move: last_move(told, address).cloned(),
    }
}

impl Fill {
    fn of(usage: Option<Usage>) -> Option<Self> {
        let usage = usage.filter(|usage| usage.total > 0)?;
        let number = |count: u128| u64::try_from(count).unwrap_or(u64::MAX);
        Some(Self {
            assigned: number(usage.assigned),
            withheld: number(usage.withheld),
            total: number(usage.total),
        })
    }

    /// Ten steps. Whoever has one address sees one step, and only what is full looks full.
    fn bar(self) -> String {
        const STEPS: u64 = 10;
        let used = u128::from(self.assigned) + u128::from(self.withheld);
        let total = u128::from(self.total).max(1);
        let full = (used * u128::from(STEPS)).div_ceil(total);
        let full = if used < total {
            full.min(u128::from(STEPS) - 1)
        } else {
            full
        };
        let full = usize::try_from(full).unwrap_or_default();
        let empty = (STEPS as usize).saturating_sub(full);
        format!("{}{}", "█".repeat(full), "░".repeat(empty))
    }

    fn cell(fill: Option<Self>) -> Cell {
        let Some(fill) = fill else { return Cell::from("-") };
        let withheld = if fill.withheld > 0 {
            format!(" (+{} withheld)", short(fill.withheld))
        } else {
            String::new()
        };
        let text = format!(
            "{} {}/{}{withheld}",
            fill.bar(),
            short(fill.assigned),
            short(fill.total)
        );
        let free = fill
            .total
            .saturating_sub(fill.assigned)
            .saturating_sub(fill.withheld);
        let tone = match free {
            0 => Tone::Bad,
            free if free <= fill.total / 10 => Tone::Doubtful,
            _ => Tone::Good,
        };
        Cell::new(text, tone)
    }
}

/// A number, rounded if nobody would count so far.
fn short(number: u64) -> String {
    match number {
        0..1_000_000 => number.to_string(),
        u64::MAX => "≥2^64".to_owned(),
        _ => format!("{:.1e}", number as f64),
    }
}

impl Report for Status {
    fn print(&self, page: &mut Page) {
        page.heading("Pools");
        let mut table = Table::new(&["POOL", "IPV4", "IPV6", "AUTO ASSIGN", "STATE"]);
        for line in &self.pools {
            let state = match &line.ignored {
                Some(why) => Cell::new(format!("ignored: {why}"), Tone::Bad),
                None => Cell::new("used", Tone::Good),
            };
            table.row([
                line.pool.as_str().into(),
                Fill::cell(line.ipv4),
                Fill::cell(line.ipv6),
                if line.auto_assign { "yes" } else { "no" }.into(),
                state,
            ]);
        }
        page.table_or(&table, "  none");
        page.heading("Addresses");
        let mut table = if page.is_wide() {
            Table::new(&[
                "ADDRESS",
                "SERVICE",
                "POOL",
                "OWNER",
                "SINCE",
                "LAST MOVE",
                "MOVED AT",
            ])
        } else {
            Table::new(&["ADDRESS", "SERVICE", "POOL", "OWNER", "SINCE", "LAST MOVE"])
        };
        for line in &self.vips {
            let owner = if line.nodes.is_empty() {
                Cell::new("nobody", Tone::Bad)
            } else {
                Cell::from(joined(&line.nodes))
            };
            let moved = line.last_move.as_ref().map(|change| {
                let from = change.from.as_deref().unwrap_or("?");
                format!("{} ago from {from} ({})", change.ago(self.now), change.cause)
            });
            let mut cells = vec![
                line.address.to_string().into(),
                line.service.as_str().into(),
                joined(&line.pool).into(),
                owner,
                joined(line.since.map(age)).into(),
                joined(moved).into(),
            ];
            if page.is_wide() {
                cells.push(joined(line.last_move.as_ref().map(|change| change.time)).into());
            }
            table.row(cells);
        }
        page.table_or(&table, "  none");
        if !self.waiting.is_empty() {
            page.heading("Without an address");
            let mut table = Table::new(&["SERVICE", "REASON", "MESSAGE"]);
            for WaitingLine {
                service,
                reason,
                message,
            } in &self.waiting
            {
                let reason = Cell::new(reason.as_str(), Tone::Bad);
                table.row([service.as_str().into(), reason, message.as_str().into()]);
            }
            page.table(&table);
        }
        Unread::print(&self.unread, page);
    }
}

#[cfg(test)]
mod tests;
