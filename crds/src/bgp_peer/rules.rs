//! What one BGPPeer can be judged by: MetalLB's rules for peers (`parsing peer …`).

use kube::core::Rule;
use schemars::Schema;

use crate::rules::{ADDRESS_LENGTH, add, address, rule};

/// Our AS number is needed.
pub(super) fn my_asn(schema: &mut Schema) {
    add(
        schema,
        [Rule::new("self != 0").message("missing local ASN: myASN must not be 0")],
    );
}

/// The peer's AS number, where it cannot be taken from the session.
pub(super) fn peer_asn(schema: &mut Schema) {
    add(
        schema,
        [Rule::new("self != 0").message("missing peer ASN: peerASN must not be 0")],
    );
}

/// The peer's AS number is either given or taken from the session.
pub(super) fn asn_or_dynamic() -> Rule {
    rule(
        "(has(self.peerASN) && self.peerASN != 0) != has(self.dynamicASN)",
        "has(self.dynamicASN) ? \
         'both peer ASN and dynamicASN specified: remove peerASN, or dynamicASN ' + self.dynamicASN : \
         'missing peer ASN and dynamicASN: give one of them'",
    )
}

/// Multihop is for peers of another AS.
pub(super) fn multi_hop() -> Rule {
    Rule::new(
        "!has(self.ebgpMultiHop) || !self.ebgpMultiHop || !has(self.peerASN) || self.peerASN != self.myASN",
    )
    .message("invalid ebgp-multihop parameter set for an ibgp peer: peerASN is the same as myASN")
}

/// The peer is reached by its address or behind an interface.
pub(super) fn address_or_interface() -> Rule {
    rule(
        "(has(self.peerAddress) && self.peerAddress != '') != (has(self.interface) && self.interface != '')",
        "has(self.peerAddress) && self.peerAddress != '' ? \
         'peer has both Address and Interface specified: ' + self.peerAddress + ' and ' + self.interface : \
         'peer has no Address or Interface specified'",
    )
}

/// The hold time is 0 or at least 3 s (RFC 4271 section 4.2), in whole seconds.
pub(super) fn hold_time() -> Rule {
    rule(
        "!has(self.holdTime) || duration(self.holdTime).getSeconds() == 0 || duration(self.holdTime).getSeconds() >= 3",
        "'invalid BGPPeer timers: invalid hold time \"' + self.holdTime + '\": must be 0 or >=3s'",
    )
}

/// Without a hold time, three times the keepalive time stands for it.
pub(super) fn derived_hold_time() -> Rule {
    rule(
        "has(self.holdTime) || !has(self.keepaliveTime) || duration(self.keepaliveTime) >= duration('1s') || \
         (duration(self.keepaliveTime) >= duration('0s') && duration(self.keepaliveTime) <= duration('333ms'))",
        "'invalid BGPPeer timers: keepaliveTime \"' + self.keepaliveTime + \
         '\" makes a hold time of three times that, which must be 0 or >=3s'",
    )
}

/// Keepalives come before the hold time ends.
pub(super) fn keepalive_time() -> Rule {
    rule(
        "!has(self.holdTime) || !has(self.keepaliveTime) || duration(self.keepaliveTime) <= duration(self.holdTime)",
        "'invalid BGPPeer timers: invalid keepaliveTime \"' + self.keepaliveTime + '\", must be lower than holdTime \"' \
         + self.holdTime + '\"'",
    )
}

/// The password is given in one place. The message does not repeat it.
pub(super) fn one_password() -> Rule {
    rule(
        "!has(self.password) || self.password == '' || !has(self.passwordSecret) || \
         !has(self.passwordSecret.name) || self.passwordSecret.name == ''",
        "'can not have both password and secret ref set: remove password, or passwordSecret ' \
         + self.passwordSecret.name",
    )
}

/// A duration such as `90s`.
pub(super) fn duration(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), 64.into());
}

/// The address of the peer.
pub(super) fn peer_address(schema: &mut Schema) {
    bounded_address(schema, "BGPPeer address");
}

/// The BGP identifier.
pub(super) fn router_id(schema: &mut Schema) {
    bounded_address(schema, "router ID");
}

/// The address to connect from.
pub(super) fn source_address(schema: &mut Schema) {
    bounded_address(schema, "source IP");
}

/// A peer of version v1beta1 has no interface to fall back to.
pub(super) fn required_address(schema: &mut Schema) {
    bounded_address(schema, "BGPPeer address");
    add(
        schema,
        [Rule::new("self != ''").message("peer has no Address specified: peerAddress is empty")],
    );
}

fn bounded_address(schema: &mut Schema, what: &str) {
    schema.insert("maxLength".to_owned(), ADDRESS_LENGTH.into());
    add(schema, [address(what)]);
}
