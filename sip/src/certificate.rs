//! When a certificate expires: the one field of X.509 that operation needs (RFC 5280 §4.1). Pure.
//!
//! rustls verifies; nothing here does.

/// Seconds since 1970 at which a certificate (DER) ends; `None` where it cannot be read.
///
/// ```
/// assert_eq!(cordboard_sip::certificate::not_after_unix_s(b"no certificate"), None);
/// ```
#[must_use]
pub fn not_after_unix_s(der: &[u8]) -> Option<i64> {
    let (certificate, _) = enter(der, SEQUENCE)?;
    let (mut fields, _) = enter(certificate, SEQUENCE)?;
    // version [0], then serial number, signature algorithm, issuer.
    if let Some((_, rest)) = enter(fields, VERSION) {
        fields = rest;
    }
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (validity, _) = enter(fields, SEQUENCE)?;
    let (tag, text, _) = element(element(validity)?.2)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Tag, content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > 4 || rest.len() < octets {
            return None;
        }
        let (digits, after) = rest.split_at(octets);
        length = digits.iter().fold(0, |sum, it| (sum << 8) | usize::from(*it));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

fn enter(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, after) = element(der)?;
    (tag == wanted).then_some((content, after))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME if digits.len() == 12 => {
            let year: i64 = digits.get(..2)?.parse().ok()?;
            // RFC 5280 §4.1.2.5.1.
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME if digits.len() == 14 => {
            (digits.get(..4)?.parse().ok()?, digits.get(4..)?)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let seconds = part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    (1..=12).contains(&month).then(|| days_from_1970(year, month, day) * 86_400 + seconds)
}

/// Days of the proleptic Gregorian calendar (H. Hinnant, "days_from_civil").
const fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms() {
        for (year, month, day, expected) in [
            (1970, 1, 2, 86_400),
            (2027, 3, 1, 1_803_859_200),
            (2049, 12, 31, 2_524_521_600),
            (2060, 2, 29, 2_845_238_400),
        ] {
            let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(1960, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            assert_eq!(not_after_unix_s(certificate.der()), Some(expected), "{year}");
        }
    }

    #[test]
    fn what_is_cut_short_or_changed_is_no_panic() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        for length in 0..der.len() {
            let _ = not_after_unix_s(&der[..length]);
        }
        for at in 0..der.len().min(300) {
            for byte in [0x00, 0x80, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = byte;
                let _ = not_after_unix_s(&changed);
            }
        }
    }
}
