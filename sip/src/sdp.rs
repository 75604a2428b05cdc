//! Reading session descriptions (RFC 8866) within hard limits, borrowing from the text.
//!
//! Lenient where telephones are sloppy (order of lines, missing `s=`, bare LF, media kinds that
//! nobody registered) and strict where a liar could cost us memory or time: size, number of media
//! sections, of formats, of attributes and of candidates are all bounded before anything is kept.
//! Absent: everything of ICE and DTLS beyond recognising that it is there; keys (`a=crypto`) are
//! handed on as written.

use std::net::IpAddr;

/// Largest session description read, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Most media sections in one description.
pub const MAX_SECTIONS: usize = 32;
/// Most formats on one `m=` line.
pub const MAX_FORMATS: usize = 64;
/// Most attributes in one media section, or before the first.
pub const MAX_ATTRIBUTES: usize = 256;
/// Most ICE candidates in one media section.
pub const MAX_CANDIDATES: usize = 64;
/// Most keys offered in one media section.
pub const MAX_CRYPTO_LINES: usize = 16;
/// Longest line read, in bytes.
pub const MAX_LINE_BYTES: usize = 4096;

/// Why a session description was not read. All of it is the peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// A limit was passed.
    #[error("peer misbehaved: {what} over the limit of {limit}")]
    TooLarge {
        /// What there was too much of.
        what: &'static str,
        /// How much is taken.
        limit: usize,
    },
    /// It is not a session description.
    #[error("peer misbehaved: session description broken at line {line}")]
    Malformed {
        /// Line, counted from 1.
        line: usize,
    },
}

/// Which way media flows, seen from whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The writer sends only.
    SendOnly,
    /// The writer receives only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Reads an attribute name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// The attribute name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Makes a direction from its two halves.
    #[must_use]
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream seen from the other end (RFC 3264 §6.1).
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }
}

/// One `a=rtpmap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// Payload type.
    pub payload_type: u8,
    /// Encoding name as written.
    pub name: &'a str,
    /// RTP clock.
    pub rate_hz: u32,
}

/// One media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section<'a> {
    /// `audio`, `video`, `image`, ...
    pub kind: &'a str,
    /// Transport port; 0 is a section refused or left out.
    pub port: u16,
    /// `RTP/AVP`, ...
    pub protocol: &'a str,
    /// Formats as written; payload types for RTP.
    pub formats: Vec<&'a str>,
    /// Address of this section, else of the session; `None` for a host name or none at all.
    pub address: Option<IpAddr>,
    /// Direction of this section, else of the session.
    pub direction: Direction,
    /// `a=ptime`, as far as it is a number.
    pub ptime_ms: Option<u32>,
    /// `a=maxptime`, as far as it is a number.
    pub maxptime_ms: Option<u32>,
    /// All that could be read.
    pub rtpmaps: Vec<RtpMap<'a>>,
    /// `a=crypto` lines (RFC 4568) as written: secret.
    pub crypto: Vec<&'a str>,
    /// `a=rtcp` (RFC 3605): port, and address where it differs.
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// `a=rtcp-mux` (RFC 5761): RTCP comes and goes with the RTP.
    pub rtcp_mux: bool,
}

impl<'a> Section<'a> {
    /// The encoding behind a format: its `rtpmap`, else the static assignment of RFC 3551 §6.
    #[must_use]
    pub fn encoding(&self, format: &str) -> Option<RtpMap<'a>> {
        let payload_type: u8 = format.parse().ok().filter(|it| *it < 128)?;
        let mapped = self.rtpmaps.iter().find(|it| it.payload_type == payload_type).copied();
        mapped.or_else(|| {
            let name = match payload_type {
                0 => "PCMU",
                8 => "PCMA",
                9 => "G722",
                13 => "CN",
                _ => return None,
            };
            Some(RtpMap { payload_type, name, rate_hz: 8000 })
        })
    }
}

/// A session description, as far as a telephone needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description<'a> {
    /// Session id and version of the `o=` line as written.
    pub origin: (&'a str, &'a str),
    /// Media sections in order.
    pub sections: Vec<Section<'a>>,
}

