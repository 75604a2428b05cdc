//! The session keys of one direction and what they do to a packet, in place.
//!
//! Counter mode with HMAC-SHA1 (RFC 3711 §4) and AES-GCM (RFC 7714), for RTP and RTCP. Which index
//! a packet has is decided elsewhere.

use rtc_crypto::providers::RingProvider;
use rtc_crypto::{
    AeadAlgorithm, AeadCipher, HmacAlgorithm, Mac, RTCCrypto, RTCCryptoProvider, StreamCipher,
    StreamCipherAlgorithm, constant_time_eq,
};

use super::{MasterKey, SrtpError, Suite};

/// Labels of RFC 3711 §4.3.2 for RTP; those for RTCP are 3 higher.
const LABEL_ENCRYPTION: u8 = 0;
const LABEL_AUTHENTICATION: u8 = 1;
const LABEL_SALT: u8 = 2;
const LABEL_RTCP: u8 = 3;
/// HMAC-SHA1's key and its untruncated tag (RFC 3711 §5.2).
const SHA1_BYTES: usize = 20;
/// Bytes of an RTCP header with its source, never encrypted.
pub(super) const RTCP_HEADER_BYTES: usize = 8;
/// The SRTCP index with its flag.
pub(super) const INDEX_BYTES: usize = 4;
/// Says in the SRTCP index that the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// The packet did not authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forged;

enum Mode {
    Counter { stream: Box<dyn StreamCipher>, mac: Box<dyn Mac> },
    Galois(Box<dyn AeadCipher>),
}

/// One direction's RTP or RTCP.
pub(super) struct Cipher {
    suite: Suite,
    mode: Mode,
    /// 14 bytes, or 12 and two that are not used.
    salt: [u8; 14],
    tag_bytes: usize,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Cipher({:?}, ..)", self.suite)
    }
}

impl Cipher {
    pub(super) fn rtp(master: &MasterKey) -> Result<Self, SrtpError> {
        Self::derived(master, 0, master.suite().tag_bytes())
    }

    pub(super) fn rtcp(master: &MasterKey) -> Result<Self, SrtpError> {
        Self::derived(master, LABEL_RTCP, master.suite().rtcp_tag_bytes())
    }

    fn derived(master: &MasterKey, base: u8, tag_bytes: usize) -> Result<Self, SrtpError> {
        let suite = master.suite();
        let (mut key, mut authentication, mut salt) = ([0; 32], [0; SHA1_BYTES], [0; 14]);
        let key = &mut key[..suite.key_bytes()];
        derive(master, base + LABEL_ENCRYPTION, key)?;
        derive(master, base + LABEL_AUTHENTICATION, &mut authentication)?;
        derive(master, base + LABEL_SALT, &mut salt[..suite.salt_bytes()])?;
        Self::from_session(suite, key, &authentication, salt, tag_bytes)
    }

    pub(super) fn from_session(
        suite: Suite,
        key: &[u8],
        authentication: &[u8],
        salt: [u8; 14],
        tag_bytes: usize,
    ) -> Result<Self, SrtpError> {
        let provider = RingProvider::new();
        let crypto = provider.crypto();
        let refused = |_| SrtpError::Cipher { suite };
        let mode = match suite {
            Suite::AesGcm128 => {
                Mode::Galois(crypto.new_aead(AeadAlgorithm::Aes128Gcm, key).map_err(refused)?)
            }
            Suite::AesGcm256 => {
                Mode::Galois(crypto.new_aead(AeadAlgorithm::Aes256Gcm, key).map_err(refused)?)
            }
            Suite::AesCm128Sha1Tag80
            | Suite::AesCm128Sha1Tag32
            | Suite::AesCm256Sha1Tag80
            | Suite::AesCm256Sha1Tag32 => Mode::Counter {
                stream: counter(crypto, suite, key)?,
                mac: crypto.new_hmac(HmacAlgorithm::Sha1, authentication).map_err(refused)?,
            },
        };
        Ok(Self { suite, mode, salt, tag_bytes })
    }

