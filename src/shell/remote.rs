//! Puts the engines over the network that the settings name before those of this machine.
//!
//! Every session of the ears and every place of the voices has a connection of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cordboard_models::remote::{
    Address, Cartesia, CartesiaConfig, Chat, ChatConfig, ChatLimits, Deepgram, DeepgramConfig,
    Network, RemoteAnswers, RemoteRanking, Secret,
};
use cordboard_models::speech::{Answerer, LanguageModel, Recognizer, Synthesizer};

use super::ServeError;
use super::inference::{EarLineup, VoiceLineup};
use crate::settings::{
    LanguageForm, RecognizerForm, RemoteLanguage, RemoteRecognizer, RemoteSettings, RemoteVoice,
    VoiceForm,
};

/// The engines over the network, ready to be opened; none where the settings name none.
pub(super) struct Remote<'a> {
    settings: &'a RemoteSettings,
    network: Option<Network>,
}

impl<'a> Remote<'a> {
    /// Starts the network's thread where anything needs it.
    pub(super) fn start(settings: &'a RemoteSettings) -> Result<Self, ServeError> {
        let network = (!settings.is_empty()).then(Network::start).transpose();
        Ok(Self { settings, network: network.map_err(ServeError::Network)? })
    }

    /// Each session's line-up: the remote recognizers in order, then its own.
    pub(super) fn ears(
        &self,
        local: Vec<Box<dyn Recognizer>>,
    ) -> Result<Vec<EarLineup>, ServeError> {
        let lineup = |own: Box<dyn Recognizer>| {
            let mut lineup = EarLineup::new();
            for (index, settings) in self.settings.recognizers.iter().enumerate() {
                lineup.extend(self.recognizer(index, settings)?);
            }
            lineup.push(own);
            Ok(lineup)
        };
        local.into_iter().map(lineup).collect()
    }

    /// Each place's line-up: the remote voices and language models in order, then its own.
    pub(super) fn voices(
        &self,
        local: Vec<(Box<dyn Synthesizer>, Box<dyn LanguageModel>)>,
    ) -> Result<Vec<VoiceLineup>, ServeError> {
        let lineup = |(voice, language)| {
            let mut lineup = VoiceLineup { voices: Vec::new(), languages: Vec::new() };
            for (index, settings) in self.settings.voices.iter().enumerate() {
                lineup.voices.extend(self.voice(index, settings)?);
            }
            for (index, settings) in self.settings.languages.iter().enumerate() {
                lineup.languages.extend(self.language(index, settings)?);
            }
            lineup.voices.push(voice);
            lineup.languages.push(language);
            Ok(lineup)
        };
        local.into_iter().map(lineup).collect()
    }

    /// The language models that answer, in order.
    pub(super) fn answers(&self) -> Result<Vec<Box<dyn Answerer>>, ServeError> {
        let Some(network) = &self.network else { return Ok(Vec::new()) };
        let each = self.settings.languages.iter().enumerate();
        each.map(|(index, settings)| {
            let limits = ChatLimits {
                first: Duration::from_millis(settings.answer_first_ms),
                between: ANSWER_BETWEEN,
                ..ChatLimits::default()
            };
            let chat = chat(index, settings, limits)?;
            Ok(Box::new(RemoteAnswers::new(network.clone(), chat)) as Box<dyn Answerer>)
        })
        .collect()
    }

    fn recognizer(
        &self,
        index: usize,
        settings: &RemoteRecognizer,
    ) -> Result<Option<Box<dyn Recognizer>>, ServeError> {
        let Some(network) = self.network.clone() else { return Ok(None) };
        let name = format!("remote.recognizer.{index}");
        let key = key(&name, settings.key_env.as_deref(), settings.key_file.as_deref())?;
        match settings.form {
            RecognizerForm::Deepgram => {
                let mut config = DeepgramConfig::new(settings.url.clone(), key);
                config.headers = headers(&settings.headers);
                config.verdict_within = Duration::from_millis(settings.verdict_ms);
                config.model = settings.model.clone().unwrap_or(config.model);
                Ok(Some(Box::new(Deepgram::new(network, config))))
            }
        }
    }

