//! RTP packets read in place (RFC 3550 §5.1): nothing copied, nothing trusted.
//!
//! Contributing sources, header extensions and padding are skipped with their lengths checked.
//! Absent: RTCP, which shares a port with RTP at times (RFC 5761) and is told apart here only.

/// Bytes of a header without contributing sources or extension.
pub const HEADER_BYTES: usize = 12;
/// Longest datagram taken: nothing that the telephone's codecs make comes near.
pub const MAX_PACKET_BYTES: usize = 1500;

/// A packet, borrowing its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Set on the first packet of a stretch of speech (RFC 3551 §4.1).
    pub marker: bool,
    /// What the payload is.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Counts samples, wraps.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    /// Never empty.
    pub payload: &'a [u8],
}

/// Why bytes are no packet; counted by whoever asked, never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotRtp {
    /// Longer than [`MAX_PACKET_BYTES`].
    #[error("peer misbehaved: rtp packet too long")]
    TooLong,
    /// A length inside passes the end.
    #[error("peer misbehaved: rtp packet cut short")]
    CutShort,
    /// Not version 2: STUN, DTLS, noise.
    #[error("peer misbehaved: not rtp version 2")]
    Version,
    /// RTCP on the RTP port (RFC 5761 §4).
    #[error("unsupported: rtcp on the rtp port")]
    Rtcp,
    /// Nothing left but padding.
    #[error("peer misbehaved: rtp packet without payload")]
    Empty,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`NotRtp`] says what it was instead.
    ///
    /// # Real-time
    /// No allocation, O(1).
    ///
    /// ```
    /// use cordboard_sip::rtp::Packet;
    /// let bytes = [0x80, 0x80, 0, 7, 0, 0, 0, 160, 0, 0, 0, 1, 0xff];
    /// let packet = Packet::parse(&bytes)?;
    /// assert_eq!((packet.marker, packet.sequence, packet.payload), (true, 7, &[0xff][..]));
    /// # Ok::<(), cordboard_sip::rtp::NotRtp>(())
    /// ```
    pub fn parse(datagram: &'a [u8]) -> Result<Self, NotRtp> {
        let at = header_bytes(datagram)?;
        let (header, _) = datagram.split_first_chunk::<HEADER_BYTES>().ok_or(NotRtp::CutShort)?;
        let (first, mut rest) = (header[0], &datagram[at..]);
        if first & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(NotRtp::CutShort)?);
            let kept = rest.len().checked_sub(padding).filter(|_| padding > 0);
            rest = &rest[..kept.ok_or(NotRtp::CutShort)?];
        }
        if rest.is_empty() {
            return Err(NotRtp::Empty);
        }
        let [_, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *header;
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            payload: rest,
        })
    }
}

/// Bytes of a packet's header with its contributing sources and extension: what SRTP leaves
/// readable. At most the length of the datagram.
pub(crate) fn header_bytes(datagram: &[u8]) -> Result<usize, NotRtp> {
    if datagram.len() > MAX_PACKET_BYTES {
        return Err(NotRtp::TooLong);
    }
    let first = *datagram.first().ok_or(NotRtp::CutShort)?;
    if first >> 6 != 2 {
        return Err(NotRtp::Version);
    }
    let header = datagram.first_chunk::<HEADER_BYTES>().ok_or(NotRtp::CutShort)?;
    // RTCP packet types 192 to 223 fall on marker plus payload types 64 to 95.
    if (192..=223).contains(&header[1]) {
        return Err(NotRtp::Rtcp);
    }
    let mut at = HEADER_BYTES + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let prefix = datagram.get(at..).and_then(|it| it.first_chunk::<4>());
        let [_, _, high, low] = *prefix.ok_or(NotRtp::CutShort)?;
        at += 4 + usize::from(u16::from_be_bytes([high, low])) * 4;
    }
    if at > datagram.len() { Err(NotRtp::CutShort) } else { Ok(at) }
}

