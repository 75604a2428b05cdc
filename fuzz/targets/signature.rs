//! The signature of a carrier's requests: what was signed is good, however its form is coded, and
//! whatever differs is not.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../src/api/signature.rs"]
mod signature;

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use ring::hmac;

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    key: &'a str,
    url: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// A form that was not signed, and a signature that nobody made.
    other_form: &'a str,
    other_shown: &'a str,
    /// Bit of the signature that is altered.
    bit: u8,
}

fuzz_target!(|request: Request<'_>| {
    let Request { key, url, mut parameters, other_form, other_shown, bit } = request;
    parameters.truncate(32);
    let form: Vec<String> = parameters
        .iter()
        .enumerate()
        .map(|(at, (name, value))| format!("{}={}", coded(name, at), coded(value, at + 1)))
        .collect();
    let form = form.join("&");
    parameters.sort_unstable();
    parameters.dedup();
    let mut text = url.to_owned();
    parameters.iter().for_each(|(name, value)| {
        text.push_str(name);
        text.push_str(value);
    });
    let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let digest = hmac::sign(&secret, text.as_bytes());
    let shown = STANDARD.encode(digest.as_ref());
    assert!(signature::is_good(key, url, &form, &shown), "what was signed is good");
    let mut altered = digest.as_ref().to_vec();
    altered[usize::from(bit / 8) % digest.as_ref().len()] ^= 1 << (bit % 8);
    assert!(!signature::is_good(key, url, &form, &STANDARD.encode(altered)));
    assert!(!signature::is_good(key, &format!("{url}\u{1}"), "", &shown) || form.contains("%01"));
    if other_shown.trim() != shown {
        assert!(!signature::is_good(key, url, &form, other_shown), "nobody made it");
    }
    signature::is_good(key, url, other_form, &shown);
});

/// As a form has it, in one of the ways in which it may.
fn coded(text: &str, way: usize) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || (way % 2 == 0 && b"-_.~*".contains(&byte));
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b' ' if way % 3 == 0 => out.push('+'),
            byte if plain(byte) => out.push(char::from(byte)),
            byte if way % 5 == 0 => out.push_str(&format!("%{byte:02x}")),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}
