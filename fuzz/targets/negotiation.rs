//! Offers and answers in any order, with keys or without: whatever they say, ours can be read,
//! section by section, and no key stands where others read it.
#![no_main]

use arbitrary::Arbitrary;
use cordboard_sip::negotiation::{AudioCodec, Negotiation, without_keys};
use cordboard_sip::sdp::{Description, Direction};
use cordboard_sip::srtp::SrtpPolicy;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Offered(&'a str),
    Answered(&'a str),
    Offer,
    OfferPlain,
    Hold,
    /// The far side is one of ours, and answers our offer or offers itself.
    Peer {
        policy: u8,
        offers: bool,
    },
}

/// Who we are to this peer: the policy, who reads the descriptions, which codecs.
#[derive(Arbitrary, Debug)]
struct Setting {
    policy: u8,
    is_private: bool,
    codecs: Vec<u8>,
}

fuzz_target!(|input: (Setting, Vec<Act<'_>>)| {
    let (setting, acts) = input;
    let mut ours = negotiation(&setting, 1);
    let may_have_keys = setting.is_private && policy(setting.policy) != SrtpPolicy::None;
    for act in acts.into_iter().take(16) {
        match act {
            Act::Offered(offer) => drop(answered(&mut ours, offer, may_have_keys)),
            Act::Answered(answer) => drop(ours.accept_answer(answer)),
            Act::Offer => drop(offered(&mut ours, may_have_keys)),
            Act::OfferPlain => ours.offer_plain(),
            Act::Hold => {
                let offer = ours.offer_with(Direction::SendOnly);
                Description::parse(&offer).expect("ours can be read");
            }
            Act::Peer { policy, offers } => {
                let is_private = setting.is_private;
                let mut theirs = negotiation(&Setting { policy, is_private, codecs: vec![] }, 2);
                meet(&mut ours, &mut theirs, offers, may_have_keys);
            }
        }
        assert!(ours.keys().is_none() || may_have_keys, "no keys where others read them");
        assert!(ours.agreed().is_none_or(|it| (10..=60).contains(&it.ptime_ms)));
    }
});

fn negotiation(setting: &Setting, seed: u8) -> Negotiation {
    let local = "192.0.2.1:4000".parse().expect("an address");
    let codecs: Vec<AudioCodec> = AudioCodec::ALL
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !setting.codecs.contains(&(*at as u8)))
        .map(|(_, codec)| codec)
        .collect();
    let plain = Negotiation::new(local, 1);
    let all = if codecs.is_empty() { plain } else { plain.with_codecs(&codecs) };
    all.secured(policy(setting.policy), setting.is_private, [seed; 32])
}

fn policy(policy: u8) -> SrtpPolicy {
    [SrtpPolicy::None, SrtpPolicy::Prefer, SrtpPolicy::Require][usize::from(policy % 3)]
}

fn answered(ours: &mut Negotiation, offer: &str, may_have_keys: bool) -> Option<String> {
    let before = (ours.agreed(), ours.keys());
    match ours.answer(offer) {
        Ok((_, answer)) => {
            let read = Description::parse(&answer).expect("ours can be read");
            let theirs = Description::parse(offer).expect("it was answered");
            assert_eq!(read.sections.len(), theirs.sections.len());
            assert!(may_have_keys || !answer.contains("inline:"));
            shown(&answer);
            Some(answer)
        }
        Err(refusal) => {
            assert!((400..700).contains(&refusal.status()));
            assert!((ours.agreed(), ours.keys()) == before, "nothing has changed");
            None
        }
    }
}

fn offered(ours: &mut Negotiation, may_have_keys: bool) -> Option<String> {
    ours.may_offer().ok()?;
    let offer = ours.offer();
    Description::parse(&offer).expect("ours can be read");
    assert!(may_have_keys || !offer.contains("inline:"));
    shown(&offer);
    Some(offer)
}

/// Two of ours: where both agree, both have the same codec and each the other's keys.
fn meet(ours: &mut Negotiation, theirs: &mut Negotiation, offers: bool, may_have_keys: bool) {
    let (asks, answers) = if offers { (theirs, ours) } else { (ours, theirs) };
    let Some(offer) = offered(asks, true) else { return };
    let Some(answer) = answered(answers, &offer, true) else { return };
    let Ok(agreed) = asks.accept_answer(&answer) else { return };
    assert_eq!(answers.agreed().map(|it| it.codec), Some(agreed.codec));
    match (asks.keys(), answers.keys()) {
        (Some(a), Some(b)) => assert!(may_have_keys && a.ours == b.theirs && a.theirs == b.ours),
        (a, b) => assert!(a.is_none() && b.is_none(), "both or neither"),
    }
}

fn shown(description: &str) {
    let shown = without_keys(description);
    let keys = description.lines().filter_map(|line| line.split("inline:").nth(1));
    for key in keys.filter_map(|it| it.split_whitespace().next()) {
        assert!(!shown.contains(key), "a key is shown to nobody");
    }
}
