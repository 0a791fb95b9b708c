//! Classic BPF programs that let only frames about our addresses through, so that a socket is not woken by the
//! segment's other traffic.
//!
//! A program accepts every frame that the responder could have a use for, and perhaps a few more: the exact match
//! is made in user space. What passes is *about* an address of the set: a request or solicitation for it, a claim of
//! it by somebody else, or an answer to it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ndp::{ADVERTISEMENT, SOLICITATION};

/// One instruction of classic BPF, the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip if the comparison holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// The most instructions that a program has; one that would be longer looks at the operation only. The kernel takes
/// 4,096, but each costs time per frame, and eight bytes of the socket's `net.core.optmem_max` (20 KiB on old
/// kernels).
pub const MOST: usize = 1_000;

// Operation codes (linux/bpf_common.h).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const ACCEPT: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: u32::MAX,
};
const DROP: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: 0,
};

/// `SKF_AD_OFF + SKF_AD_PKTTYPE` (linux/filter.h): loads how the frame is addressed.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4) as u32;
/// `PACKET_MULTICAST` (linux/if_packet.h): above it are frames for other hosts, and our own.
const PACKET_MULTICAST: u32 = 2;
/// `SKF_AD_OFF + SKF_AD_IFINDEX` (linux/filter.h): loads the index of the interface that the frame belongs to.
const INTERFACE: u32 = (-0x1000_i32 + 8) as u32;

// Offsets into an Ethernet frame.
const ARP_OPERATION: u32 = 20;
const ARP_SENDER: u32 = 28;
const ARP_TARGET: u32 = 38;
const IPV6_NEXT_HEADER: u32 = 20;
const ICMPV6_TYPE: u32 = 54;
/// The last four bytes of the packet's destination.
const IPV6_DESTINATION_TAIL: u32 = 50;
/// The last four bytes of the target: addresses that differ only before them pass together.
const NDP_TARGET_TAIL: u32 = 74;

const ICMPV6: u32 = 58;

/// The program for a socket bound to ARP: requests and replies whose target or sender is one of `addresses`.
pub fn arp(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Vec<Instruction> {
    let program = [addressed_to_us(), require(LOAD_HALF, ARP_OPERATION, 1, 2)].concat();
    let ranges = ranges(addresses.into_iter().map(u32::from).collect());
    finish(program, &ranges, &[ARP_TARGET, ARP_SENDER])
}

/// The program for a socket bound to IPv6: neighbour solicitations and advertisements whose target or destination is
/// one of `addresses`.
pub fn ndp(addresses: impl IntoIterator<Item = Ipv6Addr>) -> Vec<Instruction> {
    let program = [
        addressed_to_us(),
        require(LOAD_BYTE, IPV6_NEXT_HEADER, ICMPV6, ICMPV6),
        require(LOAD_BYTE, ICMPV6_TYPE, SOLICITATION.into(), ADVERTISEMENT.into()),
    ]
    .concat();
    let tails = addresses.into_iter().map(|address| u128::from(address) as u32);
    let offsets = [NDP_TARGET_TAIL, IPV6_DESTINATION_TAIL];
    finish(program, &ranges(tails.collect()), &offsets)
}

/// What stands in front of the program of a socket that is bound to the interface with this index: drops frames of
/// any other.
///
/// Linux hands a socket on `bond0` also what came for `bond0.5`, without its tag (`orig_dev` in net/core/dev.c): an
/// answer to it would go out on the wrong VLAN.
pub fn of_interface(index: u32) -> Vec<Instruction> {
    require(LOAD_WORD, INTERFACE, index, index)
}

/// Drops frames that an interface in promiscuous mode sees for others, or on a VLAN that this node is not part of.
fn addressed_to_us() -> Vec<Instruction> {
    require(LOAD_WORD, PACKET_TYPE, 0, PACKET_MULTICAST)
}

/// Goes on only if the value at `offset` lies between `least` and `most`. A load beyond the frame's end drops it.
fn require(load: u16, offset: u32, least: u32, most: u32) -> Vec<Instruction> {
    vec![
        Instruction {
            code: load,
            jt: 0,
            jf: 0,
            k: offset,
        },
        Instruction {
            code: JUMP_AT_LEAST,
            jt: 0,
            jf: 1,
            k: least,
        },
        Instruction {
            code: JUMP_GREATER,
            jt: 0,
            jf: 1,
            k: most,
        },
        DROP,
    ]
}

/// Accepts if the word loaded last lies in the range, or else goes on.
fn accept_within((least, most): (u32, u32)) -> [Instruction; 3] {
    [
        Instruction {
            code: JUMP_AT_LEAST,
            jt: 0,
            jf: 2,
            k: least,
        },
        Instruction {
            code: JUMP_GREATER,
            jt: 1,
            jf: 0,
            k: most,
        },
        ACCEPT,
    ]
}

/// Accepts what has one of the ranges at one of the offsets; everything if that would take too long to find out.
fn finish(mut program: Vec<Instruction>, ranges: &[(u32, u32)], offsets: &[u32]) -> Vec<Instruction> {
    let length = program.len() + offsets.len() * (1 + 3 * ranges.len()) + 1;
    if length > MOST {
        program.push(ACCEPT);
        return program;
    }
    for &k in offsets {
        program.push(Instruction {
            code: LOAD_WORD,
            jt: 0,
            jf: 0,
            k,
        });
        program.extend(ranges.iter().copied().flat_map(accept_within));
    }
    program.push(DROP);
    program
}

/// The fewest inclusive ranges that hold exactly these values: a pool's addresses are mostly neighbours.
fn ranges(values: BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(value) => *end = value,
            _ => ranges.push((value, value)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
