//! Which of several able nodes answers for a group of addresses.
//!
//! Rendezvous hashing: every node has a weight of its own for each group, and the heaviest able node wins. A
//! node that is lost gives up only its own groups, a node that joins takes only those in which it is now the
//! heaviest, and all who know the same candidates name the same owner without talking to each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// `metadata.name` of a Node.
pub type NodeName = String;

/// The node that owns the group of addresses named by `group`; `None` without candidates.
///
/// `group` is the lowest address of the group, so that Services that share an address have one owner.
pub fn owner(group: IpAddr, candidates: &BTreeSet<NodeName>) -> Option<&NodeName> {
    // Equal weights (one pair in 2^64) go to the first by name: `max_by_key` keeps the last, hence the `rev`.
    candidates.iter().rev().max_by_key(|node| weight(group, node))
}

/// The weight of `node` for `group`: FNV-1a (64 bit) over the octets of the address and the node's name, then
/// the finaliser of SplitMix64, without which names that differ in their last letter alone (`n1`, `n2`) would
/// get weights that differ in few bits.
///
/// This is a contract between speakers of different versions: a change of it moves addresses in an upgrade.
fn weight(group: IpAddr, node: &str) -> u64 {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

    let fnv = |hash: u64, bytes: &[u8]| {
        bytes.iter().fold(hash, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
        })
    };
    let address = match group {
        IpAddr::V4(address) => fnv(FNV_OFFSET, &address.octets()),
        IpAddr::V6(address) => fnv(FNV_OFFSET, &address.octets()),
    };
    let mut hash = fnv(address, node.as_bytes());
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