    /// Bytes of the tag.
    pub(super) fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }

    /// Whether the tag ends the packet, behind index and identifier (RFC 3711 figures 1 and 2).
    pub(super) fn tag_is_last(&self) -> bool {
        !self.suite.is_gcm()
    }

    /// Encrypts `packet[header..len]` and puts the tag behind it; gives the new length.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn seal_rtp(
        &mut self,
        packet: &mut [u8],
        (header, len): (usize, usize),
        (ssrc, index): (u32, u64),
    ) -> Result<usize, SrtpError> {
        let suite = self.suite;
        let sealed = len + self.tag_bytes;
        let packet = packet.get_mut(..sealed).ok_or(SrtpError::Room)?;
        let (plain, tag) = packet.split_at_mut(len);
        let (counter, nonce) = (self.counter(ssrc, index), self.nonce(ssrc, index));
        let done = match &mut self.mode {
            Mode::Counter { stream, mac } => {
                let rollover = rollover(index);
                let done = stream.apply_keystream(&counter, &mut plain[header..]);
                done.and_then(|()| sign(mac.as_mut(), &[plain, &rollover], tag))
            }
            Mode::Galois(aead) => {
                let (associated, body) = plain.split_at_mut(header);
                aead.seal_in_place(&nonce, associated, body, tag)
            }
        };
        done.map(|()| sealed).map_err(|_| SrtpError::Cipher { suite })
    }

    /// Checks and decrypts `packet`, from which the tag has been taken.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        tag: &[u8],
        header: usize,
        (ssrc, index): (u32, u64),
    ) -> Result<(), Forged> {
        let (counter, nonce) = (self.counter(ssrc, index), self.nonce(ssrc, index));
        match &mut self.mode {
            Mode::Counter { stream, mac } => {
                verify(mac.as_mut(), &[packet, &rollover(index)], tag)?;
                stream.apply_keystream(&counter, &mut packet[header..]).map_err(|_| Forged)
            }
            Mode::Galois(aead) => {
                let (associated, body) = packet.split_at_mut(header);
                aead.open_in_place(&nonce, associated, body, tag).map_err(|_| Forged)
            }
        }
    }

    /// Encrypts the compound packet `packet[..len]`, puts tag and index behind it (their order
    /// differs by mode, RFC 7714 §9.2); gives the new length.
    pub(super) fn seal_rtcp(
        &mut self,
        packet: &mut [u8],
        len: usize,
        (ssrc, index): (u32, u32),
    ) -> Result<usize, SrtpError> {
        let suite = self.suite;
        let sealed = len + self.tag_bytes + INDEX_BYTES;
        let packet = packet.get_mut(..sealed).ok_or(SrtpError::Room)?;
        let word = (index | ENCRYPTED).to_be_bytes();
        let (counter, nonce) =
            (self.counter(ssrc, u64::from(index)), self.nonce(ssrc, u64::from(index)));
        let (plain, trailer) = packet.split_at_mut(len);
        let done = match &mut self.mode {
            Mode::Counter { stream, mac } => {
                let (at, tag) = trailer.split_at_mut(INDEX_BYTES);
                at.copy_from_slice(&word);
                let done = stream.apply_keystream(&counter, &mut plain[RTCP_HEADER_BYTES..]);
                done.and_then(|()| sign(mac.as_mut(), &[plain, &word], tag))
            }
            Mode::Galois(aead) => {
                let (tag, at) = trailer.split_at_mut(16);
                at.copy_from_slice(&word);
                let (head, body) = plain.split_at_mut(RTCP_HEADER_BYTES);
                aead.seal_in_place(&nonce, &associated(head, word), body, tag)
            }
        };
        done.map(|()| sealed).map_err(|_| SrtpError::Cipher { suite })
    }

    /// Checks and decrypts a compound packet without its trailer. What is not encrypted is not
    /// opened: nobody agreed on that.
    pub(super) fn open_rtcp(
        &mut self,
        packet: &mut [u8],
        tag: &[u8],
        word: u32,
        ssrc: u32,
    ) -> Result<(), Forged> {
        if word & ENCRYPTED == 0 {
            return Err(Forged);
        }
        let index = u64::from(word & !ENCRYPTED);
        let (counter, nonce) = (self.counter(ssrc, index), self.nonce(ssrc, index));
        let word = word.to_be_bytes();
        match &mut self.mode {
            Mode::Counter { stream, mac } => {
                verify(mac.as_mut(), &[packet, &word], tag)?;
                let body = &mut packet[RTCP_HEADER_BYTES..];
                stream.apply_keystream(&counter, body).map_err(|_| Forged)
            }
            Mode::Galois(aead) => {
                let (head, body) = packet.split_at_mut(RTCP_HEADER_BYTES);
                let associated = associated(head, word);
                aead.open_in_place(&nonce, &associated, body, tag).map_err(|_| Forged)
            }
        }
    }

    /// RFC 3711 §4.1.1: salt, source at bytes 4 to 7, index at 8 to 13, two of zero.
    fn counter(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt);
        blend(&mut counter[4..8], &ssrc.to_be_bytes());
        blend(&mut counter[8..14], &index.to_be_bytes()[2..]);
        counter
    }

    /// RFC 7714 §8.1: two of zero, source, index; all over the salt.
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        blend(&mut nonce[2..6], &ssrc.to_be_bytes());
        blend(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        nonce
    }
}