    fn voice(
        &self,
        index: usize,
        settings: &RemoteVoice,
    ) -> Result<Option<Box<dyn Synthesizer>>, ServeError> {
        let Some(network) = self.network.clone() else { return Ok(None) };
        let name = format!("remote.voice.{index}");
        let key = key(&name, settings.key_env.as_deref(), settings.key_file.as_deref())?;
        match settings.form {
            VoiceForm::Cartesia => {
                let mut config = CartesiaConfig::new(settings.url.clone(), key, &settings.speaker);
                config.headers = headers(&settings.headers);
                config.stall_after = Duration::from_millis(settings.stall_ms);
                config.language.clone_from(&settings.language);
                config.model = settings.model.clone().unwrap_or(config.model);
                Ok(Some(Box::new(Cartesia::new(network, config))))
            }
        }
    }

    fn language(
        &self,
        index: usize,
        settings: &RemoteLanguage,
    ) -> Result<Option<Box<dyn LanguageModel>>, ServeError> {
        let Some(network) = self.network.clone() else { return Ok(None) };
        let whole = Duration::from_millis(settings.rank_ms);
        let limits = ChatLimits { first: whole, whole, ..ChatLimits::default() };
        let chat = chat(index, settings, limits)?;
        Ok(Some(Box::new(RemoteRanking::new(network, chat))))
    }
}

/// An engine over the network of the settings, as far as it can be known without asking it.
#[derive(Debug)]
pub(crate) struct RemoteEngine {
    /// Its setting: `remote.voice.0`.
    pub(crate) name: String,
    /// Its wire form.
    pub(crate) form: &'static str,
    /// Where it is: host and port.
    pub(crate) place: (String, u16),
    /// Whether it is shown a key; or why it cannot be asked.
    pub(crate) has_key: Result<bool, ServeError>,
}

/// All engines over the network of the settings, in their order.
pub(crate) fn remote_engines(settings: &RemoteSettings) -> Vec<RemoteEngine> {
    let place = |url: &Address| (url.place().0.to_owned(), url.place().1);
    let mut engines = Vec::new();
    for (index, it) in settings.recognizers.iter().enumerate() {
        let RecognizerForm::Deepgram = it.form;
        let name = format!("remote.recognizer.{index}");
        let key = key(&name, it.key_env.as_deref(), it.key_file.as_deref());
        let has_key = key.map(|it| it.is_some());
        engines.push(RemoteEngine { name, form: "deepgram", place: place(&it.url), has_key });
    }
    for (index, it) in settings.voices.iter().enumerate() {
        let VoiceForm::Cartesia = it.form;
        let name = format!("remote.voice.{index}");
        let key = key(&name, it.key_env.as_deref(), it.key_file.as_deref());
        let has_key = key.map(|it| it.is_some());
        engines.push(RemoteEngine { name, form: "cartesia", place: place(&it.url), has_key });
    }
    for (index, it) in settings.languages.iter().enumerate() {
        let LanguageForm::Openai = it.form;
        let name = format!("remote.language.{index}");
        let has_key = chat(index, it, ChatLimits::default())
            .map(|_| it.key_env.is_some() || it.key_file.is_some());
        engines.push(RemoteEngine { name, form: "openai", place: place(&it.url), has_key });
    }
    engines
}

/// An answer that stops for so long is gone on with by another engine.
const ANSWER_BETWEEN: Duration = Duration::from_millis(1_500);

/// A language model of the settings, under limits.
fn chat(index: usize, settings: &RemoteLanguage, limits: ChatLimits) -> Result<Chat, ServeError> {
    let name = format!("remote.language.{index}");
    let key = key(&name, settings.key_env.as_deref(), settings.key_file.as_deref())?;
    match settings.form {
        LanguageForm::Openai => {
            let chat = Chat::new(ChatConfig {
                address: settings.url.clone(),
                key,
                model: settings.model.clone(),
                headers: headers(&settings.headers),
                limits,
            });
            chat.map_err(|source| ServeError::Remote { name, source })
        }
    }
}

