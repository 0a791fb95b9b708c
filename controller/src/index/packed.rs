//! The UID and the version of an object: texts that mostly are numbers, and as such need no room of their own.

use std::fmt;

/// `metadata.uid`. Displays as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Uid {
    /// As the API server makes them (RFC 9562, section 4), in lower case.
    Number([u8; 16]),
    /// Any other.
    Text(Box<str>),
}

/// `metadata.resourceVersion`. Displays as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// A revision of etcd.
    Number(u64),
    /// Of another store.
    Text(Box<str>),
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        let number = u128::from_str_radix(&text.replace('-', ""), 16);
        let number = number.map(|number| Self::Number(number.to_be_bytes())).ok();
        number
            .filter(|uid| uid.to_string() == text)
            .unwrap_or_else(|| Self::Text(text.into()))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(bytes) => {
                let hex = format!("{:032x}", u128::from_be_bytes(*bytes));
                for group in [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20]] {
                    write!(f, "{group}-")?;
                }
                f.write_str(&hex[20..])
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Version {
    /// Revisions of etcd are ordered; what cannot be compared counts as newer.
    pub(super) fn is_older(&self, than: &Self) -> bool {
        match (self, than) {
            (Self::Number(this), Self::Number(that)) => this < that,
            _ => false,
        }
    }
}

impl From<&str> for Version {
    fn from(text: &str) -> Self {
        let number = text.parse::<u64>().map(Self::Number).ok();
        number
            .filter(|version| version.to_string() == text)
            .unwrap_or_else(|| Self::Text(text.into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
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
