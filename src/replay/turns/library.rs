//! The source recordings, read once, as 8 kHz sound; and their words.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use cordboard_audio::codec::g711::decode_ulaw_into;
use cordboard_audio::{SampleRate, read_mono, resample};

use super::MakeError;
use super::catalogue::{Catalogue, Role, Row};
use super::sound::{Outline, RoomTone, gain, samples};

/// Words of the figures, by their value.
pub(super) const FIGURES: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Sound kept before and after the speech of a piece.
const MARGIN_MS: u32 = 80;

/// All that the catalogue names.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) catalogue: Catalogue,
    clips: HashMap<String, Arc<[f32]>>,
    words: HashMap<String, String>,
}

/// A piece of a recording, brought to a level, and where the speech lies in it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) sound: Vec<f32>,
    /// First and last sample of speech.
    pub(super) speech: (usize, usize),
    pub(super) outline: Outline,
    pub(super) room: RoomTone,
    pub(super) path: String,
    pub(super) text: Option<String>,
}

impl Library {
    /// Reads all that the catalogue names from under `folder`.
    pub(super) fn open(folder: &Path, catalogue: Catalogue) -> Result<Self, MakeError> {
        if !folder.is_dir() {
            return Err(MakeError::NoFolder { path: folder.to_owned() });
        }
        let mut clips = HashMap::new();
        for path in catalogue.rows.iter().flat_map(paths) {
            let from = folder.join(&path);
            if let Entry::Vacant(place) = clips.entry(path) {
                place.insert(read(&from)?.into());
            }
        }
        let references = std::fs::read_to_string(folder.join("REFS.tsv")).unwrap_or_default();
        let words = references
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(path, rest)| (path, rest.split('\t').next().unwrap_or_default()))
            .map(|(path, text)| (path.to_owned(), text.replace('.', "")))
            .collect();
        Ok(Self { catalogue, clips, words })
    }

    /// The sound of a row as it was recorded; nothing of a take that there is not.
    pub(super) fn clip(&self, row: &Row) -> &[f32] {
        let clip = self.clips.get(row.path).map_or(&[][..], |clip| clip);
        let (from, to) = row.window.unwrap_or((0, u32::MAX / 16));
        let to = samples(to).min(clip.len());
        &clip[samples(from).min(to)..to]
    }

    /// The speech of a row at a level, with a little of its room around.
    pub(super) fn piece(&self, row: &Row, dbov: f32) -> Option<Piece> {
        let text = match (row.text, row.window) {
            (Some(text), _) => Some(text.to_owned()),
            (None, None) => self.words.get(row.path).cloned(),
            (None, Some(_)) => None,
        };
        Piece::cut(self.clip(row), dbov, row.path, text)
    }

    /// How loud a row's speech is beside that of its whole recording, dB.
    pub(super) fn relative_db(&self, row: &Row) -> Option<f32> {
        let whole = Outline::of(self.clips.get(row.path)?).speech_dbov();
        Some((Outline::of(self.clip(row)).speech_dbov() - whole).clamp(-20.0, 3.0))
    }

    /// A figure as a speaker of digits says it.
    pub(super) fn figure(&self, row: &Row, figure: usize, take: u32, dbov: f32) -> Option<Piece> {
        let path = take_path(row.path, figure, take);
        Piece::cut(self.clips.get(&path)?, dbov, &path, Some(FIGURES[figure].to_owned()))
    }

    /// Which figures a speaker of digits says.
    pub(super) fn figures(&self, row: &Row) -> Vec<usize> {
        (0..10).filter(|figure| self.clips.contains_key(&take_path(row.path, *figure, 0))).collect()
    }
}

impl Piece {
    /// Cuts the speech out of a sound; nothing where there is none.
    pub(super) fn cut(clip: &[f32], dbov: f32, path: &str, text: Option<String>) -> Option<Self> {
        let outline = Outline::of(clip);
        let (begin, end) = outline.speech()?;
        let scale = gain(dbov - outline.speech_dbov());
        let from = begin.saturating_sub(samples(MARGIN_MS));
        let to = (end + samples(MARGIN_MS)).min(clip.len());
        let louder: Vec<f32> = clip.iter().map(|it| (it * scale).clamp(-1.0, 1.0)).collect();
        let room = RoomTone::of(&louder, &Outline::of(&louder));
        let sound = louder[from..to].to_vec();
        // Drawn anew: steps of 10 ms begin with the piece.
        let outline = Outline::of(&sound).like(&Outline::of(&louder));
        let speech = outline.speech()?;
        Some(Self { sound, speech, outline, room, path: path.to_owned(), text })
    }
}

/// The files of a row.
fn paths(row: &Row) -> Vec<String> {
    let Role::Digits(takes) = row.role else { return vec![row.path.to_owned()] };
    // The words of the spelling corpus lack "four".
    let known = |figure: &usize| !(row.path.contains("{word}") && *figure == 4);
    (0..10)
        .filter(known)
        .flat_map(|figure| (0..takes).map(move |take| take_path(row.path, figure, take)))
        .collect()
}

fn take_path(path: &str, figure: usize, take: u32) -> String {
    path.replace("{digit}", &figure.to_string())
        .replace("{word}", FIGURES[figure])
        .replace("{take}", &take.to_string())
}

/// Reads a file as 8 kHz: WAV; `.ulaw` is μ-law at 8 kHz, `.raw` 16-bit little-endian at 16 kHz.
fn read(path: &Path) -> Result<Vec<f32>, MakeError> {
    let absent = |why| MakeError::Absent { path: path.to_owned(), why };
    let narrow = SampleRate::NARROW.hz();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("ulaw") => {
            let bytes = std::fs::read(path).map_err(absent)?;
            let mut sound = vec![0.0; bytes.len()];
            decode_ulaw_into(&bytes, &mut sound);
            Ok(sound)
        }
        Some("raw") => {
            let bytes = std::fs::read(path).map_err(absent)?;
            let wide: Vec<f32> = bytes
                .chunks_exact(2)
                .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
                .collect();
            Ok(resample(&wide, SampleRate::WIDE.hz(), narrow))
        }
        _ => {
            let file = std::fs::File::open(path).map_err(absent)?;
            let (sound, rate) = read_mono(BufReader::new(file))
                .map_err(|why| MakeError::Unreadable { path: path.to_owned(), why })?;
            Ok(resample(&sound, rate.hz(), narrow))
        }
    }
}
