//! A session's id: eight lower-case hex digits, which are its folder's name, part of its unit's name and its address.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionId(u32);

/// The text is not eight lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no session id: eight of 0-9a-f")]
pub struct NotAnId(String);

impl SessionId {
    /// From random bits.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SessionId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl std::str::FromStr for SessionId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u32::from_str_radix(text, 16) {
            Ok(bits) if digits => Ok(Self(bits)),
            Ok(_) | Err(_) => Err(NotAnId(text.chars().take(40).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_eight_lower_case_hex_digits_are_an_id() {
        assert_eq!("0000002a".parse(), Ok(SessionId(42)));
        assert_eq!(SessionId(42).to_string(), "0000002a");
        for bad in ["", "2a", "0000002A", "+000002a", "../../..", "0000002a0", "0000 02a"] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
