//! A first look at a message, before any parser of ours or others keeps something of it. Pure.
//!
//! Knows requests and responses by their first line, scanners by their name, and the header
//! fields without which nothing can be answered (RFC 3261 §8.1.1). What is wrong gets an answer
//! made of the request's own lines (RFC 4475 has the examples).

use std::borrow::Cow;

/// Methods that rsipstack knows; others it would drop.
const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];
/// User agents that mean no good, in lower case.
const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sundayddr",
    "pplsip",
    "iwar",
];
/// What every request has: long name, short name.
const REQUIRED: [(&str, &str); 5] =
    [("via", "v"), ("from", "f"), ("to", "t"), ("call-id", "i"), ("cseq", "cseq")];
/// What no message has twice: two of them are two opinions.
const SINGLE: [(&str, &str); 6] = [
    ("from", "f"),
    ("to", "t"),
    ("call-id", "i"),
    ("cseq", "cseq"),
    ("max-forwards", "max-forwards"),
    ("content-length", "l"),
];
/// Fields that are made of names, addresses and parameters.
const ADDRESSES: [(&str, &str); 4] = [("via", "v"), ("from", "f"), ("to", "t"), ("contact", "m")];
/// Schemes of a request's target that mean something to a telephone.
const SCHEMES: [&str; 3] = ["sip", "sips", "tel"];
/// Largest header read, in bytes.
pub(super) const MOST_HEADER_BYTES: usize = 64 * 1024;
/// Most header lines in one message.
pub(super) const MOST_LINES: usize = 256;
/// Largest body read, in bytes; only a stream can bring one of this size.
pub(super) const MOST_BODY_BYTES: usize = 256 * 1024;

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To be parsed; should that go wrong, this is the answer.
    Message(Option<Vec<u8>>),
    /// Blank lines (RFC 5626 §3.5.1).
    KeepAlive,
    /// A request with this answer.
    Wrong(Vec<u8>),
    /// From a known scanner.
    Scanner,
    /// Nothing that could be answered.
    Garbage,
}

/// Looks at a message: a datagram, or what was cut out of a stream.
pub(super) fn inspect(message: &[u8]) -> Verdict {
    if message.iter().all(u8::is_ascii_whitespace) {
        return if message.is_empty() { Verdict::Garbage } else { Verdict::KeepAlive };
    }
    if is_response(message) {
        return Verdict::Message(None);
    }
    // Most of a flood ends here.
    let first_bytes = message.split(|it| *it == b'\n').next().unwrap_or_default();
    if !first_bytes.windows(4).any(|it| it == b"SIP/") {
        return Verdict::Garbage;
    }
    let end = header_end(message);
    // Cut short where the blank line after the header is missing.
    let body_bytes = end.map(|at| message.len() - at);
    let head = String::from_utf8_lossy(&message[..end.unwrap_or(message.len())]);
    let head = unfolded(&head);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let Some(line) = FirstLine::of(first) else { return Verdict::Garbage };
    let fields =
        Fields(lines.by_ref().take(MOST_LINES).filter_map(|it| it.split_once(':')).collect());
    if is_scanner(fields.named("user-agent", "user-agent")) {
        return Verdict::Scanner;
    }
    let too_long = lines.any(|it| !it.is_empty()) || head.len() > MOST_HEADER_BYTES;
    let code = too_long.then_some(513).or_else(|| wrong(&line, &fields, body_bytes));
    let answer = (line.method != "ACK").then(|| response(code.unwrap_or(400), &fields)).flatten();
    match (code, answer) {
        (None, answer) => Verdict::Message(answer),
        (Some(_), Some(answer)) => Verdict::Wrong(answer),
        (Some(_), None) => Verdict::Garbage,
    }
}

/// Whether it begins as a response does.
pub(super) fn is_response(message: &[u8]) -> bool {
    message.starts_with(b"SIP/2.0 ")
}

/// Where the body begins.
pub(super) fn header_end(message: &[u8]) -> Option<usize> {
    find(message, b"\r\n\r\n").map(|at| at + 4)
}

