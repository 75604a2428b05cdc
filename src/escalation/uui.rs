//! What the agent's phone is shown: the caller's number, and the context packet's id in
//! `User-to-User` (RFC 7433).
//!
//! Deliberately absent: anything of the packet's content, and its token (DESIGN.md: headers carry
//! an id, never content and never a secret).

use std::fmt::Write as _;

/// Shown, and spoken about, where the caller gave no number.
pub(super) const ANONYMOUS: &str = "anonymous";
/// E.164 has 15 digits; names may be longer, but displays are not.
const DISPLAY_CHARS_MAX: usize = 32;

/// The value of `User-to-User` for a context packet: the bytes of its id in hex.
///
/// RFC 7433 §4.1: `uui-data *(SEMI uui-param)`, with `encoding=hex`. No `purpose` is given: the one
/// package registered (RFC 7434) is for ISDN, and this is no ISDN information element.
#[must_use]
pub fn user_to_user(packet_id: &str) -> String {
    let mut value = String::with_capacity(packet_id.len() * 2 + 13);
    for byte in packet_id.bytes() {
        write!(value, "{byte:02x}").expect("a String takes all that is written to it");
    }
    value + ";encoding=hex"
}

/// The caller's number, or the name before the `@` where it is no number, out of an address as
/// signalled: a SIP or `tel` URI, with or without a display name and parameters.
#[must_use]
pub fn display_number(caller: &str) -> String {
    let uri = caller.split_once('<').map_or(caller, |(_, rest)| rest);
    let uri = uri.split_once('>').map_or(uri, |(inside, _)| inside).trim();
    let rest = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).map_or(uri, |(_, r)| r);
    let user = rest.split(['@', ';', '?']).next().unwrap_or(rest);
    let shown: String = unescape(user)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+*#-._".contains(*c))
        .take(DISPLAY_CHARS_MAX)
        .collect();
    if shown.is_empty() { ANONYMOUS.to_owned() } else { shown }
}

fn is_scheme(text: &str) -> bool {
    ["sip", "sips", "tel"].iter().any(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// Undoes `%2B` and the like (RFC 3261 §19.1.2); what is no escape stays.
fn unescape(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2).and_then(hex_byte)).flatten();
        plain.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hex_byte(two: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(two[0])? * 16 + digit(two[1])?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_is_found_in_every_form_of_address() {
        let table = [
            ("sip:+12025550100@203.0.113.7", "+12025550100"),
            ("\"Bob \\\" <x>\" <sip:2025550100;phone-context=+1@host;user=phone>;tag=9", "x"),
            ("\"Bob\" <sip:2025550100;phone-context=+1@host;user=phone>;tag=9", "2025550100"),
            ("tel:+1-202-555-0100;ext=4", "+1-202-555-0100"),
            ("sip:%2B12025550100@host", "+12025550100"),
            ("SIPS:alice@example.com:5061", "alice"),
            ("alice", "alice"),
            ("sip:anonymous@anonymous.invalid", "anonymous"),
            ("sip:203.0.113.7", "203.0.113.7"),
            ("sip:@host", "anonymous"),
            ("", "anonymous"),
            ("sip:50%@host", "50"),
        ];
        for (caller, shown) in table {
            assert_eq!(display_number(caller), shown, "{caller}");
        }
    }

    #[test]
    fn the_id_is_hex_and_says_so() {
        assert_eq!(user_to_user("01JX"), "30314a58;encoding=hex");
    }

    proptest! {
        #[test]
        fn no_address_can_break_out_of_a_header(caller in any::<String>()) {
            let shown = display_number(&caller);
            prop_assert!(!shown.is_empty() && shown.len() <= DISPLAY_CHARS_MAX);
            prop_assert!(shown.chars().all(|c| c.is_ascii_graphic() && !"\"\\<>;,@".contains(c)));
        }

        #[test]
        fn the_id_comes_back_from_the_hex(id in "\\PC{0,40}") {
            let value = user_to_user(&id);
            let hex = value.strip_suffix(";encoding=hex").expect("the parameter");
            let bytes: Vec<u8> = hex.as_bytes().chunks(2).filter_map(hex_byte).collect();
            prop_assert_eq!(bytes, id.into_bytes());
        }
    }
}
