//! The way of a phone's packets: sockets, keys and reports.
//!
//! What comes is authenticated before anybody looks at where it came from; what goes is sealed
//! once keys are agreed on, or not sent. RTCP is told apart here, on either port. Nothing waits,
//! and nothing is ever sent in reply to a packet: reports go by the clock.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use cordboard_sip::negotiation::Negotiated;
use cordboard_sip::ports::{Lease, PortsError};
use cordboard_sip::rtcp::{BufferDepth, MAX_REPORT_BYTES, NotRtcp, Quality, Reports, is_rtcp};
use cordboard_sip::rtp::{MAX_PACKET_BYTES, Packet};
use cordboard_sip::srtp::{Keys, MAX_OVERHEAD_BYTES, Opener, Sealer, SrtpError};

use super::{MediaSettings, stamps};

/// What the jitter buffer begins with and may grow to (cordboard-audio, `jitter`).
const BUFFER: BufferDepth = BufferDepth { nominal_ms: 40, maximum_ms: 200 };

/// Ticks between two looks for reports on a port of their own: they come every few seconds, and a
/// look costs as much as a packet.
const REPORTS_EVERY: u8 = 5;

/// One datagram, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// No more for now.
    Nothing,
    /// What belongs to nobody here.
    Junk,
    /// May be RTP: plain by now, so many bytes of the buffer.
    Rtp {
        len: usize,
        from: SocketAddr,
        /// Whether it was made with the agreed key.
        authenticated: bool,
    },
    /// A report of the far end.
    Report,
    /// Control without a report (RFC 5506), from one who may send it: a phone opens its NAT so.
    Passed,
}

/// What secures the packets.
#[derive(Debug)]
enum Security {
    Plain,
    Sealed(Box<Contexts>),
    /// Keys were agreed on that no cipher takes: nothing goes and nothing comes.
    Shut,
}

#[derive(Debug)]
struct Contexts {
    keys: Keys,
    sealer: Sealer,
    opener: Opener,
    /// What opens packets that were on their way when the keys changed (RFC 4568 §7.1.4).
    earlier: Option<Opener>,
}

/// The sockets of a phone and what stands around them.
#[derive(Debug)]
pub(super) struct Path {
    rtp: UdpSocket,
    /// Closed where RTCP goes with the RTP.
    rtcp: Option<UdpSocket>,
    /// Gives the ports back with the leg.
    lease: Lease,
    security: Security,
    reports: Option<Reports>,
    /// Where the far end said that it wants reports, and where its own came from.
    reports_wanted: Option<SocketAddr>,
    reports_heard: Option<SocketAddr>,
    now: Duration,
    /// Ticks until reports are looked for on their own port.
    reports_in: u8,
    /// Room for the system's word on when a datagram came, where that is wanted.
    stamps: Option<Vec<u8>>,
    arrived: Option<Duration>,
    buffer: [u8; MAX_PACKET_BYTES + MAX_OVERHEAD_BYTES],
}

impl Path {
    /// Leases a pair of ports and opens both.
    pub(super) fn open(media: &MediaSettings) -> Result<Self, PortsError> {
        let bind = |port| {
            let socket = UdpSocket::bind(SocketAddr::new(media.bind, port)).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(socket)
        };
        let (lease, (rtp, rtcp)) =
            media.ports.lease_with(|port| Some((bind(port)?, bind(port + 1)?)))?;
        let stamps = media.stamps.then(|| stamps::begin(&rtp)).flatten();
        Ok(Self {
            rtp,
            rtcp: Some(rtcp),
            lease,
            security: Security::Plain,
            reports: None,
            reports_wanted: None,
            reports_heard: None,
            now: Duration::ZERO,
            reports_in: 0,
            stamps,
            arrived: None,
            buffer: [0; MAX_PACKET_BYTES + MAX_OVERHEAD_BYTES],
        })
    }

    /// The even port.
    pub(super) fn port(&self) -> u16 {
        self.lease.port()
    }

