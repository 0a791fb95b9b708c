//! The 48-bit link-layer address.

use std::fmt;
use std::str::FromStr;

/// A link-layer address (EUI-48), as Ethernet carries it. Displays as `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All zeros: ARP's "not known".
    pub const ZERO: Self = Self([0; 6]);
    /// All ones: every station of the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether this names a group of stations (broadcast included), so that nobody can send from it.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether this can name one station: neither a group nor [`MacAddr::ZERO`].
    pub fn is_station(self) -> bool {
        !self.is_multicast() && self != Self::ZERO
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Why a text is not a link-layer address; nothing was changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "link-layer address \"{0}\" is not six bytes in hexadecimal with colons between, like 02:00:00:00:00:01"
)]
pub struct ParseMacError(String);

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseMacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(malformed)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| malformed())?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(malformed()),
        }
    }
}

impl From<MacAddr> for pnet_base::MacAddr {
    fn from(MacAddr(octets): MacAddr) -> Self {
        octets.into()
    }
}

#[cfg(test)]
mod tests;
