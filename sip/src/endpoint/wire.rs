//! A first look at a datagram, before any parser of ours or others keeps something of it. Pure.
//!
//! Knows requests and responses by their first line, scanners by their name, and the header
//! fields without which nothing can be answered (RFC 3261 §8.1.1). What is wrong gets an answer
//! made of the request's own lines.

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
/// Most header lines in one message.
const MOST_LINES: usize = 256;

/// What a datagram is.
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

/// Looks at a datagram.
pub(super) fn inspect(datagram: &[u8]) -> Verdict {
    if datagram.iter().all(u8::is_ascii_whitespace) {
        return if datagram.is_empty() { Verdict::Garbage } else { Verdict::KeepAlive };
    }
    let end = find(datagram, b"\r\n\r\n");
    let (head, body) = datagram.split_at(end.map_or(datagram.len(), |at| at + 4));
    // Cut short where the blank line after the header is missing.
    let body_bytes = end.map(|_| body.len());
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    if first.starts_with("SIP/2.0 ") {
        return Verdict::Message(None);
    }
    let mut words = first.split(' ');
    let (Some(method), Some(_), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Verdict::Garbage;
    };
    let token = |it: char| it.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(it);
    if method.is_empty() || !method.chars().all(token) || !version.starts_with("SIP/") {
        return Verdict::Garbage;
    }
    let fields = Fields(lines.take(MOST_LINES).filter_map(|it| it.split_once(':')).collect());
    if is_scanner(fields.named("user-agent", "user-agent")) {
        return Verdict::Scanner;
    }
    let code = wrong(method, version, &fields, body_bytes);
    let answer = (method != "ACK").then(|| response(code.unwrap_or(400), &fields)).flatten();
    match (code, answer) {
        (None, answer) => Verdict::Message(answer),
        (Some(_), Some(answer)) => Verdict::Wrong(answer),
        (Some(_), None) => Verdict::Garbage,
    }
}

/// Whether one of these user agents is a known scanner's.
pub(super) fn is_scanner<'a>(agents: impl IntoIterator<Item = &'a str>) -> bool {
    agents.into_iter().any(|agent| {
        let agent = agent.to_ascii_lowercase();
        SCANNERS.iter().any(|it| agent.contains(it))
    })
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

/// The status for what is wrong with a request, if anything.
fn wrong(
    method: &str,
    version: &str,
    fields: &Fields<'_>,
    body_bytes: Option<usize>,
) -> Option<u16> {
    if version != "SIP/2.0" {
        return Some(505);
    }
    if REQUIRED.iter().any(|(long, short)| fields.first(long, short).is_none()) {
        return Some(400);
    }
    let from = fields.first("from", "f").unwrap_or_default().to_ascii_lowercase();
    let mut cseq = fields.first("cseq", "cseq").unwrap_or_default().split_whitespace();
    let number = cseq.next().and_then(|it| it.parse::<u32>().ok());
    let length = fields.first("content-length", "l");
    let length = length.map_or(body_bytes, |it| it.parse().ok());
    let sound = number.is_some_and(|it| it < 1 << 31)
        && cseq.next() == Some(method)
        && from.replace(' ', "").contains(";tag=")
        && length.zip(body_bytes).is_some_and(|(said, got)| said <= got);
    if !sound {
        return Some(400);
    }
    // Methods are case-sensitive (RFC 3261 §7.1).
    (!METHODS.contains(&method)).then_some(501)
}

/// `None` where the request lacks the lines that an answer is made of.
fn response(code: u16, fields: &Fields<'_>) -> Option<Vec<u8>> {
    let reason = match code {
        501 => "Not Implemented",
        505 => "Version Not Supported",
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

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..200, cut in 0_usize..300,
        ) {
            inspect(&bytes);
            let mut mutated = request("INVITE", str::to_owned);
            let at = at.min(mutated.len());
            mutated.splice(at..at, bytes.into_iter().take(20));
            mutated.truncate(cut);
            inspect(&mutated);
        }
    }
}
