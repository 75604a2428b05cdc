//! Compound packets read in place: all of one is well-formed, or none of it is believed.

use crate::rtp::MAX_PACKET_BYTES;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
/// Bytes of a report block.
const BLOCK_BYTES: usize = 24;

/// Why bytes are no RTCP; counted by whoever asked, never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotRtcp {
    /// Longer than any datagram that we take.
    #[error("peer misbehaved: rtcp packet too long")]
    TooLong,
    /// A length inside passes the end.
    #[error("peer misbehaved: rtcp packet cut short")]
    CutShort,
    /// Not version 2, or padded in the middle.
    #[error("peer misbehaved: broken rtcp header")]
    Header,
    /// The first is no report (RFC 3550 appendix A.2).
    #[error("peer misbehaved: rtcp does not begin with a report")]
    NoReport,
}

/// Their block about our stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Lost in all.
    pub lost: u32,
    /// Middle of the NTP time of our last report that they know; 0 is none.
    pub last_report: u32,
    /// How long ago that was to them, in 1/65536 s.
    pub delay: u32,
}

/// What a compound packet said, as far as a telephone needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Who sends.
    pub ssrc: u32,
    /// NTP time of their sender report.
    pub sender_report: Option<u64>,
    /// What they hear of us.
    pub about_us: Option<Block>,
    /// They say that they leave. To be counted, not to be obeyed.
    pub bye: bool,
}

/// Whether a datagram on a shared port is RTCP's rather than RTP's (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, kind, ..] if first >> 6 == 2 && (192..=223).contains(kind))
}

/// Reads all packets of a datagram; blocks about others than `ours` are passed over.
pub(super) fn read(datagram: &[u8], ours: u32) -> Result<Heard, NotRtcp> {
    if datagram.len() > MAX_PACKET_BYTES {
        return Err(NotRtcp::TooLong);
    }
    let mut heard = Heard::default();
    let (mut rest, mut is_first) = (datagram, true);
    while !rest.is_empty() {
        let [first, kind, high, low] = *rest.first_chunk().ok_or(NotRtcp::CutShort)?;
        let len = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let (packet, after) = rest.split_at_checked(len).ok_or(NotRtcp::CutShort)?;
        // Padding is allowed in the last alone, and never in the first.
        let padded = first & 0x20 != 0;
        if first >> 6 != 2 || padded && (is_first || !after.is_empty()) {
            return Err(NotRtcp::Header);
        }
        let count = usize::from(first & 0x1f);
        match kind {
            SENDER_REPORT => {
                let [.., n0, n1, n2, n3, n4, n5, n6, n7] = *chunk::<16>(packet, 0)?;
                heard.ssrc = word(packet, 4)?;
                heard.sender_report = Some(u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]));
                blocks(packet, 28, count, ours, &mut heard)?;
            }
            RECEIVER_REPORT => {
                heard.ssrc = word(packet, 4)?;
                blocks(packet, 8, count, ours, &mut heard)?;
            }
            _ if is_first => return Err(NotRtcp::NoReport),
            BYE => {
                chunk_at(packet, 4, 4 * count)?;
                heard.bye = true;
            }
            _ => {}
        }
        (rest, is_first) = (after, false);
    }
    if is_first { Err(NotRtcp::CutShort) } else { Ok(heard) }
}

fn blocks(
    packet: &[u8],
    from: usize,
    count: usize,
    ours: u32,
    heard: &mut Heard,
) -> Result<(), NotRtcp> {
    let blocks = chunk_at(packet, from, count * BLOCK_BYTES)?;
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        if word(block, 0)? != ours {
            continue;
        }
        let [fraction_lost, a, b, c] = *chunk::<4>(block, 4)?;
        // 24 bits with a sign: duplicates can make it negative.
        let lost = u32::from_be_bytes([0, a, b, c]);
        let lost = if a & 0x80 != 0 { 0 } else { lost };
        let (last_report, delay) = (word(block, 16)?, word(block, 20)?);
        heard.about_us = Some(Block { fraction_lost, lost, last_report, delay });
    }
    Ok(())
}

fn chunk_at(packet: &[u8], at: usize, len: usize) -> Result<&[u8], NotRtcp> {
    packet.get(at..at + len).ok_or(NotRtcp::CutShort)
}

fn chunk<const N: usize>(packet: &[u8], at: usize) -> Result<&[u8; N], NotRtcp> {
    packet.get(at..).and_then(|it| it.first_chunk()).ok_or(NotRtcp::CutShort)
}

fn word(packet: &[u8], at: usize) -> Result<u32, NotRtcp> {
    chunk::<4>(packet, at).map(|it| u32::from_be_bytes(*it))
}
