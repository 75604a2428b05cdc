//! `cordboard models list`, `pull` and `check`.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use cordboard_audio::vad::{Silero, Vad};
use cordboard_audio::{SampleRate, read_mono};
use cordboard_models::manifest::{Entry, Manifest, WeightsFault};
use cordboard_models::speech::{
    Expectation, Hypothesis, Recognizer, SlotKind, Speech, SpeechRequest, Synthesizer,
};
use cordboard_models::turn_end::SmartTurn;

use super::{Fault, pull, say, settings};
use crate::clock;
use crate::settings::{ModelSettings, Settings};
use crate::shell;

/// What the engines are checked with: said by the voice, heard by the ears.
const SAMPLE: &str = "1 2 3 4 5 6";
const SAMPLE_WORDS: &str = "one two three four five six";

/// Probability from which the default settings take sound for speech.
const SPEECH: f32 = 0.5;

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the weights: what they are for, their licence, whether they are here and used.
    List {
        /// The folder of weights.
        #[arg(long, default_value = "models/weights")]
        folder: PathBuf,
        /// TOML file of settings.
        #[arg(short, long)]
        config: Option<PathBuf>,
    },
    /// Bring weights from the package that holds them, and check them.
    Pull {
        /// Which, as `list` names them.
        #[arg(required_unless_present = "all")]
        names: Vec<String>,
        /// All of the list.
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// A weight file or a wheel to take instead: a path, or an http(s) address.
        #[arg(long, conflicts_with = "all")]
        from: Option<String>,
        /// The folder of weights.
        #[arg(long, default_value = "models/weights")]
        folder: PathBuf,
    },
    /// Open each engine that is configured and let it hear or say something.
    Check {
        /// A recording for the recognizer, instead of what the voice says.
        #[arg(long)]
        wav: Option<PathBuf>,
        /// TOML file of settings.
        #[arg(short, long)]
        config: Option<PathBuf>,
    },
}

/// Runs one of the three.
pub(super) fn run(command: ModelsCommand) -> Result<(), Fault> {
    match command {
        ModelsCommand::List { folder, config } => {
            list(&folder, &settings(config.as_deref())?);
            Ok(())
        }
        ModelsCommand::Pull { names, all, from, folder } => {
            let is_package = from.as_ref().is_none_or(|from| from.ends_with(".whl"));
            let entries = if all {
                Manifest::builtin().weights.iter().collect()
            } else {
                named(&names, is_package)?
            };
            let mut failed = 0;
            for entry in &entries {
                match pull::pull(entry, &folder, from.as_deref()) {
                    Ok(brought) => say(&format!("{}: {brought}", entry.name)),
                    Err(fault) => {
                        failed += 1;
                        super::say_error(&format!("{}: {fault}", entry.name));
                    }
                }
            }
            for entry in entries {
                pull::tidy(entry, &folder)?;
            }
            if failed > 0 { Err(format!("{failed} not brought").into()) } else { Ok(()) }
        }
        ModelsCommand::Check { wav, config } => {
            check(&settings(config.as_deref())?, wav.as_deref())
        }
    }
}

/// The entries of these names, and of the descriptions that lie beside them, where the package that
/// holds both is taken.
fn named(names: &[String], is_package: bool) -> Result<Vec<&'static Entry>, Fault> {
    let manifest = Manifest::builtin();
    let known: Vec<_> = manifest.weights.iter().map(|entry| entry.name.as_str()).collect();
    let mut entries: Vec<&Entry> = Vec::new();
    for name in names {
        let unknown = || format!("no weights are called {name:?}; there are {}", known.join(", "));
        entries.push(manifest.entry(name).ok_or_else(unknown)?);
        let beside = format!("{name}.json");
        let beside = manifest.entry(&beside).filter(|_| is_package && !names.contains(&beside));
        entries.extend(beside);
    }
    Ok(entries)
}

