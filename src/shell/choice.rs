//! Which engine runs: the one that the settings name, or the best whose weights are there.
//!
//! The choice is logged once, with its reason. Absent: opening it, which is `engines`'.

use cordboard_models::ears::ggml;
use cordboard_models::voice::Piper;

use crate::settings::ModelSettings;

/// Why no engine can be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceFault {
    /// There is no such engine.
    #[error("{setting} is {name:?}; allowed: {allowed}")]
    Unknown {
        /// The setting.
        setting: &'static str,
        /// What it names.
        name: String,
        /// What there is.
        allowed: &'static str,
    },
    /// The engine exists, but this binary was built without it.
    #[error(
        "{setting} is {name:?}, which is not built in; build with `cargo build --release \
         --features {feature}`, or set {setting} to \"auto\""
    )]
    NotBuiltIn {
        /// The setting.
        setting: &'static str,
        /// What it names.
        name: String,
        /// The Cargo feature.
        feature: &'static str,
    },
}

/// A recognizer that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecognizerChoice {
    /// Debian's, by grammars.
    PocketSphinx,
    /// Hears the same in whatever is said: for measuring everything else.
    Stub,
    /// whisper.cpp.
    #[cfg(feature = "whisper")]
    Whisper,
}

/// Chooses the recognizer.
pub(crate) fn recognizer(settings: &ModelSettings) -> Result<RecognizerChoice, ChoiceFault> {
    let setting = "models.recognizer";
    let name = settings.recognizer.as_str();
    let (choice, why) = match name {
        "auto" => best(settings),
        "pocketsphinx" => (RecognizerChoice::PocketSphinx, "models.recognizer names it".to_owned()),
        "stub" => {
            tracing::warn!(hears = settings.stub_hears, "no caller is understood: a stub listens");
            (RecognizerChoice::Stub, "models.recognizer names it".to_owned())
        }
        #[cfg(feature = "whisper")]
        "whisper" => (RecognizerChoice::Whisper, "models.recognizer names it".to_owned()),
        #[cfg(not(feature = "whisper"))]
        "whisper" => {
            let (name, feature) = (name.to_owned(), "whisper");
            return Err(ChoiceFault::NotBuiltIn { setting, name, feature });
        }
        _ => {
            let allowed = "\"auto\", \"pocketsphinx\", \"whisper\", \"stub\"";
            return Err(ChoiceFault::Unknown { setting, name: name.to_owned(), allowed });
        }
    };
    tracing::info!(recognizer = ?choice, %why, "recognizer chosen");
    Ok(choice)
}

/// The best recognizer whose weights are there, and why it is that.
fn best(settings: &ModelSettings) -> (RecognizerChoice, String) {
    let sphinx = RecognizerChoice::PocketSphinx;
    let path = settings.whisper_model.display();
    match ggml::check(&settings.whisper_model) {
        Err(fault) => (sphinx, fault.to_string()),
        Ok(header) if header.tensors == 0 => (sphinx, format!("{path} has no weights in it")),
        #[cfg(feature = "whisper")]
        Ok(_) => (RecognizerChoice::Whisper, format!("its model {path} is there")),
        #[cfg(not(feature = "whisper"))]
        Ok(_) => {
            (sphinx, format!("{path} is there, but the Cargo feature whisper is not built in"))
        }
    }
}

/// Which recognizer serves for want of the better one's weights, where "auto" has come to that. One
/// that is not built in is none that could serve.
pub(crate) fn lesser_recognizer(settings: &ModelSettings) -> Option<String> {
    let is_auto = settings.recognizer == "auto" && cfg!(feature = "whisper");
    let (choice, why) = is_auto.then(|| best(settings))?;
    let is_lesser = choice == RecognizerChoice::PocketSphinx;
    is_lesser.then(|| format!("models.recognizer is auto: pocketsphinx listens, as {why}"))
}

/// The same of the synthesizer.
pub(crate) fn lesser_voice(settings: &ModelSettings) -> Option<String> {
    let is_auto = settings.voice_engine == "auto";
    let why = is_auto.then(|| Piper::look(&settings.piper_voice).err())??;
    Some(format!("models.voice_engine is auto: flite speaks, as {why}"))
}

/// A synthesizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoiceChoice {
    /// Debian's flite.
    Flite,
    /// A Piper voice.
    Piper,
    /// A tone for each word: for measuring everything else.
    Stub,
}

