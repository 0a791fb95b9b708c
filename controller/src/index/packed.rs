//! The UID and the version of an object: texts that mostly are numbers, and as such need no room of their own.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A text that mostly is a number. Displays as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packed<N> {
    /// One that is written as this text.
    Number(N),
    /// Any other text.
    Text(Box<str>),
}

/// `metadata.uid`.
pub(super) type Uid = Packed<Uuid>;

/// `metadata.resourceVersion`: a revision of etcd, or of another store.
pub(super) type Version = Packed<u64>;

/// As the API server makes them (RFC 9562, section 4), in lower case. As bytes it can lie anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Uuid([u8; 16]);

impl Version {
    /// As a number; 0 if it is none.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(_) => 0,
        }
    }

    /// Revisions of etcd are ordered; what cannot be compared counts as newer.
    pub(super) fn is_older(&self, than: &Self) -> bool {
        match (self, than) {
            (Self::Number(this), Self::Number(that)) => this < that,
            _ => false,
        }
    }
}

impl<N: FromStr + fmt::Display> From<&str> for Packed<N> {
    fn from(text: &str) -> Self {
        match text.parse::<N>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }
}

impl<N: fmt::Display> fmt::Display for Packed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl FromStr for Uuid {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let number = u128::from_str_radix(&text.replace('-', ""), 16)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", u128::from_be_bytes(self.0));
        for group in [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20]] {
            write!(f, "{group}-")?;
        }
        f.write_str(&hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let uids = [
            ("0d8f2b6e-5a41-4c3c-9e70-00a1b2c3d4e5", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("0D8F2B6E-5A41-4C3C-9E70-00A1B2C3D4E5", false),
            ("0d8f2b6e5a414c3c9e7000a1b2c3d4e5", false),
            ("uid-a", false),
            ("+a", false),
            ("", false),
        ];
        for (text, is_number) in uids {
            let uid = Uid::from(text);
            assert_eq!(uid.to_string(), text);
            assert_eq!(matches!(uid, Uid::Number(_)), is_number, "{text}");
        }
        let versions = [
            ("7", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("007", false),
            ("+7", false),
            ("", false),
        ];
        for (text, is_number) in versions {
            let version = Version::from(text);
            assert_eq!(version.to_string(), text);
            assert_eq!(matches!(version, Version::Number(_)), is_number, "{text}");
        }
    }

    #[test]
    fn versions_that_are_numbers_are_ordered() {
        let is_older = |this: &str, than: &str| Version::from(this).is_older(&than.into());
        assert!(is_older("9", "10"));
        assert!(!is_older("10", "9") && !is_older("9", "9"));
        assert!(!is_older("a", "b") && !is_older("9", "b") && !is_older("a", "10"));
    }

    #[test]
    fn a_number_needs_no_more_room_than_a_text() {
        assert_eq!(size_of::<Option<Uid>>(), 24);
        assert_eq!(size_of::<Version>(), 16);
    }
}
