//! What `spec.addresses` may hold, as far as CEL can tell: syntax, families, and the order of IPv4 ranges. The order of
//! IPv6 ranges and overlaps are left to the controller, which says so in a condition.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::rules::{MAPPED, add, bound_names, rule};

/// The ends of a range `a-b`, without the blanks around them.
const START: &str = "self.split('-', 2)[0].trim()";
const END: &str = "self.split('-', 2)[1].trim()";

/// The parts of a CIDR.
const NETWORK: &str = "self.split('/')[0]";
const LENGTH: &str = "self.split('/')[1]";

/// The schema of `spec.addresses`. An IPv6 range has 79 characters; 1,024 entries of 128 keep the rules at 5% of their
/// cost limit.
pub(super) fn addresses(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({ "type": "array", "maxItems": 1024 });
    let some = Rule::new("self.size() > 0").message(
        "pool has no prefixes defined: name at least one CIDR such as 10.1.0.0/24, or range such as 10.1.0.5-10.1.0.20",
    );
    add(&mut schema, [some]);
    let mut entry = json_schema!({ "type": "string", "maxLength": 128 });
    add(&mut entry, [cidr(), ends(), family(), order()]);
    schema.insert("items".to_owned(), entry.to_value());
    schema
}

/// The schema of `spec.serviceAllocation.namespaces`.
pub(super) fn namespaces(schema: &mut Schema) {
    bound_names(schema, "namespaces", 512, crate::rules::LABEL_LENGTH);
}

/// The schema of `status.coolingDown`.
pub(super) fn cooling_down(schema: &mut Schema) {
    schema.insert(
        "maxItems".to_owned(),
        super::IPAddressPoolStatus::COOLING_DOWN.into(),
    );
}

/// An entry without `-` is a CIDR; Go accepts any host bits and leading zeros in the length.
fn cidr() -> Rule {
    rule(
        format!(
            "self.contains('-') || (self.split('/').size() == 2 && (isIP({NETWORK}) ? \
             {LENGTH}.matches('^0*[0-9]{{1,3}}$') && int({LENGTH}) <= (ip({NETWORK}).family() == 4 ? 32 : 128) : \
             {NETWORK}.matches({MAPPED}) && {LENGTH}.matches('^[0-9]+$')))"
        ),
        "'invalid CIDR \"' + self + '\": ' + (isIP(self) ? \
         'write a single address as ' + self + (ip(self).family() == 4 ? '/32' : '/128') : \
         'write a CIDR such as 10.1.0.0/24 or fd00::/120, or a range such as 10.1.0.5-10.1.0.20')",
    )
}

/// Both ends of a range are addresses.
fn ends() -> Rule {
    let start = format!("(isIP({START}) || {START}.matches({MAPPED}))");
    let end = format!("(isIP({END}) || {END}.matches({MAPPED}))");
    rule(
        format!("!self.contains('-') || ({start} && {end})"),
        format!(
            "'invalid IP range \"' + self + '\": ' + ({start} ? \
             'invalid end IP \"' + {END} + '\"' : 'invalid start IP \"' + {START} + '\"')"
        ),
    )
}

/// Both ends of a range are of one family.
fn family() -> Rule {
    rule(
        format!("{} || ip({START}).family() == ip({END}).family()", not_a_range()),
        "'invalid IP range \"' + self + '\": start and end IPs must be the same family'",
    )
}

/// A range of IPv4 addresses does not end before it starts.
fn order() -> Rule {
    let number = |end: usize| {
        let octet = |index: usize| format!("int(r[{end}][{index}])");
        format!(
            "{} * 16777216 + {} * 65536 + {} * 256 + {}",
            octet(0),
            octet(1),
            octet(2),
            octet(3)
        )
    };
    rule(
        format!(
            "{} || ip({START}).family() != 4 || ip({END}).family() != 4 || \
             [[{START}.split('.'), {END}.split('.')]].all(r, {} <= {})",
            not_a_range(),
            number(0),
            number(1)
        ),
        format!("'invalid IP range \"' + self + '\": start IP ' + {START} + ' is after the end IP ' + {END}"),
    )
}

/// True for what the other rules judge.
fn not_a_range() -> String {
    format!("!self.contains('-') || !isIP({START}) || !isIP({END})")
}