/// Whether one of these user agents is a known scanner's.
pub(super) fn is_scanner<'a>(agents: impl IntoIterator<Item = &'a str>) -> bool {
    agents.into_iter().any(|agent| {
        let agent = agent.to_ascii_lowercase();
        SCANNERS.iter().any(|it| agent.contains(it))
    })
}

/// Makes every byte of the header one that parsers read: a name in Latin-1 costs its letters, not
/// the call.
pub(super) fn mend(message: &mut [u8]) {
    let end = header_end(message).unwrap_or(message.len());
    let mut head = &mut message[..end];
    while let Err(error) = std::str::from_utf8(head) {
        let at = error.valid_up_to();
        let bad = error.error_len().unwrap_or(head.len() - at);
        head[at..at + bad].fill(b'?');
        head = &mut head[at + bad..];
    }
}

/// How many bytes of body a datagram has that no `Content-Length` speaks of: all of them are its
/// body (RFC 3261 §20.14).
pub(super) fn unsaid_body(message: &[u8]) -> Option<usize> {
    let at = header_end(message).filter(|at| *at < message.len())?;
    let head = std::str::from_utf8(&message[..at]).ok()?;
    let says = |it: &str| {
        let name = it.split(':').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l")
    };
    (!head.lines().any(says)).then(|| message.len() - at)
}

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its head has not ended yet.
    More,
    /// Its head has; of the message's so many bytes, some are still to come.
    Begun(usize),
    /// Blank lines of so many bytes; four of them want an answer (RFC 5626 §4.4.1).
    Blank(usize),
    /// A message of so many bytes.
    Message(usize),
    /// No telling where the next message begins: the status to say so with.
    Lost(u16),
}

/// Cuts the next message out of a stream (RFC 3261 §18.3). Of the first `seen` bytes it is known
/// that no head ends in them ([`Cut::More`]); they are not looked at again.
pub(super) fn cut(bytes: &[u8], seen: usize) -> Cut {
    if bytes.starts_with(b"\r\n") {
        return Cut::Blank(if bytes.starts_with(b"\r\n\r\n") { 4 } else { 2 });
    }
    let from = seen.saturating_sub(3).min(bytes.len());
    let Some(end) = find(&bytes[from..], b"\r\n\r\n").map(|at| from + at + 4) else {
        return if bytes.len() > MOST_HEADER_BYTES { Cut::Lost(513) } else { Cut::More };
    };
    if end > MOST_HEADER_BYTES {
        return Cut::Lost(513);
    }
    let head = String::from_utf8_lossy(&bytes[..end]);
    let head = unfolded(&head);
    let fields = Fields(head.lines().skip(1).filter_map(|it| it.split_once(':')).collect());
    let mut said = fields.named("content-length", "l");
    let Some(length) = said.next() else { return Cut::Message(end) };
    if said.any(|it| it != length) {
        return Cut::Lost(400);
    }
    match length.parse::<usize>() {
        Ok(length) if length > MOST_BODY_BYTES => Cut::Lost(513),
        Ok(length) if bytes.len() < end + length => Cut::Begun(end + length),
        Ok(length) => Cut::Message(end + length),
        Err(_) => Cut::Lost(400),
    }
}

/// The answer to a message at which a stream was lost.
pub(super) fn farewell(bytes: &[u8], code: u16) -> Option<Vec<u8>> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_HEADER_BYTES)]);
    let head = unfolded(&head);
    let mut lines = head.lines();
    let line = FirstLine::of(lines.next()?)?;
    let fields = lines.take_while(|it| !it.is_empty()).take(MOST_LINES);
    let fields = Fields(fields.filter_map(|it| it.split_once(':')).collect());
    (line.method != "ACK").then(|| response(code, &fields)).flatten()
}

/// Header lines as they came: name and value.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Values of a field, by its long and its short name.
    fn named(&self, long: &'static str, short: &'static str) -> impl Iterator<Item = &'a str> {
        let is =
            move |name: &str| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        self.0.iter().filter(move |(name, _)| is(name.trim())).map(|(_, value)| value.trim())
    }

    fn first(&self, long: &'static str, short: &'static str) -> Option<&'a str> {
        self.named(long, short).next()
    }
}