    /// Takes what was agreed on: keys, where reports go, the RTP clock.
    pub(super) fn agree(&mut self, agreed: &Negotiated, keys: Option<Keys>, clock_rate_hz: u32) {
        self.security = match (keys, std::mem::replace(&mut self.security, Security::Shut)) {
            (None, _) => Security::Plain,
            (Some(keys), Security::Sealed(it)) if it.keys == keys => Security::Sealed(it),
            (Some(keys), before) => match contexts(keys, before) {
                Ok(contexts) => Security::Sealed(Box::new(contexts)),
                Err(fault) => {
                    tracing::error!(%fault, "no media: the keys agreed on cannot be used");
                    Security::Shut
                }
            },
        };
        let wanted = if agreed.rtcp_mux { agreed.remote } else { agreed.rtcp };
        if self.reports_wanted.replace(wanted) != Some(wanted) {
            self.reports_heard = None;
        }
        if agreed.rtcp_mux {
            self.rtcp = None;
        }
        if let Some(reports) = self.reports.as_mut() {
            reports.set_clock_rate(clock_rate_hz);
        }
    }

    /// Begins the reports on our stream.
    pub(super) fn report(&mut self, ssrc: u32, seed: u64, wall_unix_ms: u64, clock_rate_hz: u32) {
        let mut reports = Reports::new(ssrc, seed, (self.now, wall_unix_ms));
        reports.set_buffer(BUFFER);
        reports.set_clock_rate(clock_rate_hz);
        self.reports = Some(reports);
    }

    /// Begins a tick; sends a report where one is due, and says whether it did. `peer` is where
    /// our sound goes.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(super) fn tick(&mut self, now: Duration, peer: Option<SocketAddr>) -> bool {
        self.now = now;
        self.reports_in = self.reports_in.checked_sub(1).unwrap_or(REPORTS_EVERY - 1);
        if let Security::Sealed(contexts) = &mut self.security {
            contexts.tick(now);
        }
        let mut report = [0; MAX_REPORT_BYTES];
        let due = self.reports.as_mut().and_then(|it| it.poll(now, &mut report));
        due.is_some_and(|len| self.send_report(&report[..len], peer))
    }

    /// Tells the far end that our stream is over.
    pub(super) fn goodbye(&mut self, peer: Option<SocketAddr>) {
        let mut report = [0; MAX_REPORT_BYTES];
        let now = self.now;
        if let Some(mut reports) = self.reports.take() {
            let len = reports.goodbye(now, &mut report);
            self.send_report(&report[..len], peer);
        }
    }

    /// Reads one datagram. `peer` is where the far end's sound comes from.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(super) fn receive(&mut self, buffer: &mut [u8], peer: Option<SocketAddr>) -> Received {
        let came = match self.stamps.as_mut() {
            None => self.rtp.recv_from(buffer),
            Some(room) => stamps::receive(&self.rtp, buffer, room).map(|(len, from, arrived)| {
                self.arrived = arrived;
                (len, from)
            }),
        };
        let (len, from, on_rtp) = match came {
            Ok((len, from)) => (len, from, true),
            Err(_) => match self
                .rtcp
                .as_ref()
                .filter(|_| self.reports_in == 0)
                .map(|it| it.recv_from(buffer))
            {
                Some(Ok((len, from))) => (len, from, false),
                Some(Err(_)) | None => return Received::Nothing,
            },
        };
        let datagram = &mut buffer[..len];
        if is_rtcp(datagram) {
            return self.heard(datagram, from, peer);
        }
        if !on_rtp {
            return Received::Junk;
        }
        match &mut self.security {
            Security::Plain => Received::Rtp { len, from, authenticated: false },
            Security::Sealed(contexts) => contexts
                .open_rtp(datagram)
                .map_or(Received::Junk, |len| Received::Rtp { len, from, authenticated: true }),
            Security::Shut => Received::Junk,
        }
    }

    /// When the system took the last datagram in, wall time since 1970; none where it was not
    /// asked to say.
    pub(super) const fn arrived(&self) -> Option<Duration> {
        self.arrived
    }

    /// Notes a packet that the latch accepted.
    pub(super) fn accepted(&mut self, packet: &Packet<'_>) {
        let now = self.now;
        if let Some(reports) = self.reports.as_mut() {
            reports.received(now, packet);
        }
    }

    /// Sends an RTP packet, sealed where keys are agreed on. A datagram that the system does not
    /// take is lost, as any may be on its way.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(super) fn send(&mut self, packet: &[u8], to: SocketAddr) {
        if let (Some(reports), Ok(sent)) = (self.reports.as_mut(), Packet::parse(packet)) {
            reports.sent(self.now, &sent);
        }
        let outgoing = self.security.close(&mut self.buffer, packet, Sealer::seal_rtp);
        if let Some(datagram) = outgoing {
            drop(self.rtp.send_to(datagram, to));
        }
    }

    /// How the two ends hear one another.
    pub(super) fn quality(&self) -> Quality {
        self.reports.as_ref().map(Reports::quality).unwrap_or_default()
    }

    fn heard(
        &mut self,
        datagram: &mut [u8],
        from: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> Received {
        let len = match &mut self.security {
            // Reports without keys are believed from where the sound comes from.
            Security::Plain => {
                let known =
                    peer.is_some_and(|it| it.ip().to_canonical() == from.ip().to_canonical());
                known.then_some(datagram.len())
            }
            Security::Sealed(contexts) => contexts.open_rtcp(datagram),
            Security::Shut => None,
        };
        let (Some(len), Some(reports)) = (len, self.reports.as_mut()) else {
            return Received::Junk;
        };
        let received = match reports.heard(self.now, &datagram[..len]) {
            Ok(_) => Received::Report,
            Err(NotRtcp::NoReport) => Received::Passed,
            Err(_) => return Received::Junk,
        };
        self.reports_heard = Some(from);
        received
    }

    /// Reports go to where theirs come from, until then to where they are wanted; never to an
    /// address that was signalled and that the sound has left.
    fn send_report(&mut self, report: &[u8], peer: Option<SocketAddr>) -> bool {
        let same = |it: &SocketAddr| peer.is_some_and(|peer| peer.ip() == it.ip());
        let to = match (self.rtcp.is_some(), peer) {
            (_, None) => return false,
            (false, peer) => peer,
            (true, _) => self.reports_heard.or_else(|| self.reports_wanted.filter(same)),
        };
        let Some(to) = to else { return false };
        let socket = self.rtcp.as_ref().unwrap_or(&self.rtp);
        let outgoing = self.security.close(&mut self.buffer, report, Sealer::seal_rtcp);
        outgoing.is_some_and(|datagram| socket.send_to(datagram, to).is_ok())
    }
}