/// RFC 3711 §4.3: the keystream of the master key from the salt with the label in it.
fn derive(master: &MasterKey, label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
    let suite = master.suite();
    let mut block = [0; 16];
    block[..suite.salt_bytes()].copy_from_slice(master.salt());
    block[7] ^= label;
    out.fill(0);
    let provider = RingProvider::new();
    let mut stream = counter(provider.crypto(), suite, master.key())?;
    stream.apply_keystream(&block, out).map_err(|_| SrtpError::Cipher { suite })
}

fn counter(
    crypto: &dyn RTCCrypto,
    suite: Suite,
    key: &[u8],
) -> Result<Box<dyn StreamCipher>, SrtpError> {
    let wide = suite.key_bytes() == 32;
    let algorithm =
        if wide { StreamCipherAlgorithm::Aes256Ctr } else { StreamCipherAlgorithm::Aes128Ctr };
    crypto.new_stream_cipher(algorithm, key).map_err(|_| SrtpError::Cipher { suite })
}

/// The rollover counter is authenticated with an RTP packet (RFC 3711 §4.2).
fn rollover(index: u64) -> [u8; 4] {
    let [_, _, a, b, c, d, _, _] = index.to_be_bytes();
    [a, b, c, d]
}

/// RFC 7714 §9.2.
fn associated(head: &[u8], word: [u8; INDEX_BYTES]) -> [u8; RTCP_HEADER_BYTES + INDEX_BYTES] {
    let mut associated = [0; RTCP_HEADER_BYTES + INDEX_BYTES];
    associated[..RTCP_HEADER_BYTES].copy_from_slice(head);
    associated[RTCP_HEADER_BYTES..].copy_from_slice(&word);
    associated
}

fn sign(mac: &mut dyn Mac, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), rtc_crypto::CryptoError> {
    let mut whole = [0; SHA1_BYTES];
    mac.sign(parts, &mut whole)?;
    tag.copy_from_slice(&whole[..tag.len()]);
    Ok(())
}

fn verify(mac: &mut dyn Mac, parts: &[&[u8]], tag: &[u8]) -> Result<(), Forged> {
    let mut whole = [0; SHA1_BYTES];
    mac.sign(parts, &mut whole).map_err(|_| Forged)?;
    constant_time_eq(&whole[..tag.len()], tag).then_some(()).ok_or(Forged)
}

fn blend(into: &mut [u8], with: &[u8]) {
    for (it, other) in into.iter_mut().zip(with) {
        *it ^= other;
    }
}

#[cfg(test)]
#[path = "cipher_tests.rs"]
mod tests;
