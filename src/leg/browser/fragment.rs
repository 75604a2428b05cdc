//! Parts of a description that change ICE alone (RFC 8840 §9, as RFC 9725 §4.3 uses them). Pure.

/// Candidates taken of one part.
const CANDIDATES_MAX: usize = 32;
/// RFC 8839 §5.4.
const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
const PWD: std::ops::RangeInclusive<usize> = 22..=256;

/// The first value of an attribute.
pub(crate) fn value<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    attributes(sdp).find_map(|it| it.strip_prefix(name)?.strip_prefix(':'))
}

/// The candidates in it, as they stand there.
pub(crate) fn candidates(sdp: &str) -> impl Iterator<Item = &str> {
    attributes(sdp).filter(|it| it.starts_with("candidate:")).take(CANDIDATES_MAX)
}

fn attributes(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.lines().filter_map(|line| line.strip_prefix("a="))
}

/// What of a description is about ICE: its session, and the candidates of its first stream.
pub(crate) fn of(description: &str) -> String {
    let attribute = |name: &str| Some(format!("a={name}:{}", value(description, name)?));
    let stream = description.lines().find(|line| line.starts_with("m=")).map(str::to_owned);
    let head = [attribute("ice-ufrag"), attribute("ice-pwd"), stream, attribute("mid")];
    let candidates = candidates(description).map(|it| format!("a={it}"));
    let lines = head.into_iter().flatten().chain(candidates);
    lines.chain(["a=end-of-candidates".to_owned()]).map(|line| line + "\r\n").collect()
}

/// An offer like the last one, with the ICE session and the candidates of a part; nothing where the
/// part names no session.
pub(crate) fn offered(last: &str, part: &str) -> Option<String> {
    let named = |name: &str, lengths: std::ops::RangeInclusive<usize>| {
        let is_ice = |it: char| it.is_ascii_alphanumeric() || it == '+' || it == '/';
        value(part, name).filter(|it| lengths.contains(&it.len()) && it.chars().all(is_ice))
    };
    let (ufrag, pwd) = (named("ice-ufrag", UFRAG)?, named("ice-pwd", PWD)?);
    let mut lines: Vec<String> = Vec::new();
    for line in last.lines() {
        let name = line.strip_prefix("a=").map(|it| it.split(':').next().unwrap_or(it));
        match name {
            Some("ice-ufrag") => lines.push(format!("a=ice-ufrag:{ufrag}")),
            Some("ice-pwd") => lines.push(format!("a=ice-pwd:{pwd}")),
            Some("candidate" | "end-of-candidates" | "remote-candidates") => {}
            _ => lines.push(line.to_owned()),
        }
    }
    let streams = lines.iter().enumerate().filter(|(_, line)| line.starts_with("m="));
    let end = streams.map(|(at, _)| at).nth(1).unwrap_or(lines.len());
    let theirs: Vec<String> = candidates(part).map(|it| format!("a={it}")).collect();
    lines.splice(end..end, theirs);
    Some(lines.into_iter().map(|line| line + "\r\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: &str = "v=0\r\na=ice-ufrag:old1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                        a=mid:0\r\na=ice-pwd:an-old-secret-of-the-client\r\n\
                        a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n\
                        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";

    #[test]
    fn an_offer_is_made_of_the_last_and_a_part() {
        let part = "a=ice-ufrag:new1\r\na=ice-pwd:ANewSecretOfTheClient+/\r\n\
                    m=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
                    a=candidate:2 1 udp 1 192.0.2.2 9 typ host\r\n";
        let offer = offered(LAST, part).expect("a session is named");
        let expected = "v=0\r\na=ice-ufrag:new1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                        a=ice-pwd:ANewSecretOfTheClient+/\r\n\
                        a=candidate:2 1 udp 1 192.0.2.2 9 typ host\r\n\
                        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";
        assert_eq!(offer, expected);
        assert_eq!(of(&offer).lines().count(), 6, "{}", of(&offer));
        let spoilt = [("new1", "n"), ("new1", "new 1"), ("a=ice-pwd", "a=pwd"), ("+/", "")];
        for (from, to) in spoilt {
            assert_eq!(offered(LAST, &part.replace(from, to)), None, "{from} {to}");
        }
    }

    #[test]
    fn a_flood_of_candidates_is_cut_off() {
        let part = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(1_000);
        assert_eq!(candidates(&part).count(), CANDIDATES_MAX);
    }
}
