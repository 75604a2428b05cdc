//! Closes what we send.

use super::cipher::{Cipher, RTCP_HEADER_BYTES};
use super::{MasterKey, SrtpError};
use crate::rtp;

/// Highest index of an RTP packet under one key, and of an RTCP packet (RFC 3711 §9.2).
const LAST_INDEX: u64 = (1 << 48) - 1;
const LAST_RTCP_INDEX: u32 = (1 << 31) - 1;

/// Closes the packets of one stream of ours under one key.
///
/// ```
/// use cordboard_sip::srtp::{MasterKey, Opener, Sealer, Suite};
/// let key = MasterKey::from_bytes(Suite::AesGcm128, &[7; 28])?;
/// let (mut sealer, mut opener) = (Sealer::new(&key)?, Opener::new(&key)?);
/// let plain = [0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9, 0xff, 0xfe];
/// let mut packet = [0; 64];
/// packet[..plain.len()].copy_from_slice(&plain);
/// let sealed = sealer.seal_rtp(&mut packet, plain.len())?;
/// assert_eq!(sealed, plain.len() + 16);
/// let mut again = packet;
/// assert_eq!(opener.open_rtp(&mut packet[..sealed]), Ok(plain.len()));
/// assert_eq!(packet[..plain.len()], plain);
/// assert!(opener.open_rtp(&mut again[..sealed]).is_err(), "no packet counts twice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    /// Index of the packet sent last.
    index: Option<u64>,
    rtcp_index: u32,
}

impl Sealer {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`SrtpError::Cipher`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        let (rtp, rtcp) = (Cipher::rtp(key)?, Cipher::rtcp(key)?);
        Ok(Self { rtp, rtcp, index: None, rtcp_index: 0 })
    }

    /// Closes the RTP packet `buffer[..len]`; gives its new length. Sequence numbers only go up.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    ///
    /// # Real-time
    /// No allocation.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..len).ok_or(SrtpError::Room)?;
        let header = rtp::header_bytes(packet).map_err(|_| SrtpError::Room)?;
        let (sequence, ssrc) = rtp::sequence_and_ssrc(packet).ok_or(SrtpError::Room)?;
        let index = match self.index {
            None => u64::from(sequence),
            // The distance modulo 2^16 is what the sequence has moved on by.
            Some(last) => last + u64::from(sequence.wrapping_sub(last as u16)),
        };
        if index > LAST_INDEX {
            return Err(SrtpError::UsedUp);
        }
        let sealed = self.rtp.seal_rtp(buffer, (header, len), (ssrc, index))?;
        self.index = Some(index);
        Ok(sealed)
    }

    /// Closes the compound RTCP packet `buffer[..len]`; gives its new length.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    ///
    /// # Real-time
    /// No allocation.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let head = buffer.get(..len).and_then(|it| it.first_chunk::<RTCP_HEADER_BYTES>());
        let [.., a, b, c, d] = *head.ok_or(SrtpError::Room)?;
        if self.rtcp_index == LAST_RTCP_INDEX {
            return Err(SrtpError::UsedUp);
        }
        let ssrc = u32::from_be_bytes([a, b, c, d]);
        let sealed = self.rtcp.seal_rtcp(buffer, len, (ssrc, self.rtcp_index + 1))?;
        self.rtcp_index += 1;
        Ok(sealed)
    }
}
