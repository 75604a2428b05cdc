//! Values of SIP headers, keys, certificates and addresses, as peers and settings write them: read,
//! or refused; what was read is written as it was, and nothing gets out of where it is put.
#![no_main]

use cordboard::escalation::display_number;
use cordboard_sip::access::{Access, Destination};
use cordboard_sip::certificate::not_after_unix_s;
use cordboard_sip::digest::{Challenge, Credentials};
use cordboard_sip::reliable::RAck;
use cordboard_sip::session_timer::{Expires, LONGEST_S, seconds};
use cordboard_sip::srtp::{MasterKey, Suite};
use cordboard_sip::trunk::{Place, Trunk, Way, plain_number, way_of_user};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(not_after_unix_s(bytes).is_none_or(|it| it.abs() < 1 << 40));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(seconds(text).is_none_or(|it| it <= LONGEST_S));
    if let Some(expires) = Expires::parse(text) {
        assert_eq!(Expires::parse(&expires.to_string()), Some(expires));
    }
    if let Some(rack) = RAck::parse(text) {
        assert_eq!(RAck::parse(&rack.to_string()), Some(rack));
    }
    challenge(text);
    addresses(text);
    for suite in Suite::ALL {
        if let Ok(key) = MasterKey::from_base64(suite, text) {
            assert_eq!(MasterKey::from_base64(suite, &key.to_base64()), Ok(key));
            assert!(!format!("{key:?}").contains(&key.to_base64()), "a key is shown to nobody");
        }
        assert_eq!(Suite::from_name(suite.name()), Some(suite));
    }
});

fn challenge(text: &str) {
    let credentials = Credentials::new("us\"er", "secret");
    for value in [text.to_owned(), format!("Digest {text}")] {
        let Some(challenge) = Challenge::parse(&value) else { continue };
        let answer = challenge.answer(&credentials, ("REGISTER", "sip:a.example"), 1, "0a4f");
        assert!(!answer.contains(char::is_control), "nothing gets out of the header");
        let again = Challenge::parse(&answer).expect("what we write can be read");
        let plain = |text: &str| text.replace(char::is_control, "");
        assert_eq!(again.realm, plain(&challenge.realm));
        assert_eq!(again.nonce, plain(&challenge.nonce));
        assert_eq!(again.algorithm, challenge.algorithm);
    }
}

fn addresses(text: &str) {
    let shown = display_number(text);
    assert!(!shown.is_empty() && shown.chars().all(|it| it.is_ascii_graphic() && it != '@'));
    assert!(!plain_number(text).contains([' ', '-', '(', ')', '.']));
    if let Ok(place) = text.parse::<Place>() {
        assert!(
            !place.host.is_empty() && place.port != Some(0)
                || place.host.parse::<std::net::IpAddr>().is_ok()
        );
        let mut trunk = Trunk::named("carrier", vec![place.clone()]);
        assert_ne!(way_of_user([&trunk], text, &place.host, place.port), Way::Trunk(0));
        trunk.numbers = vec![text.to_owned()];
        let way = way_of_user([&trunk], text, &place.host, place.port);
        assert_eq!(way == Way::Trunk(0), trunk.allows(text));
    }
    if let Ok(destination) = text.parse::<Destination>() {
        let access = Access::new([], [text]).expect("it was read");
        let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let itself = access.may_dial(&host, host.parse().ok());
        match destination {
            Destination::Anywhere | Destination::Host(_) => assert!(itself, "{text:?}"),
            Destination::Net(_) | Destination::Below(_) => {}
        }
    }
}
