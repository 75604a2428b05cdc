//! A far end whose words are known and whose voice is not, listened to again.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::SampleRate;
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::speech::{SpeechRequest, Synthesizer};
use cordboard_models::voice::Flite;

use super::super::far::FarSound;
use super::super::scenario::{Expect, Scenario};
use super::super::score::score;
use super::super::take::Ending;
use super::*;

/// A call in which the far end says the second texts and owes the first ones.
fn take(owed: &[&str], said: &[&str]) -> Take {
    let mut voice = Flite::open("slt").unwrap();
    let mut samples = vec![0; 4_000];
    for text in said {
        let (text, rate) = ((*text).into(), SampleRate::NARROW);
        let speech = voice.speak(&SpeechRequest { text, rate, stretch: 1.0 }).unwrap();
        samples.extend(speech.samples.iter().map(|it| (it * 0.4 * 32_767.0) as i16));
        samples.resize(samples.len() + 3_200, 0);
    }
    let says = owed.iter().map(|it| ((*it).into(), None)).collect();
    let scenario = Scenario {
        name: "x".into(),
        deeds: Vec::new(),
        expect: Expect { says, ..Expect::default() },
        limit: Duration::from_secs(60),
    };
    let lasted = Duration::from_millis(samples.len() as u64 / 8);
    let mut far = FarSound::default();
    (far.samples, far.packets) = (samples, 100);
    Take {
        number: 0,
        scenario: Arc::new(scenario),
        from: "sip:x".to_owned(),
        wall_unix_ms: 0,
        answered_after: Some(Duration::from_millis(40)),
        lasted,
        done: Vec::new(),
        taken: 0,
        far,
        far_keys: String::new(),
        human: None,
        referred: None,
        ending: Ending::Done,
    }
}

#[test]
fn sentences_of_an_unknown_voice_are_known_by_their_words_in_order_and_others_are_not() {
    let ears = PocketSphinx::open(&SphinxConfig::debian()).unwrap();
    let mut listener = Listener::new(Box::new(ears));
    let said = ["How can I help you?", "On Sunday they are closed.", "Is there anything else?"];
    let mut judged = |owed: &[&str]| {
        let take = take(owed, &said);
        let mut score = score(&take);
        assert!(score.said.iter().all(|it| it.heard.is_none()), "its voice is not known");
        listener.judge(&take, &mut score);
        let heard: Vec<_> = score.said.iter().map(|it| it.heard).collect();
        (heard, score)
    };
    let (heard, score) = judged(&["How can I help you?", "Is there anything else?"]);
    assert_eq!((heard, score.faults.len()), (vec![Some(true); 2], 0), "{:?}", score.said);
    let words = score.said.iter().map(|it| it.recognized.as_deref());
    let words: Vec<_> = words.collect();
    assert_eq!(words, [Some("how can i help you"), Some("is there anything else")]);
    let (heard, score) = judged(&["What is your order number?", "How can I help you?"]);
    assert_eq!(heard, [Some(false), Some(true)], "{:?}", score.said);
    let told = "it did not say `What is your order number?` (recognized: \"";
    assert!(score.faults.len() == 1 && score.faults[0].starts_with(told), "{:?}", score.faults);
    let (heard, _) = judged(&["Is there anything else?", "How can I help you?"]);
    assert_eq!(heard, [Some(true), Some(false)], "in another order");
}

#[test]
fn a_word_that_cannot_be_listened_for_is_a_fault_of_the_call_and_nothing_is_claimed() {
    let ears = PocketSphinx::open(&SphinxConfig::debian()).unwrap();
    let take = take(&["Приветствуем вас в Нортлайн!"], &["How can I help you?"]);
    let mut score = score(&take);
    Listener::new(Box::new(ears)).judge(&take, &mut score);
    assert_eq!(score.said[0].heard, None);
    assert!(score.faults[0].contains("was not listened for"), "{:?}", score.faults);
}

#[test]
fn a_sentence_is_looked_for_where_the_far_end_speaks_for_about_as_long() {
    // 18 letters: 640 ms to 2.6 s.
    let sentence = Sentence::new("How can I help you?");
    let stretches = [10..30, 60..180, 200..260, 300..700];
    let found: Vec<_> = places(&sentence, &stretches).into_iter().map(|it| it.0).collect();
    assert_eq!(found, [10..180, 10..260, 60..180, 60..260]);
    assert_eq!(places(&sentence, &[]), []);
}
