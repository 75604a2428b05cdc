//! Which telephone events (RFC 4733) are agreed on with a browser: one kind, at the clock that its
//! answer says.
//!
//! Browsers offer them at 48 kHz, the clock of Opus, and at 8 kHz. rtc 0.21.1 tells codecs by their
//! names alone and would answer the last with the number of the first; so it is shown one of them.

use super::CLOCK_HZ;

const NAME: &str = "telephone-event";

/// An offer with one kind of telephone events: at the clock of the sound, where there are such.
pub(super) fn with_one_clock(offer: &str) -> String {
    let kinds: Vec<(&str, u32)> = offer.lines().filter_map(|line| kind(line, NAME)).collect();
    let kept = kinds.iter().find(|(_, hz)| *hz == CLOCK_HZ).or_else(|| kinds.first());
    let others: Vec<&str> =
        kinds.iter().filter(|it| Some(*it) != kept).map(|(number, _)| *number).collect();
    if others.is_empty() {
        return offer.to_owned();
    }
    let is_kept = |line: &&str| {
        let attribute = line
            .split_once(':')
            .filter(|(name, _)| matches!(*name, "a=rtpmap" | "a=fmtp" | "a=rtcp-fb"));
        let number = attribute.and_then(|(_, rest)| rest.split_whitespace().next());
        !number.is_some_and(|it| others.contains(&it))
    };
    offer.split_inclusive('\n').filter(is_kept).map(|line| without(line, &others)).collect()
}

/// A line of a description without these numbers, where it says what a stream may have.
fn without(line: &str, numbers: &[&str]) -> String {
    if !line.starts_with("m=audio ") {
        return line.to_owned();
    }
    // Kind, port and protocol come first.
    let end = &line[line.trim_end().len()..];
    let words = line.split_whitespace().enumerate();
    let kept = words.filter(|(at, word)| *at < 3 || !numbers.contains(word));
    kept.map(|(_, word)| word).collect::<Vec<_>>().join(" ") + end
}

/// Payload type and clock of the telephone events that an answer of ours takes.
pub(super) fn agreed(answer: &str) -> Option<(u8, u32)> {
    let mut kinds = answer.lines().filter_map(|line| kind(line, NAME));
    kinds.find_map(|(number, hz)| Some((number.parse().ok()?, hz)))
}

/// The payload type that a description gives a codec of the sound's clock.
pub(super) fn payload_type(sdp: &str, codec: &str) -> Option<u8> {
    let mut kinds = sdp.lines().filter_map(|line| kind(line, codec));
    kinds.find_map(|(number, hz)| number.parse().ok().filter(|_| hz == CLOCK_HZ))
}

/// Number and clock, where a line names this codec.
fn kind<'a>(line: &'a str, codec: &str) -> Option<(&'a str, u32)> {
    let (number, map) = line.trim_end().strip_prefix("a=rtpmap:")?.split_once(' ')?;
    let mut map = map.split('/');
    let is_it = map.next()?.eq_ignore_ascii_case(codec);
    Some((number, map.next()?.parse().ok()?)).filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Chromium offers.
    const OFFER: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 110 126\r\nc=IN IP4 0.0.0.0\r\n\
                         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
                         a=rtpmap:110 telephone-event/48000\r\n\
                         a=rtpmap:126 telephone-event/8000\r\na=fmtp:126 0-15\r\n";

    #[test]
    fn of_two_kinds_of_keys_the_one_at_the_sounds_clock_is_answered() {
        let shown = with_one_clock(OFFER);
        assert!(shown.starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 110\r\n"), "{shown}");
        assert!(!shown.contains("126") && shown.contains("a=rtpmap:110"), "{shown}");
        assert_eq!(agreed(&shown), Some((110, 48_000)));
        assert_eq!(payload_type(&shown, "opus"), Some(111));
    }

    #[test]
    fn one_kind_alone_or_none_is_left_as_it_is() {
        let narrow = OFFER.replace("a=rtpmap:110 telephone-event/48000\r\n", "");
        assert_eq!(with_one_clock(&narrow), narrow);
        assert_eq!(agreed(&narrow), Some((126, 8_000)));
        let none = narrow.replace("telephone-event", "another");
        assert_eq!((with_one_clock(&none), agreed(&none)), (none.clone(), None));
        for broken in ["", "m=audio", "a=rtpmap:110", "a=rtpmap:1 telephone-event/x\r\nm=audio 9"] {
            assert_eq!((with_one_clock(broken).as_str(), agreed(broken)), (broken, None));
        }
    }
}
