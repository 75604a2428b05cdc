//! Suites and master keys. A key's bytes are shown to nobody: not by `Debug`, not in a log.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rand::RngCore;

/// Longest key and salt of any suite.
const MAX_KEY_AND_SALT: usize = 46;

/// What secures a stream: the suites of RFC 4568, RFC 6188 and RFC 7714 that encrypt *and*
/// authenticate, by 128 bits at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 counter mode, 80 bit tag.
    AesCm128Sha1Tag80,
    /// AES-128 counter mode, 32 bit tag.
    AesCm128Sha1Tag32,
    /// AES-256 counter mode, 80 bit tag.
    AesCm256Sha1Tag80,
    /// AES-256 counter mode, 32 bit tag.
    AesCm256Sha1Tag32,
    /// AES-128 in Galois counter mode.
    AesGcm128,
    /// AES-256 in Galois counter mode.
    AesGcm256,
}

impl Suite {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::AesCm128Sha1Tag80,
        Self::AesCm128Sha1Tag32,
        Self::AesCm256Sha1Tag80,
        Self::AesCm256Sha1Tag32,
        Self::AesGcm128,
        Self::AesGcm256,
    ];

    /// What we offer, best known first. A 32 bit tag is taken where asked for, never offered.
    pub const OFFERED: [Self; 4] =
        [Self::AesCm128Sha1Tag80, Self::AesGcm128, Self::AesGcm256, Self::AesCm256Sha1Tag80];

    /// The name in session descriptions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1Tag32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AesGcm128 => "AEAD_AES_128_GCM",
            Self::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128Sha1Tag80 | Self::AesCm128Sha1Tag32 | Self::AesGcm128 => 16,
            Self::AesCm256Sha1Tag80 | Self::AesCm256Sha1Tag32 | Self::AesGcm256 => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub const fn salt_bytes(self) -> usize {
        if self.is_gcm() { 12 } else { 14 }
    }

    /// Bytes that authenticate an RTP packet.
    #[must_use]
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::AesCm128Sha1Tag80 | Self::AesCm256Sha1Tag80 => 10,
            Self::AesCm128Sha1Tag32 | Self::AesCm256Sha1Tag32 => 4,
            Self::AesGcm128 | Self::AesGcm256 => 16,
        }
    }

    /// Bytes that authenticate an RTCP packet: never the short tag (RFC 4568 §6.2.2).
    #[must_use]
    pub const fn rtcp_tag_bytes(self) -> usize {
        if self.is_gcm() { 16 } else { 10 }
    }

    pub(super) const fn is_gcm(self) -> bool {
        matches!(self, Self::AesGcm128 | Self::AesGcm256)
    }
}

/// Text that is no key of a suite. What it said instead is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not base64.
    #[error("peer misbehaved: srtp key is not base64")]
    Base64,
    /// Too long or too short for the suite.
    #[error("peer misbehaved: srtp key has {got} bytes, {expected} expected")]
    Length {
        /// What the suite wants, key and salt.
        expected: usize,
        /// What came.
        got: usize,
    },
}

/// Master key and salt of one direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; MAX_KEY_AND_SALT],
    /// Bytes of the master key identifier that stands in each packet; 0 is none.
    mki_bytes: u8,
}

impl MasterKey {
    /// Draws a key.
    #[must_use]
    pub fn draw(suite: Suite, random: &mut impl RngCore) -> Self {
        let mut bytes = [0; MAX_KEY_AND_SALT];
        random.fill_bytes(&mut bytes[..suite.key_bytes() + suite.salt_bytes()]);
        Self { suite, bytes, mki_bytes: 0 }
    }

    /// Reads `inline:`'s text (RFC 4568 §6.1): base64 of key and salt.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_base64(suite: Suite, text: &str) -> Result<Self, KeyError> {
        // Some leave the padding out.
        let read = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        Self::from_bytes(suite, &read.map_err(|_| KeyError::Base64)?)
    }

    /// Takes key and salt.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn from_bytes(suite: Suite, key_and_salt: &[u8]) -> Result<Self, KeyError> {
        let expected = suite.key_bytes() + suite.salt_bytes();
        if key_and_salt.len() != expected {
            return Err(KeyError::Length { expected, got: key_and_salt.len() });
        }
        let mut bytes = [0; MAX_KEY_AND_SALT];
        bytes[..expected].copy_from_slice(key_and_salt);
        Ok(Self { suite, bytes, mki_bytes: 0 })
    }

    /// The same key, its packets carrying an identifier of so many bytes (RFC 3711 §3.1). There
    /// is one key only, so that the identifier itself says nothing.
    #[must_use]
    pub fn with_mki_bytes(self, mki_bytes: u8) -> Self {
        Self { mki_bytes, ..self }
    }

    /// The text of `inline:`. For session descriptions alone.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes[..self.suite.key_bytes() + self.suite.salt_bytes()])
    }

    /// What it is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_bytes()..][..self.suite.salt_bytes()]
    }

    pub(super) fn mki_bytes(&self) -> usize {
        usize::from(self.mki_bytes)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({:?}, ..)", self.suite)
    }
}

/// The keys of a stream, one a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// We seal with it.
    pub ours: MasterKey,
    /// We open with it.
    pub theirs: MasterKey,
}