/// Chooses the synthesizer.
pub(crate) fn voice(settings: &ModelSettings) -> Result<VoiceChoice, ChoiceFault> {
    let named = || "models.voice_engine names it".to_owned();
    let (choice, why) = match settings.voice_engine.as_str() {
        "auto" => match Piper::look(&settings.piper_voice) {
            Ok(()) => {
                let path = settings.piper_voice.display();
                (VoiceChoice::Piper, format!("its voice {path} is there, and espeak-ng"))
            }
            Err(fault) => (VoiceChoice::Flite, fault.to_string()),
        },
        "flite" => (VoiceChoice::Flite, named()),
        "piper" => (VoiceChoice::Piper, named()),
        "stub" => {
            tracing::warn!("no caller understands a word: a stub speaks, in tones");
            (VoiceChoice::Stub, named())
        }
        name => {
            return Err(ChoiceFault::Unknown {
                setting: "models.voice_engine",
                name: name.to_owned(),
                allowed: "\"auto\", \"flite\", \"piper\", \"stub\"",
            });
        }
    };
    tracing::info!(voice = ?choice, %why, "voice chosen");
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(recognizer: &str, whisper_model: &str) -> ModelSettings {
        ModelSettings {
            recognizer: recognizer.to_owned(),
            whisper_model: whisper_model.into(),
            ..ModelSettings::default()
        }
    }

    #[test]
    fn without_a_model_the_recognizer_that_needs_none_is_chosen() {
        let (choice, why) = best(&named("auto", "/nowhere/ggml.bin"));
        assert_eq!(choice, RecognizerChoice::PocketSphinx);
        assert!(why.contains("/nowhere/ggml.bin"), "{why}");
        let (choice, why) = best(&named("auto", "Cargo.toml"));
        assert_eq!(choice, RecognizerChoice::PocketSphinx);
        assert!(why.contains("a text file"), "{why}");
    }

    #[test]
    fn what_auto_has_come_down_to_is_told_and_what_is_named_is_not() {
        let auto = ModelSettings {
            piper_voice: "/nowhere/x.onnx".into(),
            whisper_model: "/nowhere/ggml.bin".into(),
            ..ModelSettings::default()
        };
        let voice = lesser_voice(&auto).expect("no voice is there");
        assert!(voice.contains("flite speaks") && voice.contains("/nowhere/x.onnx"), "{voice}");
        assert_eq!(lesser_recognizer(&auto).is_some(), cfg!(feature = "whisper"));
        let named = ModelSettings {
            voice_engine: "flite".to_owned(),
            recognizer: "pocketsphinx".to_owned(),
            ..auto
        };
        assert_eq!((lesser_voice(&named), lesser_recognizer(&named)), (None, None));
    }

    #[test]
    fn an_unknown_engine_is_refused_with_those_that_there_are() {
        let fault = recognizer(&named("parrot", "")).expect_err("no such engine").to_string();
        assert!(fault.contains("\"parrot\"") && fault.contains("\"pocketsphinx\""), "{fault}");
        let settings = ModelSettings { voice_engine: "hal".into(), ..ModelSettings::default() };
        let fault = voice(&settings).expect_err("no such voice").to_string();
        assert!(fault.contains("models.voice_engine") && fault.contains("\"flite\""), "{fault}");
    }

    #[test]
    fn a_stub_listens_and_speaks_where_it_is_named_and_nowhere_else() {
        assert_eq!(recognizer(&named("stub", "")).expect("built in"), RecognizerChoice::Stub);
        assert_ne!(best(&named("auto", "")).0, RecognizerChoice::Stub);
        let stub = ModelSettings { voice_engine: "stub".into(), ..ModelSettings::default() };
        assert_eq!(voice(&stub).expect("built in"), VoiceChoice::Stub);
    }

    #[test]
    fn the_voice_is_piper_where_its_files_are_and_flite_elsewhere() {
        let chosen = |voice_engine: &str, piper_voice: &str| {
            voice(&ModelSettings {
                voice_engine: voice_engine.to_owned(),
                piper_voice: piper_voice.into(),
                ..ModelSettings::default()
            })
        };
        assert_eq!(chosen("auto", "/nowhere/x.onnx").expect("known"), VoiceChoice::Flite);
        assert_eq!(chosen("auto", "Cargo.toml").expect("known"), VoiceChoice::Flite);
        assert_eq!(chosen("piper", "/nowhere/x.onnx").expect("known"), VoiceChoice::Piper);
        let default = ModelSettings::default().piper_voice;
        let is_there = Piper::look(&default).is_ok();
        let expected = if is_there { VoiceChoice::Piper } else { VoiceChoice::Flite };
        let choice = voice(&ModelSettings::default()).expect("auto is known");
        assert_eq!(choice, expected, "{}", default.display());
        assert_eq!(
            voice(&ModelSettings { voice_engine: "flite".into(), ..ModelSettings::default() })
                .expect("known"),
            VoiceChoice::Flite
        );
    }

    #[cfg(not(feature = "whisper"))]
    #[test]
    fn an_engine_that_is_not_built_in_is_refused_with_its_feature() {
        let fault = recognizer(&named("whisper", "")).expect_err("not built in").to_string();
        assert!(fault.contains("--features whisper"), "{fault}");
    }

    #[cfg(feature = "whisper")]
    #[test]
    fn an_engine_that_is_named_is_chosen_whether_its_weights_are_there_or_not() {
        let choice = recognizer(&named("whisper", "/nowhere")).expect("built in");
        assert_eq!(choice, RecognizerChoice::Whisper);
    }
}
