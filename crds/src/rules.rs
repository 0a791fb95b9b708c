//! CEL rules that several kinds share: what MetalLB's webhooks check, checked by the API server itself.
//!
//! Every rule is on one line, names the offending value, and stays within the API server's cost limits (10,000,000 for
//! one rule times the bounds of the lists that it is in), which is why lists and strings have bounds.

use kube::core::{Message, Rule};
use schemars::Schema;
use serde_json::Value;

/// An IPv6 address that holds an IPv4 address (RFC 4291 section 2.5.5.2), as in `::ffff:192.0.2.1`. Go, and so MetalLB,
/// takes it for that IPv4 address; CEL's `isIP` refuses it. No rule judges it: the controller does.
pub(crate) const MAPPED: &str = "'^[0:]*:[fF]{4}:[0-9a-fA-F:.]+$'";

/// The most characters that an address can have, with room for odd spellings.
pub(crate) const ADDRESS_LENGTH: u32 = 64;

/// The longest name of an object (RFC 1123 subdomain).
pub(crate) const NAME_LENGTH: u32 = 253;

/// The longest name of a namespace (RFC 1123 label).
pub(crate) const LABEL_LENGTH: u32 = 63;

/// A rule and the CEL expression of its message.
pub(crate) fn rule(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(rule).message(Message::Expression(message.into()))
}

/// Adds rules after those that a schema has.
pub(crate) fn add(schema: &mut Schema, rules: impl IntoIterator<Item = Rule>) {
    let rules = rules
        .into_iter()
        .map(|rule| serde_json::to_value(rule).expect("a rule is JSON"));
    let present = schema
        .ensure_object()
        .entry("x-kubernetes-validations")
        .or_insert_with(|| Value::Array(Vec::new()));
    present
        .as_array_mut()
        .expect("x-kubernetes-validations is a list")
        .extend(rules);
}

/// A list of names may hold each only once. `list` is the field's name, for the message.
pub(crate) fn unique(list: &str) -> Rule {
    rule(
        "self.all(a, self.exists_one(b, a == b))",
        format!(
            "'duplicate definition of {list} \"' + self.filter(a, !self.exists_one(b, a == b))[0] + '\": name it once'"
        ),
    )
}

/// A string must be an IP address, or empty. `what` begins the message.
pub(crate) fn address(what: &str) -> Rule {
    rule(
        format!("self == '' || isIP(self) || self.matches({MAPPED})"),
        format!("'invalid {what} \"' + self + '\": must be an IPv4 or IPv6 address'"),
    )
}

/// A list of names, each at most `length` characters long and named only once.
pub(crate) fn bound_names(schema: &mut Schema, list: &str, items: u32, length: u32) {
    schema.insert("maxItems".to_owned(), items.into());
    schema.ensure_object()["items"]["maxLength"] = length.into();
    add(schema, [unique(list)]);
}

/// A list of the names of IPAddressPools.
pub(crate) fn pool_names(schema: &mut Schema) {
    bound_names(schema, "ipAddressPools", 256, NAME_LENGTH);
}

/// A community in the spelling of MetalLB: `65000:100` (RFC 1997) or `large:65000:1:2` (RFC 8092).
pub(crate) const IS_COMMUNITY: &str = "(self.matches('^[0-9]{1,20}:[0-9]{1,20}$') ? \
    self.split(':').all(n, uint(n) <= 65535u) : \
    self.matches('^large(:[0-9]{1,20}){3}$') && self.split(':').all(n, n == 'large' || uint(n) <= 4294967295u))";

/// What a community looks like, to end a message with.
pub(crate) const COMMUNITY_SYNTAX: &str =
    "write 65000:100 with numbers up to 65535, or large:65000:1:2 with numbers up to 4294967295";