/// Sequence number and source of what may be a packet.
pub(crate) fn sequence_and_ssrc(datagram: &[u8]) -> Option<(u16, u32)> {
    let [_, _, s0, s1, _, _, _, _, r0, r1, r2, r3] = *datagram.first_chunk::<HEADER_BYTES>()?;
    Some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([r0, r1, r2, r3])))
}

/// The fields of a header that we write: no contributing source, no extension, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// See [`Packet::marker`].
    pub marker: bool,
    /// See [`Packet::payload_type`].
    pub payload_type: u8,
    /// See [`Packet::sequence`].
    pub sequence: u16,
    /// See [`Packet::timestamp`].
    pub timestamp: u32,
    /// See [`Packet::ssrc`].
    pub ssrc: u32,
}

impl Header {
    /// The header as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = (self.payload_type & 0x7f) | (u8::from(self.marker) << 7);
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    #[test]
    fn what_lies_about_its_length_is_refused() {
        let head = [0u8, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        let packet = |first: u8, second: u8, tail: &[u8]| {
            let mut bytes = head.to_vec();
            (bytes[0], bytes[1]) = (first, second);
            bytes.extend_from_slice(tail);
            bytes
        };
        for (bytes, expected) in [
            (vec![], NotRtp::CutShort),
            (vec![0x80; 11], NotRtp::CutShort),
            (packet(0x00, 0, &[1]), NotRtp::Version),
            (packet(0x40, 0, &[1]), NotRtp::Version),
            (packet(0xc0, 0, &[1]), NotRtp::Version),
            (packet(0x80, 200, &[1]), NotRtp::Rtcp),
            (packet(0x80, 0, &[]), NotRtp::Empty),
            (packet(0x8f, 0, &[0; 59]), NotRtp::CutShort),
            (packet(0x8f, 0, &[0; 60]), NotRtp::Empty),
            (packet(0x90, 0, &[0xbe, 0xde, 0]), NotRtp::CutShort),
            (packet(0x90, 0, &[0xbe, 0xde, 0xff, 0xff, 1]), NotRtp::CutShort),
            (packet(0xa0, 0, &[]), NotRtp::CutShort),
            (packet(0xa0, 0, &[9]), NotRtp::CutShort),
            (packet(0xa0, 0, &[0]), NotRtp::CutShort),
            (packet(0xa0, 0, &[0, 2]), NotRtp::Empty),
            (packet(0x80, 0, &[0; 1500]), NotRtp::TooLong),
        ] {
            assert_eq!(Packet::parse(&bytes), Err(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut bytes = vec![0xb2, 0x80, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        bytes.extend([7, 8, 0, 0, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.payload, [7, 8]);
        assert_eq!((packet.sequence, packet.timestamp, packet.ssrc), (1, 2, 3));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_as_another_reader_does(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80), version: bool,
        ) {
            if let (true, Some(first)) = (version, bytes.first_mut()) {
                *first = (*first & 0x3f) | 0x80;
            }
            if let Ok(ours) = Packet::parse(&bytes) {
                let theirs = rtc_rtp::Header::unmarshal(&mut &bytes[..]);
                if let Ok(theirs) = theirs {
                    prop_assert_eq!(ours.sequence, theirs.sequence_number);
                    prop_assert_eq!(ours.timestamp, theirs.timestamp);
                    prop_assert_eq!(ours.ssrc, theirs.ssrc);
                    prop_assert_eq!(ours.payload_type, theirs.payload_type);
                    prop_assert_eq!(ours.marker, theirs.marker);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(
            marker: bool, payload_type in 0_u8..64, sequence: u16, timestamp: u32, ssrc: u32,
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut bytes = header.to_bytes().to_vec();
            bytes.push(1);
            let expected =
                Packet { marker, payload_type, sequence, timestamp, ssrc, payload: &[1] };
            prop_assert_eq!(Packet::parse(&bytes), Ok(expected));
        }
    }
}