/// The first line of a request.
struct FirstLine<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    /// One blank between words, none around them.
    is_tidy: bool,
}

impl<'a> FirstLine<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (method, rest) = line.trim().split_once(' ')?;
        let (target, version) = rest.rsplit_once(' ')?;
        let token = |it: char| it.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(it);
        let is_request = method.chars().all(token) && version.starts_with("SIP/");
        let is_tidy = line.trim() == line && !target.contains([' ', '\t']);
        is_request.then_some(Self { method, target, version, is_tidy })
    }
}

/// The status for what is wrong with a request, if anything.
fn wrong(line: &FirstLine<'_>, fields: &Fields<'_>, body_bytes: Option<usize>) -> Option<u16> {
    if line.version != "SIP/2.0" {
        return Some(505);
    }
    let lacks = REQUIRED.iter().any(|(long, short)| fields.first(long, short).is_none());
    let doubles = SINGLE.iter().any(|(long, short)| fields.named(long, short).nth(1).is_some());
    let garbles = ADDRESSES.iter().any(|(long, short)| !fields.named(long, short).all(is_sound));
    if !line.is_tidy || lacks || doubles || garbles {
        return Some(400);
    }
    let from = fields.first("from", "f").unwrap_or_default().to_ascii_lowercase();
    let mut cseq = fields.first("cseq", "cseq").unwrap_or_default().split_whitespace();
    let number = cseq.next().and_then(|it| it.parse::<u32>().ok());
    let length = fields.first("content-length", "l");
    let length = length.map_or(body_bytes, |it| it.parse().ok());
    let sound = number.is_some_and(|it| it < 1 << 31)
        && cseq.next() == Some(line.method)
        && from.replace([' ', '\t'], "").contains(";tag=")
        && length.zip(body_bytes).is_some_and(|(said, got)| said <= got);
    if !sound {
        return Some(400);
    }
    // Methods are case-sensitive (RFC 3261 §7.1).
    if !METHODS.contains(&line.method) {
        return Some(501);
    }
    wrong_target(line.target)
}

/// The status for what is wrong with the target of a request, if anything.
fn wrong_target(target: &str) -> Option<u16> {
    let Some((scheme, rest)) = target.split_once(':') else { return Some(400) };
    let alien = |it: char| !(it.is_ascii_alphanumeric() || "+-.".contains(it));
    if scheme.is_empty() || scheme.contains(alien) {
        return Some(400);
    }
    if !SCHEMES.iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
        return Some(416);
    }
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next().unwrap_or_default();
    // An address of IPv6 is in brackets (RFC 5118 §4.2).
    let is_bare = !host.starts_with('[') && host.matches(':').count() > 1;
    is_bare.then_some(400)
}

/// Whether quotes and angles of names and addresses close, and no parameter is empty.
fn is_sound(value: &str) -> bool {
    let (mut quoted, mut escaped, mut angled, mut after_semicolon) = (false, false, false, false);
    for sign in value.chars() {
        if quoted {
            let closes = sign == '"' && !escaped;
            escaped = sign == '\\' && !escaped;
            quoted = !closes;
            continue;
        }
        match sign {
            '"' => quoted = true,
            '<' if angled => return false,
            '<' => angled = true,
            '>' if !angled => return false,
            '>' => angled = false,
            ';' | ',' if after_semicolon => return false,
            ' ' | '\t' => continue,
            _ => {}
        }
        after_semicolon = sign == ';' && !angled;
    }
    !quoted && !angled
}

/// `None` where the request lacks the lines that an answer is made of.
fn response(code: u16, fields: &Fields<'_>) -> Option<Vec<u8>> {
    let reason = match code {
        416 => "Unsupported URI Scheme",
        501 => "Not Implemented",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        _ => "Bad Request",
    };
    // Without Via and CSeq nobody can tell what is answered.
    fields.first("via", "v").and_then(|_| fields.first("cseq", "cseq"))?;
    let mut text = format!("SIP/2.0 {code} {reason}\r\n");
    for (long, short) in REQUIRED {
        for value in fields.named(long, short) {
            let tag = if long == "to" && !value.contains("tag=") { ";tag=stateless" } else { "" };
            text.push_str(&format!("{long}: {value}{tag}\r\n"));
        }
    }
    text.push_str("content-length: 0\r\n\r\n");
    Some(text.into_bytes())
}