fn list(folder: &Path, settings: &Settings) {
    for entry in &Manifest::builtin().weights {
        let state = match entry.read(folder) {
            Ok(_) => "here",
            Err(WeightsFault::Missing { .. }) => "not here",
            Err(WeightsFault::Truncated { .. }) => "truncated",
            Err(WeightsFault::Foreign { .. }) => "another file",
            Err(_) => "not readable",
        };
        let use_ = if is_used(entry, &settings.models) { "used" } else { "not used" };
        let size_mb = entry.size_bytes as f64 / 1e6;
        say(&format!(
            "{:<26} {size_mb:>6.1} MB  {:<13} {state}, {use_}\n    {}; from {} {} {}",
            entry.name,
            entry.licence,
            entry.role,
            entry.source.registry,
            entry.source.package,
            entry.source.version,
        ));
        if !entry.note.trim().is_empty() {
            say(&format!("    {}", entry.note.trim().replace('\n', "\n    ")));
        }
    }
}

/// Whether a setting names the file.
fn is_used(entry: &Entry, models: &ModelSettings) -> bool {
    // A Piper voice's description lies beside it.
    let name = entry.name.strip_suffix(".json").unwrap_or(&entry.name);
    [&models.silero_weights, &models.whisper_model, &models.smart_turn_weights, &models.piper_voice]
        .iter()
        .any(|path| path.file_name().is_some_and(|file| file == name))
}

/// Checks all engines, and tells of each.
fn check(settings: &Settings, wav: Option<&Path>) -> Result<(), Fault> {
    let models = &settings.models;
    let mut failed = 0;
    let mut told = |role: &str, result: Result<String, Fault>| match result {
        Ok(line) => say(&format!("{role}: {line}")),
        Err(fault) => {
            failed += 1;
            say(&format!("{role}: FAILED: {fault}"));
        }
    };
    let spoken = speak(models);
    let sound = spoken.as_ref().ok().map(|(speech, _)| speech.samples.clone());
    told("voice", spoken.map(|(_, line)| line));
    let sound = match wav {
        Some(path) => Some(recording(path)?.into()),
        None => sound,
    };
    told("voice activity", vad(models, sound.as_deref().unwrap_or(&[])));
    match &sound {
        Some(sound) => {
            told("recognizer", hear(models, sound, wav.is_none()));
            told("end of turn", turn_end(models, sound));
        }
        None => told("recognizer", Err("there is nothing to hear without a voice".into())),
    }
    for engine in shell::remote_engines(&settings.remote) {
        let role = format!("{} ({})", engine.name, engine.form);
        told(&role, reach(engine));
    }
    match failed {
        0 => Ok(()),
        1 => Err("one engine failed".into()),
        failed => Err(format!("{failed} engines failed").into()),
    }
}

fn speak(models: &ModelSettings) -> Result<(Speech, String), Fault> {
    let mut voice: Box<dyn Synthesizer> = shell::open_voice(models)?;
    let request = SpeechRequest { text: SAMPLE.into(), rate: SampleRate::NARROW, stretch: 1.0 };
    let began = clock::monotonic();
    let speech = voice.speak(&request)?;
    let took = clock::monotonic().saturating_sub(began);
    let line = format!("said {SAMPLE:?} in {}", cost(speech.duration(), took));
    Ok((speech, line))
}

fn vad(models: &ModelSettings, sound: &[f32]) -> Result<String, Fault> {
    let Some(weights) = shell::silero(models)? else {
        return Ok("earshot, which needs no weights".to_owned());
    };
    let mut silero = Silero::new(weights);
    let began = clock::monotonic();
    let heard =
        sound.chunks_exact(silero.window_samples()).map(|window| silero.probability(window));
    let most = heard.fold(0.0, f32::max);
    let took = clock::monotonic().saturating_sub(began);
    if !sound.is_empty() && most < SPEECH {
        return Err(format!("Silero takes speech for noise: {most:.2} at most").into());
    }
    Ok(format!("Silero, up to {most:.2} in {}", cost(narrow(sound), took)))
}

