//! Where the far side's packets may come from: symmetric RTP (RFC 4961) that cannot be stolen.
//!
//! Behind address translation packets come from elsewhere than was signalled. We follow them to
//! another *port* of the signalled address, and to another *address* only among the very first
//! packets and only while nothing came from the signalled one. Then the latch is shut: everything
//! else is garbage, counted and nothing more. An attacker who sprays a port hears nothing unless
//! it comes within the first five packets of a call, and loses even that when the true peer speaks.
//! Where the address translation binds anew in the middle of a call, another port of the same
//! address is followed once the old one is silent, for the source that spoke there: an attacker
//! who shares the address would have to know its number.
//!
//! Who holds the key of a secured stream is followed anywhere at once: [`Latch::authenticated`].

use std::net::SocketAddr;

/// Packets at the start of a stream among which another address is believed.
const FIRST_PACKETS: u32 = 5;

/// Ticks of silence, 200 ms, after which a source may go on from another port of its address.
const QUIET_TICKS: u32 = 10;

/// What to make of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Of the stream.
    Accepted,
    /// Of the stream, and the first of its source or from its address: decoders and jitter
    /// buffers begin anew.
    NewSource,
    /// Not of the stream.
    Garbage,
}

/// How far the far side has been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing heard that belongs here.
    Open,
    /// From the signalled IP address, on this port.
    Near(SocketAddr),
    /// From another IP address altogether.
    Far(SocketAddr),
}

/// The latch of one stream.
///
/// ```
/// use cordboard_sip::latch::{Latch, Verdict};
/// let mut latch = Latch::new("192.0.2.1:4000".parse()?);
/// assert_eq!(latch.packet("192.0.2.1:61000".parse()?, 7), Verdict::NewSource);
/// assert_eq!(latch.packet("203.0.113.9:4000".parse()?, 7), Verdict::Garbage);
/// assert_eq!(latch.destination(), Some("192.0.2.1:61000".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Latch {
    signalled: SocketAddr,
    state: State,
    ssrc: Option<u32>,
    /// Ticks since a packet of the stream.
    quiet_ticks: u32,
    seen: u32,
    garbage: u64,
    source_changes: u64,
}

impl Latch {
    /// Begins with the address that the session description gave.
    #[must_use]
    pub fn new(signalled: SocketAddr) -> Self {
        let signalled = canonical(signalled);
        let state = State::Open;
        Self {
            signalled,
            state,
            ssrc: None,
            quiet_ticks: 0,
            seen: 0,
            garbage: 0,
            source_changes: 0,
        }
    }

    /// Takes the address of a later description; the same one changes nothing.
    pub fn resignal(&mut self, signalled: SocketAddr) {
        let signalled = canonical(signalled);
        if signalled != self.signalled {
            self.signalled = signalled;
            self.state = State::Open;
            self.seen = 0;
        }
    }

    /// 20 ms have passed.
    pub fn tick(&mut self) {
        self.quiet_ticks = self.quiet_ticks.saturating_add(1);
    }

    /// Judges a packet that parsed as RTP.
    ///
    /// # Real-time
    /// No allocation, O(1).
    pub fn packet(&mut self, from: SocketAddr, ssrc: u32) -> Verdict {
        let from = canonical(from);
        self.seen = self.seen.saturating_add(1);
        let early = self.seen <= FIRST_PACKETS;
        let near = from.ip() == self.signalled.ip();
        let latched = match self.state {
            State::Open => None,
            State::Near(at) | State::Far(at) => Some(at),
        };
        let beside = latched.is_some_and(|at| at != from && at.ip() == from.ip());
        let rebound = beside && self.quiet_ticks >= QUIET_TICKS && self.ssrc == Some(ssrc);
        let next = match self.state {
            State::Near(at) | State::Far(at) if at == from => self.state,
            // The signalled address speaks at last: a stranger was first, and goes.
            State::Open | State::Far(_) if near => State::Near(from),
            // A peer may move to the port it signalled after all, but to no other.
            State::Near(_) if from == self.signalled => State::Near(from),
            State::Open if early => State::Far(from),
            State::Near(_) if rebound => State::Near(from),
            State::Far(_) if rebound => State::Far(from),
            State::Open | State::Near(_) | State::Far(_) => {
                self.garbage += 1;
                return Verdict::Garbage;
            }
        };
        self.follow(next, ssrc)
    }

    /// Takes a packet that authenticated: wherever it comes from, the peer is there (NAT
    /// rebinding, another network).
    ///
    /// # Real-time
    /// No allocation, O(1).
    pub fn authenticated(&mut self, from: SocketAddr, ssrc: u32) -> Verdict {
        let from = canonical(from);
        let near = from.ip() == self.signalled.ip();
        self.seen = self.seen.saturating_add(1);
        self.follow(if near { State::Near(from) } else { State::Far(from) }, ssrc)
    }

    fn follow(&mut self, next: State, ssrc: u32) -> Verdict {
        self.quiet_ticks = 0;
        let moved = next != self.state;
        let source_changed = self.ssrc.is_some_and(|it| it != ssrc);
        self.source_changes += u64::from(source_changed);
        let fresh = moved || source_changed || self.ssrc.is_none();
        self.state = next;
        self.ssrc = Some(ssrc);
        if fresh { Verdict::NewSource } else { Verdict::Accepted }
    }

    /// Where our packets go: to where theirs come from, until then to what was signalled;
    /// nowhere while the peer signals no address (the old way to hold).
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        match self.state {
            _ if self.signalled.ip().is_unspecified() => None,
            State::Open => Some(self.signalled),
            State::Near(at) | State::Far(at) => Some(at),
        }
    }

    /// Packets refused so far.
    #[must_use]
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Times that the source identifier changed.
    #[must_use]
    pub fn source_changes(&self) -> u64 {
        self.source_changes
    }
}