impl Security {
    /// What may leave the machine of a packet: itself, or it sealed; nothing where it cannot be.
    fn close<'b>(
        &mut self,
        buffer: &'b mut [u8],
        packet: &'b [u8],
        seal: impl FnOnce(&mut Sealer, &mut [u8], usize) -> Result<usize, SrtpError>,
    ) -> Option<&'b [u8]> {
        match self {
            Self::Plain => Some(packet),
            Self::Sealed(contexts) => {
                buffer.get_mut(..packet.len())?.copy_from_slice(packet);
                let len = seal(&mut contexts.sealer, buffer, packet.len()).ok()?;
                buffer.get(..len)
            }
            Self::Shut => None,
        }
    }
}

impl Contexts {
    fn tick(&mut self, now: Duration) {
        self.opener.tick(now);
        if let Some(earlier) = self.earlier.as_mut() {
            earlier.tick(now);
        }
    }

    fn open_rtp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        self.open(datagram, Opener::open_rtp)
    }

    fn open_rtcp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        self.open(datagram, Opener::open_rtcp)
    }

    /// Tries the key in use; the earlier one only until the new one has opened a packet.
    fn open<E>(
        &mut self,
        datagram: &mut [u8],
        open: impl Fn(&mut Opener, &mut [u8]) -> Result<usize, E>,
    ) -> Option<usize> {
        let Some(earlier) = self.earlier.as_mut() else {
            return open(&mut self.opener, datagram).ok();
        };
        // A cipher may spoil what it could not open.
        let mut copy = [0; MAX_PACKET_BYTES];
        let copy = copy.get_mut(..datagram.len())?;
        copy.copy_from_slice(datagram);
        if let Ok(len) = open(&mut self.opener, datagram) {
            self.earlier = None;
            return Some(len);
        }
        datagram.copy_from_slice(copy);
        open(earlier, datagram).ok()
    }
}

/// Contexts for new keys. A direction whose key stays goes on with its count.
fn contexts(keys: Keys, before: Security) -> Result<Contexts, SrtpError> {
    let Security::Sealed(before) = before else {
        let (sealer, opener) = (Sealer::new(&keys.ours)?, Opener::new(&keys.theirs)?);
        return Ok(Contexts { keys, sealer, opener, earlier: None });
    };
    let sealer =
        if before.keys.ours == keys.ours { before.sealer } else { Sealer::new(&keys.ours)? };
    if before.keys.theirs == keys.theirs {
        return Ok(Contexts { keys, sealer, opener: before.opener, earlier: before.earlier });
    }
    let opener = Opener::new(&keys.theirs)?;
    Ok(Contexts { keys, sealer, opener, earlier: Some(before.opener) })
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