fn headers(settings: &BTreeMap<String, String>) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Reads a key from where the settings say; none where they say nothing.
fn key(
    name: &str,
    variable: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<Secret>, ServeError> {
    let fault = |setting: &str, why: String| ServeError::RemoteKey {
        name: format!("{name}.{setting}"),
        why,
    };
    let (setting, text) = match (variable, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(fault("key_env", "is set beside key_file; keep one of them".to_owned()));
        }
        (Some(variable), None) => {
            let unset = |_| fault("key_env", format!("names {variable}, which is not set; set it"));
            ("key_env", std::env::var(variable).map_err(unset)?)
        }
        (None, Some(path)) => {
            let unreadable = |error| {
                fault("key_file", format!("is {}, which cannot be read: {error}", path.display()))
            };
            ("key_file", std::fs::read_to_string(path).map_err(unreadable)?)
        }
    };
    let unfit = || fault(setting, "holds no key: one line of visible characters".to_owned());
    Secret::new(&text).ok_or_else(unfit).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_engine_over_the_network_is_told_of_with_what_keeps_it_from_being_asked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let toml = "[[remote.recognizer]]\nform = \"deepgram\"\nurl = \"wss://ears.example/v1\"\n\
                    key_env = \"CORDBOARD_NO_SUCH_KEY\"\n\
                    [[remote.voice]]\nform = \"cartesia\"\nurl = \"ws://127.0.0.1:7/x\"\n\
                    speaker = \"a\"\nkey_file = \"/nowhere/key\"\n\
                    [[remote.language]]\nform = \"openai\"\nurl = \"http://localhost:8/v1\"\n\
                    model = \"m\"\n\
                    [[remote.language]]\nform = \"openai\"\nurl = \"http://localhost:8/v1\"\n\
                    model = \"m\"\nkey_env = \"CORDBOARD_NO_SUCH_KEY\"";
        std::fs::write(file.path(), toml).unwrap();
        let settings = Settings::load(Some(file.path()), []).unwrap();
        let told: Vec<_> = remote_engines(&settings.remote)
            .into_iter()
            .map(|it| {
                let key = it.has_key.map_err(|fault| fault.to_string());
                (it.name, it.place.0, it.place.1, key)
            })
            .collect();
        let unset = |name: &str| {
            Err(format!("{name}.key_env names CORDBOARD_NO_SUCH_KEY, which is not set; set it"))
        };
        assert_eq!(told[0].3, unset("remote.recognizer.0"));
        assert_eq!((told[0].1.as_str(), told[0].2), ("ears.example", 443));
        assert!(told[1].3.as_ref().unwrap_err().contains("/nowhere/key"), "{told:?}");
        assert_eq!((told[2].0.as_str(), &told[2].3), ("remote.language.0", &Ok(false)));
        assert_eq!(told[3].3, unset("remote.language.1"));
    }

    #[test]
    fn a_key_comes_from_one_place_and_a_fault_says_what_to_do_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "canary-123\n").unwrap();
        let found = key("remote.voice.0", None, Some(&path)).unwrap().unwrap();
        assert_eq!(found.expose(), "canary-123");
        assert!(key("remote.voice.0", None, None).unwrap().is_none());
        std::fs::write(&path, "canary 123\n").unwrap();
        let nowhere = folder.path().join("nowhere");
        for (variable, file, expected) in [
            (Some("CORDBOARD_NO_SUCH_KEY"), None, "remote.voice.0.key_env names CORDBOARD_NO_SUCH"),
            (None, Some(nowhere.as_path()), "cannot be read"),
            (None, Some(path.as_path()), "holds no key"),
            (Some("HOME"), Some(path.as_path()), "keep one"),
        ] {
            let fault = key("remote.voice.0", variable, file).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
            assert!(!fault.contains("canary"), "{fault}");
        }
    }
}
