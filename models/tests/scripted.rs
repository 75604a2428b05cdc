//! The stand-ins keep the contracts of the traits that they stand in for.

use std::sync::Arc;

use cordboard_audio::SampleRate;
use cordboard_models::scripted::{
    Line, ScriptedEndOfTurn, ScriptedLanguageModel, ScriptedRecognizer, ScriptedSynthesizer,
};
use cordboard_models::speech::{
    EndOfTurn, EngineFault, Expectation, HypothesisKind, Intent, LanguageModel, Recognizer,
    SpeechRequest, Synthesizer, TurnSoFar,
};

#[test]
fn each_utterance_gets_the_next_line_and_after_the_last_nothing_is_understood() {
    let mut ears = ScriptedRecognizer::new([Line::new("yes", 0), Line::new("", 0)]);
    let mut verdicts = Vec::new();
    for _ in 0..3 {
        ears.begin(&Expectation::default()).expect("begins");
        let verdict = ears.finish().expect("was listening");
        verdicts.push((verdict.text, verdict.kind));
    }
    let nothing = (String::new(), HypothesisKind::Rejected);
    assert_eq!(verdicts, [("yes".to_owned(), HypothesisKind::Final), nothing.clone(), nothing]);
    assert_eq!(ears.expected().len(), 3);
}

#[test]
fn an_endless_script_hears_the_same_in_every_utterance() {
    let mut ears = ScriptedRecognizer::always(Line::new("help", 160));
    for _ in 0..3 {
        ears.begin(&Expectation::default()).expect("begins");
        let partial = ears.feed(&[0.0; 160]).expect("was listening").expect("a word");
        let verdict = ears.finish().expect("was listening");
        assert_eq!((&*partial.text, &*verdict.text), ("help", "help"));
        assert_eq!(verdict.kind, HypothesisKind::Final);
    }
    assert!(ears.expected().is_empty(), "nothing grows with the calls");
}

#[test]
fn partials_come_when_their_samples_have_been_fed_and_only_then() {
    let mut ears = ScriptedRecognizer::new([Line::new("one two three", 8_000)]);
    ears.begin(&Expectation::default()).expect("begins");
    let mut told = Vec::new();
    for frame in 1..=100 {
        if let Some(partial) = ears.feed(&[0.0; 160]).expect("was listening") {
            told.push((frame, partial.text));
        }
    }
    let at = |frame, text: &str| (frame, text.to_owned());
    assert_eq!(told, [at(50, "one"), at(65, "one two"), at(80, "one two three")]);
}

#[test]
fn feeding_before_begin_is_misuse() {
    let mut ears = ScriptedRecognizer::default();
    assert!(matches!(ears.feed(&[0.0; 160]), Err(EngineFault::ApiMisuse { engine: "scripted" })));
    assert!(matches!(ears.finish(), Err(EngineFault::ApiMisuse { .. })));
}

#[test]
fn tones_lie_where_the_words_do() {
    let text = Arc::from("a word of mine");
    let request = SpeechRequest { text, rate: SampleRate::WIDE, stretch: 1.5 };
    let speech = ScriptedSynthesizer.speak(&request).expect("speaks");
    let at = |time: std::time::Duration| (time.as_millis() * 16) as usize;
    assert_eq!(speech.words.len(), 4);
    for word in speech.words.iter() {
        let sound = &speech.samples[at(word.begin)..at(word.end)];
        assert_eq!(sound.len(), word.text.len() * 90 * 16);
        let rms = (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt();
        assert!((0.09..0.11).contains(&rms), "{word:?}: {rms}");
    }
    for pair in speech.words.windows(2) {
        let pause = &speech.samples[at(pair[0].end)..at(pair[1].begin)];
        assert!(pause.len() == 60 * 16 && pause.iter().all(|s| *s == 0.0));
    }
}

#[test]
fn judgements_are_as_told() {
    let expectation = Expectation::default();
    let silence = std::time::Duration::ZERO;
    let turn = TurnSoFar { hypothesis: None, expectation: &expectation, silence, samples: &[] };
    assert_eq!(ScriptedEndOfTurn(0.7).judge(&turn), 0.7);

    let intent = |name: &str| Intent { name: Arc::from(name), examples: Vec::new() };
    let intents = [intent("hours"), intent("status")];
    let mut model = ScriptedLanguageModel::new([("where is it", "status")]);
    let ranked = model.rank("where is it", &intents).expect("ranks");
    assert_eq!((&*ranked[0].name, ranked[0].probability), ("status", 0.95));
    let ranked = model.rank("what", &intents).expect("ranks");
    assert!(ranked.iter().all(|r| r.probability == 0.0));
}