fn hear(models: &ModelSettings, sound: &[f32], is_sample: bool) -> Result<String, Fault> {
    let mut ears = shell::open_ears(models, 1, std::iter::empty())?;
    let ears = ears.first_mut().ok_or("no recognizer was opened")?;
    let digits = SlotKind::Digits { min: 6, max: 6 };
    let expectation = Expectation {
        kinds: if is_sample { vec![digits] } else { Vec::new() },
        open: !is_sample,
        ..Expectation::default()
    };
    let began = clock::monotonic();
    let heard = listen(ears.as_mut(), &expectation, sound)?;
    let took = clock::monotonic().saturating_sub(began);
    let Hypothesis { text, confidence, kind, .. } = heard;
    if text.is_empty() {
        return Err("it heard nothing".into());
    }
    let right = match (is_sample, text == SAMPLE_WORDS) {
        (false, _) => "",
        (true, true) => ", which is right",
        (true, false) => ", which is not what was said",
    };
    let cost = cost(narrow(sound), took);
    Ok(format!("heard {text:?}{right} ({kind:?}, confidence {confidence:.2}) in {cost}"))
}

fn listen(
    ears: &mut dyn Recognizer,
    expectation: &Expectation,
    sound: &[f32],
) -> Result<Hypothesis, Fault> {
    ears.begin(expectation)?;
    for frame in sound.chunks(160) {
        ears.feed(frame)?;
    }
    Ok(ears.finish()?)
}

fn turn_end(models: &ModelSettings, sound: &[f32]) -> Result<String, Fault> {
    let path = &models.smart_turn_weights;
    if !path.exists() {
        let path = path.display();
        return Ok(format!("words only; {path} is not there, see cordboard models pull"));
    }
    let judge = SmartTurn::open(path)?;
    let began = clock::monotonic();
    let whole = judge.probability(sound)?;
    let took = clock::monotonic().saturating_sub(began);
    let half = judge.probability(&sound[..sound.len() / 2])?;
    let took_ms = took.as_millis();
    Ok(format!("Smart Turn, over with {whole:.2}, its half with {half:.2}, in {took_ms} ms"))
}

/// How long a connection to an engine over the network is waited for.
const REACH_WITHIN: Duration = Duration::from_secs(3);

/// Whether an engine over the network could be asked: its key is there, and something answers where
/// it is. It is shown no key, and asked nothing that it would charge for.
fn reach(engine: shell::RemoteEngine) -> Result<String, Fault> {
    let key = if engine.has_key? { "its key is there" } else { "no key is set" };
    let (host, port) = engine.place;
    let found = (host.as_str(), port).to_socket_addrs();
    let mut found = found.map_err(|why| format!("{host} is not found: {why}"))?;
    let address = found.next().ok_or_else(|| format!("{host} has no address"))?;
    let began = clock::monotonic();
    TcpStream::connect_timeout(&address, REACH_WITHIN)
        .map_err(|why| format!("{host}:{port} does not answer: {why}; see to the url"))?;
    let took_ms = clock::monotonic().saturating_sub(began).as_millis();
    Ok(format!("{key}, {host}:{port} answers in {took_ms} ms; it was asked nothing"))
}

fn recording(path: &Path) -> Result<Arc<[f32]>, Fault> {
    let name = path.display();
    let file = std::fs::File::open(path).map_err(|why| format!("{name} cannot be read: {why}"))?;
    let (samples, rate) = read_mono(file)
        .map_err(|why| format!("{name} is no recording: {why}; name a WAV file of speech"))?;
    Ok(cordboard_audio::resample(&samples, rate.hz(), SampleRate::NARROW.hz()).into())
}

fn narrow(sound: &[f32]) -> Duration {
    Duration::from_secs_f64(sound.len() as f64 / f64::from(SampleRate::NARROW.hz()))
}

