//! The caller: recordings made beforehand, and which of them answers what.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use cordboard::replay::Act;
use cordboard_audio::{Frame, MediaTime, SampleRate, StereoWriter};
use cordboard_models::speech::{SpeechRequest, Synthesizer};
use cordboard_models::voice::Flite;
use tokio::sync::mpsc;

use super::Fault;

/// The caller's voice: another than the assistant's.
const VOICE: &str = "rms";

/// What the caller can say.
const LINES: [(&str, &str); 6] = [
    ("wish", "where is my order"),
    ("number", "one two three four five six"),
    ("yes", "yes"),
    ("no", "no"),
    ("person", "i want to speak to a person"),
    ("thanks", "Thank you. Could you please ask them to ring the bell twice? Goodbye."),
];

/// Recordings by name.
pub(super) type Recordings = HashMap<&'static str, Arc<[f32]>>;

/// Records what the caller will say, as WAV files in a folder.
pub(super) fn record(folder: &Path) -> Result<Recordings, Fault> {
    std::fs::create_dir_all(folder)?;
    let mut recordings = Recordings::new();
    for (name, text) in LINES {
        let samples = recording(VOICE, text)?;
        let file = File::create(folder.join(format!("{name}.wav")))?;
        let mut wav = StereoWriter::new(file, SampleRate::NARROW)?;
        for part in samples.chunks(SampleRate::NARROW.frame_samples()) {
            let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
            frame.samples_mut()[..part.len()].copy_from_slice(part);
            wav.write(&frame, &Frame::silence(MediaTime::ZERO, SampleRate::NARROW))?;
        }
        wav.finish()?;
        recordings.insert(name, samples);
    }
    Ok(recordings)
}

/// A text in a voice, 8 kHz.
pub(super) fn recording(voice: &str, text: &str) -> Result<Arc<[f32]>, Fault> {
    let request = SpeechRequest { text: text.into(), rate: SampleRate::NARROW, stretch: 1.1 };
    Ok(Flite::open(voice)?.speak(&request)?.samples[..].into())
}

/// Answers what the assistant asks.
pub(super) struct Caller {
    recordings: Recordings,
    phone: mpsc::UnboundedSender<Act>,
}

impl Caller {
    pub(super) fn new(recordings: Recordings, phone: mpsc::UnboundedSender<Act>) -> Self {
        Self { recordings, phone }
    }

    /// The caller has heard a prompt to its end.
    pub(super) fn heard(&self, prompt: &str) {
        if prompt.contains("How can I help") || prompt.contains("for example, where is my order") {
            self.play("wish");
        } else if prompt.contains("key it in") || prompt.contains("keypad") {
            self.act(Act::Key("123456".to_owned()));
        } else if prompt.contains("your order number") {
            self.play("number");
        } else if prompt.contains("Is that right") {
            // The caller listens: a figure misheard is not agreed to.
            self.play(if prompt.contains("1 2 3 4 5 6") { "yes" } else { "no" });
        } else if prompt.contains("anything else") {
            self.play("person");
        }
    }

    /// The human has greeted.
    pub(super) fn thank(&self) {
        self.play("thanks");
    }

    /// The caller hangs up.
    pub(super) fn hang_up(&self) {
        self.act(Act::HangUp);
    }

    fn play(&self, name: &str) {
        self.act(Act::Say(self.recordings[name].clone()));
    }

    fn act(&self, act: Act) {
        // A call that is over needs no acts.
        drop(self.phone.send(act));
    }
}
