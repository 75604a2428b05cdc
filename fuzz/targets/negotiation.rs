//! Offers and answers in any order: whatever they say, ours can be read, section by section.
#![no_main]

use arbitrary::Arbitrary;
use cordboard_sip::negotiation::Negotiation;
use cordboard_sip::sdp::{Description, Direction};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Offered(&'a str),
    Answered(&'a str),
    Offer,
    Hold,
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let Ok(local) = "192.0.2.1:4000".parse() else { return };
    let mut negotiation = Negotiation::new(local, 1);
    for act in acts.into_iter().take(16) {
        match act {
            Act::Offered(offer) => {
                if let Ok((_, answer)) = negotiation.answer(offer) {
                    let theirs = Description::parse(offer).expect("it was answered");
                    let ours = Description::parse(&answer).expect("ours can be read");
                    assert_eq!(ours.sections.len(), theirs.sections.len());
                }
            }
            Act::Answered(answer) => drop(negotiation.accept_answer(answer)),
            Act::Offer => {
                Description::parse(&negotiation.offer()).expect("ours can be read");
            }
            Act::Hold => {
                let offer = negotiation.offer_with(Direction::SendOnly);
                Description::parse(&offer).expect("ours can be read");
            }
        }
    }
});
