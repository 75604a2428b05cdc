//! What comes in at a browser's media port (RFC 7983), and from where. Pure.
//!
//! rtc 0.21.1 believes too much: a request of ICE turns its role round before anybody has looked
//! who signed it, and DTLS is taken from any source. And too little: once a pair is selected it
//! stays, so that a browser whose NAT rebinds gets nothing more. So datagrams are looked at here
//! first. [`Door`] lets in what is whole and comes from the browser; [`Way`] follows the browser to
//! the port that it is behind. Absent: SRTP, which is opened and counted later ([`super::socket`]).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use ring::hmac;

/// Questions of ours whose answers may come; each lives for some seconds.
const ASKED_MAX: usize = 64;
/// Addresses that the browser has signed a request from.
const KNOWN_MAX: usize = 16;
/// Credentials that open: those of before a restart are used until it has been agreed on.
const KEYS_MAX: usize = 2;
/// So long nothing comes from where the browser was; Opus is silent for 400 ms at most.
const QUIET: Duration = Duration::from_millis(500);

const STUN_HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const REQUEST: u16 = 0x0001;
const INDICATION: u16 = 0x0011;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const FINGERPRINT: u16 = 0x8028;
/// An attribute's header, and a digest by SHA-1.
const INTEGRITY_BYTES: usize = 4 + 20;
const DTLS_HEADER: usize = 13;
/// A header and the shortest tag: of RTP (RFC 3711 §3.1), and of RTCP with its index (§3.4).
const SECURED_BYTES_MIN: usize = 22;

/// A transaction's number (RFC 8489 §5).
type Transaction = [u8; 12];

/// What a datagram is that may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A request of ICE that the browser has signed.
    Check,
    /// An answer to a question of ours, or a sign of life.
    Answer,
    /// A part of the handshake.
    Handshake,
    /// Sound or a report, as far as can be seen.
    Media,
}

/// What we have told the browser to sign its requests with.
#[derive(Debug)]
struct Key {
    ufrag: Vec<u8>,
    key: hmac::Key,
}

/// Who may come in.
#[derive(Debug, Default)]
pub(super) struct Door {
    keys: VecDeque<Key>,
    asked: VecDeque<Transaction>,
    known: VecDeque<SocketAddr>,
}

impl Door {
    /// Opens to who has this description of ours.
    pub(super) fn open(&mut self, sdp: &str) {
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
        let Some((ufrag, pwd)) = value("a=ice-ufrag:").zip(value("a=ice-pwd:")) else { return };
        let ufrag = ufrag.as_bytes().to_vec();
        if self.keys.iter().any(|it| it.ufrag == ufrag) {
            return;
        }
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
        push(&mut self.keys, Key { ufrag, key }, KEYS_MAX);
    }

    /// Remembers a question of ours.
    pub(super) fn sent(&mut self, datagram: &[u8]) {
        if let Some(Stun { kind: REQUEST, transaction, .. }) = Stun::read(datagram) {
            push(&mut self.asked, transaction, ASKED_MAX);
        }
    }

    /// Looks at a datagram; nothing, where it is refused. Once media has been opened the handshake
    /// is over, and what is not encrypted belongs to none.
    pub(super) fn admit(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        is_agreed: bool,
    ) -> Option<Admitted> {
        match *datagram.first()? {
            0..=3 => self.stun(datagram, from),
            20..=63 => {
                let fits = self.known.contains(&from) && is_dtls(datagram, is_agreed);
                fits.then_some(Admitted::Handshake)
            }
            128..=191 => (datagram.len() >= SECURED_BYTES_MIN).then_some(Admitted::Media),
            _ => None,
        }
    }

