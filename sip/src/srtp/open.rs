//! Opens what we are sent, and leaves no trace of what does not authenticate.
//!
//! Whoever has no room any more makes room by the source that has been silent longest, if long
//! enough. A packet of a source that is forgotten would authenticate again: who recorded it could
//! have us hear words of this very call once more, and turn our sealed sound to another address
//! until the peer's next packet. For that it takes `MAX_SOURCES` later sources of the same key;
//! what is kept, and all that speaks is, cannot be replayed.

use std::time::Duration;

use super::cipher::{Cipher, INDEX_BYTES, RTCP_HEADER_BYTES};
use super::window::Window;
use super::{MasterKey, SrtpError};
use crate::rtp;

/// Sources that are remembered under one key. A telephone changes its own at a transfer or two; a
/// switch that plays announcements and music gives each of them its own, for hours.
const MAX_SOURCES: usize = 64;
/// A source that has been silent for so long may be forgotten: none that pauses between words.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// Why a packet stays closed; counted by whoever asked, never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// No RTP or RTCP packet with a tag.
    #[error("peer misbehaved: no secured packet")]
    CutShort,
    /// Seen before, or too old to know.
    #[error("peer misbehaved: replayed packet")]
    Replayed,
    /// Not made with the key.
    #[error("peer misbehaved: packet does not authenticate")]
    Forged,
    /// More sources at once than any peer has.
    #[error("peer misbehaved: too many sources at once under one key")]
    Sources,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// When its last packet authenticated.
    heard_at: Duration,
}

/// Opens the packets of one key: of each source on its own, without replay.
#[derive(Debug)]
pub struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    mki_bytes: usize,
    /// Room for all of them is there from the beginning.
    sources: Vec<Source>,
    now: Duration,
}

impl Opener {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`SrtpError::Cipher`].
    pub fn new(key: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::rtp(key)?,
            rtcp: Cipher::rtcp(key)?,
            mki_bytes: key.mki_bytes(),
            sources: Vec::with_capacity(MAX_SOURCES),
            now: Duration::ZERO,
        })
    }

    /// Says what time it is, by any clock that does not go back.
    pub fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Opens an RTP packet in place; gives its length without the tag.
    ///
    /// # Errors
    /// [`Rejected`]; nothing has changed then, neither here nor in the packet's header.
    ///
    /// # Real-time
    /// No allocation.
    pub fn open_rtp(&mut self, datagram: &mut [u8]) -> Result<usize, Rejected> {
        let header = rtp::header_bytes(datagram).map_err(|_| Rejected::CutShort)?;
        let (sequence, ssrc) = rtp::sequence_and_ssrc(datagram).ok_or(Rejected::CutShort)?;
        let tag_bytes = self.rtp.tag_bytes();
        let (packet, tag) = if self.rtp.tag_is_last() {
            let at = datagram.len().checked_sub(tag_bytes).ok_or(Rejected::CutShort)?;
            let (packet, tag) = datagram.split_at_mut(at);
            let at = packet.len().checked_sub(self.mki_bytes).ok_or(Rejected::CutShort)?;
            (&mut packet[..at], tag)
        } else {
            // GCM's tag is part of the ciphertext; the identifier stands behind it.
            let end = datagram.len().checked_sub(self.mki_bytes).ok_or(Rejected::CutShort)?;
            let at = end.checked_sub(tag_bytes).ok_or(Rejected::CutShort)?;
            datagram[..end].split_at_mut(at)
        };
        if packet.len() <= header {
            return Err(Rejected::CutShort);
        }
        let mut source = self.source(ssrc);
        let index = source.rtp.estimate(sequence).ok_or(Rejected::Replayed)?;
        if !source.rtp.is_new(index) {
            return Err(Rejected::Replayed);
        }
        let len = packet.len();
        let opened = self.rtp.open_rtp(packet, tag, header, (ssrc, index));
        opened.map_err(|_| Rejected::Forged)?;
        source.rtp.note(index);
        self.keep(source)?;
        Ok(len)
    }

    /// Opens a compound RTCP packet in place; gives its length without the trailer.
    ///
    /// # Errors
    /// [`Rejected`]; nothing has changed then.
    ///
    /// # Real-time
    /// No allocation.
    pub fn open_rtcp(&mut self, datagram: &mut [u8]) -> Result<usize, Rejected> {
        let tag_bytes = self.rtcp.tag_bytes();
        let trailer = tag_bytes + INDEX_BYTES + self.mki_bytes;
        let len = datagram.len().checked_sub(trailer).ok_or(Rejected::CutShort)?;
        if len < RTCP_HEADER_BYTES {
            return Err(Rejected::CutShort);
        }
        let (packet, trailer) = datagram.split_at_mut(len);
        let (tag, word) = if self.rtcp.tag_is_last() {
            (&trailer[trailer.len() - tag_bytes..], &trailer[..INDEX_BYTES])
        } else {
            trailer[..tag_bytes + INDEX_BYTES].split_at(tag_bytes)
        };
        let word = word.first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
        let ssrc = packet[4..].first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
        let mut source = self.source(ssrc);
        let index = u64::from(word & !(1 << 31));
        if !source.rtcp.is_new(index) {
            return Err(Rejected::Replayed);
        }
        self.rtcp.open_rtcp(packet, tag, word, ssrc).map_err(|_| Rejected::Forged)?;
        source.rtcp.note(index);
        self.keep(source)?;
        Ok(len)
    }

    /// A source as it stands, new where it is not known.
    fn source(&self, ssrc: u32) -> Source {
        let known = self.sources.iter().find(|it| it.ssrc == ssrc);
        known.copied().unwrap_or_else(|| Source { ssrc, ..Source::default() })
    }

    /// Keeps a source that has authenticated.
    fn keep(&mut self, source: Source) -> Result<(), Rejected> {
        let source = Source { heard_at: self.now, ..source };
        if let Some(known) = self.sources.iter_mut().find(|it| it.ssrc == source.ssrc) {
            *known = source;
            return Ok(());
        }
        if self.sources.len() < MAX_SOURCES {
            self.sources.push(source);
            return Ok(());
        }
        let longest_silent = self.sources.iter_mut().min_by_key(|it| it.heard_at);
        let idle = |it: &&mut Source| self.now.saturating_sub(it.heard_at) >= FORGET_AFTER;
        *longest_silent.filter(idle).ok_or(Rejected::Sources)? = source;
        Ok(())
    }
}

#[cfg(test)]
impl Opener {
    pub(super) fn known_sources(&self) -> usize {
        self.sources.len()
    }
}