/// A dual-stack socket shows `192.0.2.1` as `::ffff:192.0.2.1`.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNALLED: &str = "192.0.2.1:4000";
    const OTHER_PORT: &str = "192.0.2.1:61000";
    const NAT: &str = "198.51.100.7:7000";
    const THIEF: &str = "203.0.113.9:4000";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_followed_and_who_is_not() {
        for (packets, destination, garbage) in [
            (&[][..], SIGNALLED, 0),
            (&[SIGNALLED, THIEF, THIEF], SIGNALLED, 2),
            (&[OTHER_PORT, OTHER_PORT, THIEF], OTHER_PORT, 1),
            (&[OTHER_PORT, SIGNALLED], SIGNALLED, 0),
            (&[SIGNALLED, OTHER_PORT], SIGNALLED, 1),
            (&[NAT, NAT, NAT, THIEF], NAT, 1),
            (&[THIEF, THIEF, SIGNALLED, THIEF], SIGNALLED, 1),
            (&[NAT, OTHER_PORT, NAT], OTHER_PORT, 1),
        ] {
            let mut latch = Latch::new(at(SIGNALLED));
            for packet in packets {
                latch.packet(at(packet), 1);
            }
            let found = (latch.destination(), latch.garbage());
            assert_eq!(found, (Some(at(destination)), garbage), "{packets:?}");
        }
    }

    /// F11 without keys: the same address and the same source, once the old port is silent.
    #[test]
    fn a_peer_whose_port_moves_is_followed_when_the_old_one_is_silent() {
        let mut latch = Latch::new(at(SIGNALLED));
        latch.packet(at(SIGNALLED), 1);
        for _ in 0..20 {
            latch.tick();
            assert_eq!(latch.packet(at(SIGNALLED), 1), Verdict::Accepted);
            assert_eq!(latch.packet(at(OTHER_PORT), 1), Verdict::Garbage);
        }
        (0..QUIET_TICKS).for_each(|_| latch.tick());
        for (from, ssrc) in [(OTHER_PORT, 2), (THIEF, 1), (NAT, 1)] {
            assert_eq!(latch.packet(at(from), ssrc), Verdict::Garbage, "{from} {ssrc}");
        }
        assert_eq!(latch.packet(at(OTHER_PORT), 1), Verdict::NewSource);
        assert_eq!(latch.packet(at(OTHER_PORT), 1), Verdict::Accepted);
        assert_eq!(latch.destination(), Some(at(OTHER_PORT)));
    }

    /// F11 with keys: the first packet that authenticates is enough, from anywhere.
    #[test]
    fn a_peer_that_authenticates_is_followed_at_once() {
        let mut latch = Latch::new(at(SIGNALLED));
        for from in [SIGNALLED, OTHER_PORT, NAT, SIGNALLED] {
            assert_eq!(latch.authenticated(at(from), 1), Verdict::NewSource);
            assert_eq!(latch.destination(), Some(at(from)));
            assert_eq!(latch.authenticated(at(from), 1), Verdict::Accepted);
        }
    }

    #[test]
    fn another_address_is_not_believed_after_the_first_packets() {
        let mut latch = Latch::new(at(SIGNALLED));
        latch.seen = FIRST_PACKETS;
        assert_eq!(latch.packet(at(NAT), 1), Verdict::Garbage);
        assert_eq!(latch.packet(at(OTHER_PORT), 1), Verdict::NewSource);
    }

    #[test]
    fn a_new_source_identifier_is_told_once() {
        let mut latch = Latch::new(at(SIGNALLED));
        let verdicts = [7, 7, 8, 8].map(|ssrc| latch.packet(at(SIGNALLED), ssrc));
        use Verdict::{Accepted, NewSource};
        assert_eq!(verdicts, [NewSource, Accepted, NewSource, Accepted]);
        assert_eq!(latch.source_changes(), 1);
    }

    #[test]
    fn a_new_description_opens_the_latch_and_a_hold_has_no_destination() {
        let mut latch = Latch::new(at(SIGNALLED));
        latch.packet(at(OTHER_PORT), 1);
        latch.resignal(at(SIGNALLED));
        assert_eq!(latch.destination(), Some(at(OTHER_PORT)));
        latch.resignal(at("0.0.0.0:4000"));
        assert_eq!(latch.destination(), None);
        latch.resignal(at(NAT));
        assert_eq!(latch.destination(), Some(at(NAT)));
    }

    #[test]
    fn mapped_addresses_are_the_same_address() {
        let mut latch = Latch::new(at(SIGNALLED));
        assert_eq!(latch.packet(at("[::ffff:192.0.2.1]:4000"), 1), Verdict::NewSource);
        assert_eq!(latch.destination(), Some(at(SIGNALLED)));
    }

    proptest! {
        #[test]
        fn once_the_signalled_address_speaks_no_stranger_is_ever_heard(
            before in proptest::collection::vec(0_usize..4, 0..8),
            after in proptest::collection::vec(0_usize..4, 0..40),
        ) {
            let from = [SIGNALLED, OTHER_PORT, NAT, THIEF].map(at);
            let mut latch = Latch::new(from[0]);
            for index in before {
                latch.packet(from[index], 1);
            }
            latch.packet(from[0], 1);
            for index in after {
                let verdict = latch.packet(from[index], 1);
                prop_assert_eq!(verdict == Verdict::Garbage, index != 0);
            }
        }
    }
}