/// Header lines that go on in the next are one (RFC 3261 §7.3.1).
fn unfolded(head: &str) -> Cow<'_, str> {
    if !head.contains("\n ") && !head.contains("\n\t") {
        return head.into();
    }
    let mut out = String::with_capacity(head.len());
    for line in head.lines() {
        let goes_on = line.starts_with([' ', '\t']) && !out.is_empty();
        if goes_on {
            out.truncate(out.trim_end().len());
            out.push(' ');
            out.push_str(line.trim());
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out.into()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|it| it == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(method: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
        let head = format!(
            "{method} sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             f: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: x\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        change(&head).into_bytes()
    }

    fn outcome(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Message(_) => "message".to_owned(),
            Verdict::KeepAlive => "keep-alive".to_owned(),
            Verdict::Wrong(answer) => String::from_utf8_lossy(&answer[8..11]).into_owned(),
            Verdict::Scanner => "scanner".to_owned(),
            Verdict::Garbage => "garbage".to_owned(),
        }
    }

    #[test]
    fn requests_are_passed_answered_or_dropped() {
        let same = |it: &str| it.to_owned();
        for (bytes, expected) in [
            (request("INVITE", same), "message"),
            (request("FLY", same), "501"),
            (request("invite", same), "501"),
            (request("INVITE", |it| it.replace(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia")), "505"),
            (request("INVITE", |it| it.replace(";tag=1", "")), "400"),
            (request("INVITE", |it| it.replace("Call-ID: x\r\n", "")), "400"),
            (request("INVITE", |it| it.replace("1 INVITE", "x INVITE")), "400"),
            (request("INVITE", |it| it.replace("1 INVITE", "4294967295 INVITE")), "400"),
            (request("INVITE", |it| it.replace("1 INVITE", "1 BYE")), "400"),
            (request("INVITE", |it| it.replace("Length: 0", "Length: 9")), "400"),
            (request("INVITE", |it| it.replace("Length: 0", "Length: -1")), "400"),
            (request("INVITE", |it| it.trim_end().to_owned()), "400"),
            (request("INVITE", |it| it.replace("Call-ID: x", "Call-ID: x\r\ni: y")), "400"),
            (request("INVITE", |it| it.replace("h: 0", "h: 0\r\nl: 0")), "400"),
            (request("INVITE", |it| it.replace("To: <", "To: \"a <")), "400"),
            (request("INVITE", |it| it.replace("To: <", "t: \"a;;\\\"<\" <")), "message"),
            (request("INVITE", |it| it.replace("branch", ";branch")), "400"),
            (request("INVITE", |it| it.replace("sip:a@127.0.0.1 ", "sip:a@b; lr ")), "400"),
            (request("INVITE", |it| it.replace("E sip:a@127.0.0.1 ", "E <sip:a@b> ")), "400"),
            (request("INVITE", |it| it.replace("E sip:a@127.0.0.1 ", "E http://b ")), "416"),
            (request("INVITE", |it| it.replace("To:", "To:\r\n  ")), "message"),
            (
                request("INVITE", |it| {
                    it.replace("Content", &("X: y\r\n".repeat(256) + "Content"))
                }),
                "513",
            ),
            (request("INVITE", |it| it.replace("Via", "Vib")), "garbage"),
            (request("ACK", |it| it.replace(";tag=1", "")), "garbage"),
            (
                request("OPTIONS", |it| it.replace("To:", "User-Agent: sipcli/v1.8\r\nTo:")),
                "scanner",
            ),
            (b"SIP/2.0 200 OK\r\n\r\n".to_vec(), "message"),
            (b"\r\n\r\n".to_vec(), "keep-alive"),
            (b"".to_vec(), "garbage"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "garbage"),
            (b"\x80\x00\x01".to_vec(), "garbage"),
        ] {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(outcome(&inspect(&bytes)), expected, "{text}");
        }
    }

    #[test]
    fn answers_carry_the_lines_of_the_request() {
        let Verdict::Wrong(answer) = inspect(&request("FLY", str::to_owned)) else { panic!() };
        let expected = "SIP/2.0 501 Not Implemented\r\n\
            via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nfrom: <sip:b@127.0.0.1>;tag=1\r\n\
            to: <sip:a@127.0.0.1>;tag=stateless\r\ncall-id: x\r\ncseq: 1 FLY\r\n\
            content-length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }

    #[test]
    fn streams_are_cut_where_messages_end_or_lost() {
        let whole = request("INVITE", |it| it.replace("h: 0", "h: 4") + "body");
        let end = whole.len() - 4;
        for length in 0..end {
            for seen in [0, length] {
                assert_eq!(cut(&whole[..length], seen), Cut::More, "{length}");
            }
            assert_eq!(cut(&whole, length), Cut::Message(whole.len()), "{length}");
        }
        for length in end..whole.len() {
            assert_eq!(cut(&whole[..length], end - 1), Cut::Begun(whole.len()), "{length}");
        }
        let two = [whole.clone(), whole.clone()].concat();
        assert_eq!(cut(&two, 0), Cut::Message(whole.len()));
        assert_eq!(cut(b"\r\nINVITE", 0), Cut::Blank(2));
        assert_eq!(cut(b"\r\n\r\nINVITE", 0), Cut::Blank(4));
        let said = |length: &str| request("BYE", |it| it.replace("h: 0", &format!("h: {length}")));
        assert_eq!(cut(&said("-1"), 0), Cut::Lost(400));
        assert_eq!(cut(&said("0\r\nl: 1"), 0), Cut::Lost(400));
        assert_eq!(cut(&said("18446744073709551615"), 0), Cut::Lost(513));
        assert_eq!(cut(&said("262145"), 0), Cut::Lost(513));
        assert!(matches!(cut(&said("262144"), 0), Cut::Begun(262_145..)));
        assert_eq!(cut(&vec![b'x'; MOST_HEADER_BYTES + 1], 0), Cut::Lost(513));
        let late = [vec![b'x'; MOST_HEADER_BYTES], b"\r\n\r\n".to_vec()].concat();
        assert_eq!(cut(&late, 0), Cut::Lost(513));
        let answer = String::from_utf8(farewell(&said("-1"), 400).unwrap()).unwrap();
        assert!(answer.starts_with("SIP/2.0 400 Bad Request\r\nvia: SIP/2.0/UDP"), "{answer}");
    }

    #[test]
    fn bytes_that_are_no_text_cost_their_letters_and_leave_the_body() {
        let mut message = b"X: J\xfcrgen \xc3\xbc \xff\xfe\r\n\r\n\xff".to_vec();
        mend(&mut message);
        assert_eq!(message, b"X: J?rgen \xc3\xbc ??\r\n\r\n\xff");
    }

    #[test]
    fn a_body_of_which_nothing_is_said_is_the_rest_of_the_datagram() {
        assert_eq!(unsaid_body(b"A\r\nB: c\r\n\r\nbody"), Some(4));
        assert_eq!(unsaid_body(b"A\r\nl: 4\r\n\r\nbody"), None);
        assert_eq!(unsaid_body(b"A\r\nB: c\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..200, end in 0_usize..300,
        ) {
            inspect(&bytes);
            cut(&bytes, 0);
            let mut mutated = request("INVITE", str::to_owned);
            let at = at.min(mutated.len());
            mutated.splice(at..at, bytes.into_iter().take(20));
            mutated.truncate(end);
            mend(&mut mutated);
            unsaid_body(&mutated);
            inspect(&mutated);
            farewell(&mutated, 400);
            if let Cut::Message(length) = cut(&mutated, 0) {
                prop_assert!(length <= mutated.len());
            }
        }
    }
}