    fn stun(&mut self, datagram: &[u8], from: SocketAddr) -> Option<Admitted> {
        let message = Stun::read(datagram)?;
        match message.kind {
            REQUEST => {
                let is_signed = self.keys.iter().any(|key| message.is_signed_by(key));
                if is_signed && !self.known.contains(&from) {
                    push(&mut self.known, from, KNOWN_MAX);
                }
                is_signed.then_some(Admitted::Check)
            }
            // What was asked is a number that nobody guesses; it is answered once.
            SUCCESS | ERROR => {
                let at = self.asked.iter().position(|it| *it == message.transaction)?;
                self.asked.remove(at);
                Some(Admitted::Answer)
            }
            INDICATION => self.known.contains(&from).then_some(Admitted::Answer),
            _ => None,
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// A message of STUN that is whole (RFC 8489 §5, §14).
#[derive(Clone, Copy)]
struct Stun<'a> {
    kind: u16,
    transaction: Transaction,
    username: &'a [u8],
    /// What stands before the signature, and the signature.
    integrity: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Stun<'a> {
    fn read(datagram: &'a [u8]) -> Option<Self> {
        let (header, mut rest) = datagram.split_at_checked(STUN_HEADER)?;
        let length = usize::from(u16_at(header, 2)?);
        if !length.is_multiple_of(4) || length != rest.len() || header[4..8] != COOKIE {
            return None;
        }
        let transaction = header[8..].try_into().ok()?;
        let mut message =
            Self { kind: u16_at(header, 0)?, transaction, username: &[], integrity: None };
        while !rest.is_empty() {
            let before = datagram.len() - rest.len();
            let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
            let value = rest.get(4..4 + length)?;
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
            match kind {
                FINGERPRINT | MESSAGE_INTEGRITY_SHA256 => {}
                // What follows the signature is nobody's.
                _ if message.integrity.is_some() => return None,
                USERNAME => message.username = value,
                MESSAGE_INTEGRITY => message.integrity = Some((&datagram[..before], value)),
                _ => {}
            }
        }
        Some(message)
    }

    /// RFC 8489 §14.5: the length in what is signed is that of a message that ends here.
    fn is_signed_by(&self, key: &Key) -> bool {
        let is_theirs = self.username.strip_prefix(key.ufrag.as_slice());
        let Some((signed, digest)) = self.integrity else { return false };
        if !is_theirs.is_some_and(|rest| rest.starts_with(b":")) {
            return false;
        }
        let mut signed = signed.to_vec();
        let length = u16::try_from(signed.len() - STUN_HEADER + INTEGRITY_BYTES);
        signed[2..4].copy_from_slice(&length.unwrap_or_default().to_be_bytes());
        hmac::verify(&key.key, &signed, digest).is_ok()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Whether these are whole records of DTLS 1.0 to 1.2 (RFC 6347 §4.1), and none of before the keys
/// where there are keys.
fn is_dtls(mut datagram: &[u8], is_agreed: bool) -> bool {
    while !datagram.is_empty() {
        let Some((header, rest)) = datagram.split_at_checked(DTLS_HEADER) else { return false };
        let (epoch, length) = (u16_at(header, 3), u16_at(header, 11).unwrap_or(u16::MAX));
        let Some(next) = rest.get(usize::from(length)..) else { return false };
        if header[1] != 0xfe || (is_agreed && epoch == Some(0)) {
            return false;
        }
        datagram = next;
    }
    true
}

/// Where the browser is, and where ICE believes it to be.
#[derive(Debug, Default)]
pub(super) struct Way {
    pair: Option<Pair>,
}

#[derive(Debug)]
struct Pair {
    /// The remote end of the pair that ICE has selected.
    selected: SocketAddr,
    /// Where the browser was heard last.
    real: SocketAddr,
    heard_at: Duration,
}

impl Way {
    /// Something that is not ICE's own goes to where ICE believes the browser to be.
    pub(super) fn select(&mut self, now: Duration, selected: SocketAddr) {
        if self.pair.as_ref().is_none_or(|it| it.selected != selected) {
            self.pair = Some(Pair { selected, real: selected, heard_at: now });
        }
    }

    /// Where what goes there is sent.
    pub(super) fn outward(&self, to: SocketAddr) -> SocketAddr {
        self.pair.as_ref().filter(|it| it.selected == to).map_or(to, |it| it.real)
    }

    /// Where something that was let in comes from, for ICE. A signed request from elsewhere, while
    /// nothing comes from where the browser was, says where it is now.
    pub(super) fn inward(
        &mut self,
        now: Duration,
        from: SocketAddr,
        admitted: Admitted,
    ) -> SocketAddr {
        let Some(pair) = &mut self.pair else { return from };
        let is_quiet = now.saturating_sub(pair.heard_at) >= QUIET;
        if admitted == Admitted::Check && is_quiet {
            pair.real = from;
        }
        if from != pair.real {
            return from;
        }
        pair.heard_at = now;
        pair.selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\na=ice-ufrag:ours\r\na=ice-pwd:a-secret-of-ours-alone\r\n";

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((attributes.len() as u16).to_be_bytes());
        bytes.extend(COOKIE);
        bytes.extend([7; 12]);
        bytes.extend(attributes);
        bytes
    }

    /// A request, signed by a password, and what follows the signature.
    fn request(username: &str, pwd: &str, after: &[u8]) -> Vec<u8> {
        let mut attributes = attribute(USERNAME, username.as_bytes());
        let mut signed = message(REQUEST, &attributes);
        let length = (attributes.len() + INTEGRITY_BYTES) as u16;
        signed[2..4].copy_from_slice(&length.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
        attributes.extend(attribute(MESSAGE_INTEGRITY, hmac::sign(&key, &signed).as_ref()));
        attributes.extend(after);
        message(REQUEST, &attributes)
    }

    #[test]
    fn a_request_comes_in_where_it_is_signed_with_what_we_have_told_the_browser() {
        let mut door = Door::default();
        let secret = "a-secret-of-ours-alone";
        let good = request("ours:theirs", secret, &attribute(FINGERPRINT, &[0; 4]));
        assert_eq!(door.admit(&good, at(1), false), None, "nothing has been told");
        door.open(SDP);
        let role = attribute(0x8029, &[0, 0, 0, 0, 0, 0, 0, 1]);
        for (what, bytes) in [
            ("another secret", request("ours:theirs", "another", &[])),
            ("another name", request("ourselves:theirs", secret, &[])),
            ("something behind the signature", request("ours:theirs", secret, &role)),
            ("no signature", message(REQUEST, &role)),
            ("cut short", good[..good.len() - 1].to_vec()),
            ("longer than it says", [good.as_slice(), &[0; 4]].concat()),
        ] {
            assert_eq!(door.admit(&bytes, at(1), false), None, "{what}");
        }
        assert_eq!(door.admit(&good, at(1), false), Some(Admitted::Check));
        // Before a restart is agreed on, both open; the one before that does not.
        door.open(&SDP.replace("ours", "next"));
        assert_eq!(door.admit(&good, at(1), false), Some(Admitted::Check));
        door.open(&SDP.replace("ours", "third"));
        assert_eq!(door.admit(&good, at(1), false), None);
    }

    #[test]
    fn an_answer_comes_in_once_and_only_to_a_question() {
        let mut door = Door::default();
        let answer = message(SUCCESS, &attribute(0x0020, &[0; 8]));
        assert_eq!(door.admit(&answer, at(1), false), None);
        door.sent(&message(REQUEST, &[]));
        assert_eq!(door.admit(&answer, at(1), false), Some(Admitted::Answer));
        assert_eq!(door.admit(&answer, at(1), false), None);
        for _ in 0..1_000 {
            door.sent(&message(REQUEST, &[]));
        }
        assert_eq!(door.asked.len(), ASKED_MAX);
    }

    #[test]
    fn a_handshake_is_the_browsers_and_whole_and_before_the_sound() {
        let mut door = Door::default();
        door.open(SDP);
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 1, 2];
        assert_eq!(door.admit(&record, at(1), false), None, "a stranger's");
        let check = request("ours:theirs", "a-secret-of-ours-alone", &[]);
        assert_eq!(door.admit(&check, at(1), false), Some(Admitted::Check));
        assert_eq!(door.admit(&record, at(1), false), Some(Admitted::Handshake));
        assert_eq!(door.admit(&record, at(2), false), None, "a stranger's");
        assert_eq!(door.admit(&record, at(1), true), None, "the handshake is over");
        record[4] = 1;
        assert_eq!(door.admit(&record, at(1), true), Some(Admitted::Handshake), "encrypted");
        assert_eq!(door.admit(&record[..14], at(1), true), None, "cut short");
        // The rest of RFC 7983, and what is too short to be secured.
        for first in [4, 16, 19, 64, 79, 127, 192, 255] {
            assert_eq!(door.admit(&[first; 40], at(1), false), None, "{first}");
        }
        assert_eq!(door.admit(&[0x80; 21], at(1), false), None);
        assert_eq!(door.admit(&[0x80; 22], at(9), false), Some(Admitted::Media));
        assert_eq!(door.admit(&[], at(1), false), None);
    }

    #[test]
    fn a_browser_is_followed_to_another_port_once_it_has_fallen_silent_at_the_old_one() {
        let ms = Duration::from_millis;
        let mut way = Way::default();
        assert_eq!(way.inward(ms(0), at(1), Admitted::Check), at(1));
        way.select(ms(0), at(1));
        assert_eq!(way.inward(ms(900), at(1), Admitted::Media), at(1));
        // Another of its candidates, while the first is in use.
        assert_eq!(way.inward(ms(1_000), at(2), Admitted::Check), at(2));
        assert_eq!(way.outward(at(1)), at(1));
        // Sound from elsewhere says nothing: nobody has looked who sent it.
        assert_eq!(way.inward(ms(3_000), at(2), Admitted::Media), at(2));
        assert_eq!(way.inward(ms(3_000), at(2), Admitted::Check), at(1));
        assert_eq!((way.outward(at(1)), way.outward(at(5))), (at(2), at(5)));
        assert_eq!(way.inward(ms(3_010), at(2), Admitted::Media), at(1));
        // And back.
        assert_eq!(way.inward(ms(9_000), at(1), Admitted::Check), at(1));
        assert_eq!(way.outward(at(1)), at(1));
        // ICE was restarted and has found another pair.
        way.select(ms(9_100), at(3));
        assert_eq!(way.outward(at(1)), at(1));
        assert_eq!(way.outward(at(3)), at(3));
    }
}
