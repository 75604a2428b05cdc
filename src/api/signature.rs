//! The signature of a carrier's requests, in Twilio's form: `X-Twilio-Signature`.
//!
//! Source: twilio.com/docs/usage/security, "Validating requests". HMAC-SHA1, keyed with the
//! account's token, over the address as the carrier knows it, and of a form every name and value
//! behind it, by name; in base64. Compared in constant time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// The header that it comes in.
pub(super) const HEADER: &str = "x-twilio-signature";

/// Whether a request of this address and form is signed with the key.
pub(super) fn is_good(key: &str, url: &str, form: &str, shown: &str) -> bool {
    let Ok(shown) = STANDARD.decode(shown.trim()) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let mut parameters: Vec<(String, String)> = form
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    parameters.sort();
    parameters.dedup();
    let mut text = url.to_owned();
    for (name, value) in &parameters {
        text.push_str(name);
        text.push_str(value);
    }
    hmac::verify(&key, text.as_bytes(), &shown).is_ok()
}

/// Takes the coding of a form off a text (application/x-www-form-urlencoded).
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|it| char::from(*it).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str = "To=%2B18005551212&Digits=1234&From=%2B12349013030&Caller=%2B12349013030\
        &CallSid=CA1234567890ABCDE";
    /// Of the carrier's own documentation.
    const SIGNATURE: &str = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";

    #[test]
    fn the_documents_own_example_is_good_and_whatever_differs_is_not() {
        assert!(is_good("12345", URL, FORM, SIGNATURE));
        let digits = FORM.replace("1234&", "1235&");
        for (key, url, form, shown) in [
            ("12346", URL, FORM, SIGNATURE),
            ("12345", "https://mycompany.com/myapp.php?foo=1&bar=3", FORM, SIGNATURE),
            ("12345", URL, digits.as_str(), SIGNATURE),
            ("12345", URL, "", SIGNATURE),
            ("12345", URL, FORM, "0/KCTR6DLpKmkAf8muzZqo1nDgR="),
            ("12345", URL, FORM, "0/KC"),
            ("12345", URL, FORM, ""),
            ("12345", URL, FORM, "%%%"),
        ] {
            assert!(!is_good(key, url, form, shown), "{key} {url} {form} {shown}");
        }
    }

    #[test]
    fn whatever_is_altered_by_one_bit_is_refused() {
        let digest = STANDARD.decode(SIGNATURE).unwrap();
        for bit in 0..digest.len() * 8 {
            let mut altered = digest.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_good("12345", URL, FORM, &STANDARD.encode(altered)), "bit {bit}");
        }
        for bit in 0..URL.len() * 7 {
            let mut altered = URL.as_bytes().to_vec();
            altered[bit / 7] ^= 1 << (bit % 7);
            let altered = String::from_utf8(altered).unwrap();
            assert!(!is_good("12345", &altered, FORM, SIGNATURE), "{altered}");
        }
    }

    #[test]
    fn any_bytes_are_a_form() {
        for (text, expected) in [("a%20b+c", "a b c"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz")] {
            assert_eq!(decoded(text), expected);
        }
        assert_eq!(decoded("%ff"), "\u{fffd}");
    }
}