impl<'a> Description<'a> {
    /// Reads a description.
    ///
    /// # Errors
    /// [`SdpError`] where a limit is passed or the text is no description.
    ///
    /// ```
    /// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    ///             m=audio 4000 RTP/AVP 0\r\n";
    /// let description = cordboard_sip::sdp::Description::parse(text)?;
    /// assert_eq!(description.sections[0].port, 4000);
    /// # Ok::<(), cordboard_sip::sdp::SdpError>(())
    /// ```
    pub fn parse(text: &'a str) -> Result<Self, SdpError> {
        if text.len() > MAX_BODY_BYTES {
            return Err(SdpError::TooLarge { what: "bytes", limit: MAX_BODY_BYTES });
        }
        let mut reading = Reading::default();
        let mut version_seen = false;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            if line.len() > MAX_LINE_BYTES {
                return Err(SdpError::TooLarge { what: "line bytes", limit: MAX_LINE_BYTES });
            }
            let broken = SdpError::Malformed { line: index + 1 };
            let (key, value) =
                line.split_once('=').filter(|(key, _)| key.len() == 1).ok_or(broken)?;
            if !version_seen && (key, value.trim()) != ("v", "0") {
                return Err(broken);
            }
            version_seen = true;
            reading.line(key, value, broken)?;
        }
        if !version_seen {
            return Err(SdpError::Malformed { line: 1 });
        }
        Ok(reading.finished())
    }
}

/// The description so far, and what the session level has said for the sections after it.
#[derive(Default)]
struct Reading<'a> {
    description: Description<'a>,
    session: Level,
    levels: Vec<Level>,
}

/// What may be said once for the session and again for each section.
#[derive(Clone, Copy, Default)]
struct Level {
    address: Option<Option<IpAddr>>,
    direction: Option<Direction>,
    attributes: usize,
    candidates: usize,
}

impl<'a> Reading<'a> {
    fn line(&mut self, key: &str, value: &'a str, broken: SdpError) -> Result<(), SdpError> {
        match key {
            "o" => {
                let mut fields = value.split_whitespace().skip(1);
                self.description.origin =
                    (fields.next().ok_or(broken)?, fields.next().ok_or(broken)?);
            }
            "c" => {
                let address = address(value);
                self.level().address = Some(address);
            }
            "m" => self.section(value, broken)?,
            "a" => self.attribute(value)?,
            _ => {}
        }
        Ok(())
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap_or(&mut self.session)
    }

    /// `m=<media> <port>[/<count>] <proto> <fmt> ...`
    fn section(&mut self, value: &'a str, broken: SdpError) -> Result<(), SdpError> {
        if self.levels.len() == MAX_SECTIONS {
            return Err(SdpError::TooLarge { what: "media sections", limit: MAX_SECTIONS });
        }
        let mut fields = value.split_whitespace();
        let kind = fields.next().ok_or(broken)?;
        let port = fields.next().ok_or(broken)?;
        let port = port.split_once('/').map_or(port, |(port, _)| port);
        let port = port.parse().map_err(|_| broken)?;
        let protocol = fields.next().ok_or(broken)?;
        let formats: Vec<&str> = fields.take(MAX_FORMATS + 1).collect();
        if formats.len() > MAX_FORMATS {
            return Err(SdpError::TooLarge { what: "formats", limit: MAX_FORMATS });
        }
        self.levels.push(Level::default());
        let section = Section { kind, port, protocol, formats, ..Section::default() };
        self.description.sections.push(section);
        Ok(())
    }