/// How long it took against how long the sound is.
fn cost(sound: Duration, took: Duration) -> String {
    let factor = took.as_secs_f64() / sound.as_secs_f64().max(1e-3);
    format!(
        "{:.2} s for {:.2} s of sound, real-time factor {factor:.3}",
        took.as_secs_f64(),
        sound.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ears_hear_what_the_voice_says() {
        let models = ModelSettings {
            recognizer: "pocketsphinx".to_owned(),
            voice_engine: "flite".to_owned(),
            ..ModelSettings::default()
        };
        let (speech, said) = speak(&models).expect("the voice speaks");
        assert!(said.contains("real-time factor"), "{said}");
        let heard = hear(&models, &speech.samples, true).expect("something is heard");
        assert!(heard.starts_with("heard \"one two three"), "{heard}");
        assert!(hear(&models, &[0.0; 8_000], true).is_err(), "silence is nothing");
    }

    #[test]
    fn an_engine_over_the_network_is_reached_at_its_place_and_asked_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = listener.local_addr().expect("an address");
        let engine = |port, has_key| shell::RemoteEngine {
            name: "remote.voice.0".to_owned(),
            form: "cartesia",
            place: ("127.0.0.1".to_owned(), port),
            has_key: Ok(has_key),
        };
        let line = reach(engine(place.port(), true)).expect("it is there");
        assert!(line.starts_with("its key is there, 127.0.0.1:"), "{line}");
        let line = reach(engine(place.port(), false)).expect("it is there");
        assert!(line.starts_with("no key is set, "), "{line}");
        drop(listener);
        let fault = reach(engine(place.port(), true)).expect_err("it is gone").to_string();
        assert!(fault.contains("does not answer") && fault.contains("url"), "{fault}");
    }

    #[test]
    fn an_engine_that_fails_fails_the_check() {
        let mut settings = Settings::default();
        settings.models.recognizer = "parrot".to_owned();
        let fault = check(&settings, None).expect_err("no such recognizer").to_string();
        assert_eq!(fault, "one engine failed");
    }

    #[test]
    fn weights_are_known_by_name_and_used_where_a_setting_names_them() {
        let fault = named(&["nothing.bin".to_owned()], true).expect_err("unknown").to_string();
        assert!(fault.contains("nothing.bin") && fault.contains("silero_vad.onnx"), "{fault}");
        let entry = named(&["silero_vad.onnx".to_owned()], true).expect("known")[0];
        let mut models = ModelSettings::default();
        assert!(is_used(entry, &models));
        models.silero_weights = "/elsewhere/other.onnx".into();
        assert!(!is_used(entry, &models));
    }

    #[test]
    fn a_piper_voice_is_checked_and_one_that_is_not_there_fails_the_check() {
        let mut settings = Settings::default();
        settings.models.voice_engine = "piper".to_owned();
        settings.models.recognizer = "pocketsphinx".to_owned();
        match cordboard_models::voice::Piper::look(&settings.models.piper_voice) {
            Ok(()) => {
                let (speech, said) = speak(&settings.models).expect("the voice speaks");
                assert!(said.contains("real-time factor"), "{said}");
                assert_eq!(speech.words.len(), 6);
            }
            Err(why) => eprintln!("skipped: {why}"),
        }
        settings.models.piper_voice = "/nowhere/x.onnx".into();
        let fault = speak(&settings.models).expect_err("no such voice").to_string();
        assert!(fault.contains("/nowhere/x.onnx") && fault.contains("models pull"), "{fault}");
        assert!(check(&settings, None).is_err());
    }

    #[test]
    fn a_voice_comes_with_the_description_that_lies_beside_it() {
        let name = "en_US-joe-medium.onnx".to_owned();
        let entries = named(std::slice::from_ref(&name), true).expect("known");
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, [name.as_str(), "en_US-joe-medium.onnx.json"]);
        assert!(entries.iter().all(|entry| is_used(entry, &ModelSettings::default())));
        assert_eq!(named(&[name], false).expect("a model alone").len(), 1);
    }
}