    fn attribute(&mut self, value: &'a str) -> Result<(), SdpError> {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        let level = self.level();
        level.attributes += 1;
        if level.attributes > MAX_ATTRIBUTES {
            return Err(SdpError::TooLarge { what: "attributes", limit: MAX_ATTRIBUTES });
        }
        if let Some(direction) = Direction::parse(name) {
            level.direction = Some(direction);
        }
        if name == "candidate" {
            level.candidates += 1;
            if level.candidates > MAX_CANDIDATES {
                return Err(SdpError::TooLarge { what: "candidates", limit: MAX_CANDIDATES });
            }
        }
        if let Some(section) = self.description.sections.last_mut() {
            match name {
                "ptime" => section.ptime_ms = whole_ms(value),
                "maxptime" => section.maxptime_ms = whole_ms(value),
                "rtpmap" => section.rtpmaps.extend(rtpmap(value)),
                "crypto" if section.crypto.len() == MAX_CRYPTO_LINES => {
                    let limit = MAX_CRYPTO_LINES;
                    return Err(SdpError::TooLarge { what: "crypto lines", limit });
                }
                "crypto" => section.crypto.push(value.trim()),
                "rtcp" => section.rtcp = rtcp(value),
                "rtcp-mux" => section.rtcp_mux = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn finished(mut self) -> Description<'a> {
        for (section, level) in self.description.sections.iter_mut().zip(&self.levels) {
            section.address = level.address.or(self.session.address).flatten();
            section.direction = level.direction.or(self.session.direction).unwrap_or_default();
        }
        self.description
    }
}

/// `IN IP4 224.2.36.42/127`; a host name gives nothing, for nobody here asks a name server.
fn address(value: &str) -> Option<IpAddr> {
    let written = value.split_whitespace().nth(2)?;
    written.split('/').next()?.parse().ok()
}

/// `<port> [IN IP4 <address>]`
fn rtcp(value: &str) -> Option<(u16, Option<IpAddr>)> {
    let (port, place) = value.trim().split_once(' ').unwrap_or_else(|| (value.trim(), ""));
    let port = port.parse().ok().filter(|it| *it != 0)?;
    Some((port, address(place)))
}

/// Some write `20.0`.
fn whole_ms(value: &str) -> Option<u32> {
    value.trim().split('.').next()?.parse().ok()
}

/// `<payload type> <encoding name>/<clock rate>[/<channels>]`; what has another shape is skipped.
fn rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let (payload_type, encoding) = value.trim().split_once(char::is_whitespace)?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next().filter(|it| !it.is_empty())?;
    let rate_hz = parts.next()?.trim().parse().ok()?;
    // Two channels of G.711 are not the telephone's G.711; Opus is always said to have two
    // (RFC 7587 §7).
    let channels = if name.eq_ignore_ascii_case("opus") { "2" } else { "1" };
    let usual = parts.next().map_or(channels == "1", |it| it.trim() == channels);
    let payload_type = payload_type.parse().ok().filter(|it| *it < 128)?;
    usual.then_some(RtpMap { payload_type, name, rate_hz })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

    #[test]
    fn section_lines_override_session_lines() {
        let text = format!(
            "{HEAD}a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002/2 RTP/AVP 8\r\n\
             c=IN IP4 198.51.100.7/127\r\na=inactive\r\na=ptime:20.0\r\n"
        );
        let read = Description::parse(&text).unwrap();
        assert_eq!(read.origin, ("1", "2"));
        assert_eq!(read.sections[0].direction, Direction::SendOnly);
        assert_eq!(read.sections[0].address, "192.0.2.1".parse().ok());
        assert_eq!(read.sections[1].direction, Direction::Inactive);
        assert_eq!(read.sections[1].address, "198.51.100.7".parse().ok());
        assert_eq!((read.sections[1].port, read.sections[1].ptime_ms), (4002, Some(20)));
    }

    #[test]
    fn each_limit_is_named_when_passed() {
        let section = "m=audio 4000 RTP/AVP 0\r\n";
        let cases: [(String, &str); 7] = [
            (format!("{section}{}", "a=crypto:1\r\n".repeat(17)), "crypto lines"),
            (section.repeat(MAX_SECTIONS + 1), "media sections"),
            (format!("m=audio 1 RTP/AVP{}\r\n", " 0".repeat(MAX_FORMATS + 1)), "formats"),
            (format!("{section}{}", "a=x\r\n".repeat(MAX_ATTRIBUTES + 1)), "attributes"),
            (format!("{section}{}", "a=candidate:1\r\n".repeat(65)), "candidates"),
            (format!("a={}\r\n", "x".repeat(MAX_LINE_BYTES)), "line bytes"),
            ("a=x\r\n".repeat(20_000), "bytes"),
        ];
        for (tail, named) in cases {
            match Description::parse(&format!("{HEAD}{tail}")) {
                Err(SdpError::TooLarge { what, .. }) => assert_eq!(what, named),
                other => panic!("{named}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_description_is_refused_with_its_line() {
        for (text, line) in [("", 1), ("hello", 1), ("v=1\r\n", 1), ("v=0\r\nnonsense\r\n", 2)] {
            assert_eq!(Description::parse(text), Err(SdpError::Malformed { line }), "{text:?}");
        }
    }

    #[test]
    fn directions_mirror_and_meet() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        for (direction, mirrored) in
            [(SendRecv, SendRecv), (SendOnly, RecvOnly), (RecvOnly, SendOnly), (Inactive, Inactive)]
        {
            assert_eq!(direction.mirrored(), mirrored);
            assert_eq!(Direction::parse(direction.name()), Some(direction));
            assert_eq!(direction.and(SendRecv), direction);
            assert_eq!(direction.and(Inactive), Inactive);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_the_limits(
            lines in proptest::collection::vec("[vosctma]=[ -~]{0,40}", 0..60),
            noise in ".{0,80}",
        ) {
            let text = format!("v=0\r\n{}\r\n{noise}", lines.join("\r\n"));
            if let Ok(read) = Description::parse(&text) {
                prop_assert!(read.sections.len() <= MAX_SECTIONS);
                prop_assert!(read.sections.iter().all(|it| it.formats.len() <= MAX_FORMATS));
            }
        }
    }
}
