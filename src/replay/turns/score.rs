//! Letting recordings through the judges and counting what they do.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cordboard_audio::read_stereo;
use cordboard_audio::vad::{SileroWeights, SpeechMeter};
use cordboard_models::turn_end::SmartTurn;

use super::judges::{Asking, HANGOVERS_MS, Hangover, Smart, THETAS};
use super::label::{Half, Label, TurnLabel};
use super::make::at_once;
use super::report::{Report, TurnScore};
use super::room::{self, Room, Said};
use super::stops::OverScore;
use super::{LABELS, ScoreError};
use crate::turn::{Heard, TurnSettings};

/// 20 ms at 8 kHz.
pub(super) const FRAME: usize = 160;
pub(super) const FRAME_MS: u32 = 20;
/// A voice that begins softly is known only a while after the pause's end: a cut until then is one
/// in the pause.
const PAUSE_SLACK_MS: u32 = 100;
/// A turn's last sound may be too soft for the detector: an end so little before the labelled one
/// is the end.
const END_SLACK_MS: u32 = 250;

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Engine {
    /// Voice activity with a hangover.
    Vad,
    /// Smart Turn, asked once in each silence.
    Smart,
    /// The turn room with its own judge.
    Own,
    /// The turn room, which asks Smart Turn where its own judge leaves it open.
    Joint,
}

impl Engine {
    /// As tables have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vad => "vad",
            Self::Smart => "smart",
            Self::Own => "own",
            Self::Joint => "joint",
        }
    }

    /// Whether it asks Smart Turn.
    const fn hears(self) -> bool {
        matches!(self, Self::Smart | Self::Joint)
    }

    /// The settings of its one threshold.
    pub(super) const fn thresholds(self) -> &'static [f32] {
        match self {
            Self::Vad => &HANGOVERS_MS,
            Self::Smart => &THETAS,
            Self::Own | Self::Joint => &room::THRESHOLDS,
        }
    }
}

/// What is scored, and with what.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The folder of recordings and labels.
    pub folder: PathBuf,
    /// Only this half.
    pub half: Option<Half>,
    /// Who judges.
    pub engines: Vec<Engine>,
    /// Weights of the detector of speech; earshot without them, as in a call.
    pub silero: Option<Arc<SileroWeights>>,
    /// Smart Turn's weights; needed where it judges.
    pub smart: PathBuf,
    /// The room's settings.
    pub settings: TurnSettings,
    /// Where the room's measures of each silence are to be written, a JSON line each.
    pub features: Option<PathBuf>,
}

/// A recording, read.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) label: Label,
    pub(super) uplink: Vec<f32>,
    pub(super) downlink: Vec<f32>,
}

/// What one recording came to.
struct Outcome {
    turns: Vec<TurnScore>,
    overs: Vec<OverScore>,
    features: Vec<String>,
}

/// Scores a folder of material.
///
/// # Errors
/// [`ScoreError`], whose text says what to do.
pub fn score(bench: &Bench) -> Result<Report, ScoreError> {
    let mut labels = labels(&bench.folder)?;
    labels.retain(|label| bench.half.is_none_or(|half| half == label.half));
    if labels.is_empty() {
        return Err(ScoreError::Nothing { path: bench.folder.clone() });
    }
    let smart = Mutex::new(Vec::new());
    if bench.engines.iter().any(|engine| engine.hears()) {
        // Opened before the first recording, so that what is missing is said at once.
        smart.lock().unwrap_or_else(PoisonError::into_inner).push(SmartTurn::open(&bench.smart)?);
    }
    let outcomes = at_once(&labels, |label| {
        let recording = Recording::read(&bench.folder, label.clone())?;
        one(bench, &recording, &smart)
    })?;
    let mut report = Report::default();
    let mut rows = Vec::new();
    for outcome in outcomes {
        outcome.turns.into_iter().for_each(|score| report.add_turn(score));
        report.overs.extend(outcome.overs);
        rows.extend(outcome.features);
    }
    if let Some(path) = &bench.features {
        write_lines(path, &rows)
            .map_err(|why| ScoreError::Unwritten { path: path.clone(), why })?;
    }
    Ok(report)
}

fn write_lines(path: &Path, rows: &[String]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for row in rows {
        writeln!(file, "{row}")?;
    }
    file.flush()
}

fn labels(folder: &Path) -> Result<Vec<Label>, ScoreError> {
    let path = folder.join(LABELS);
    let text = std::fs::read_to_string(&path)
        .map_err(|why| ScoreError::NoLabels { path: path.clone(), why })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let label = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|why| ScoreError::Broken {
            path: path.clone(),
            line: at + 1,
            why: why.to_string(),
        })
    };
    lines.map(label).collect()
}

impl Recording {
    fn read(folder: &Path, label: Label) -> Result<Self, ScoreError> {
        let path = folder.join(&label.file);
        let fault = |why: String| ScoreError::Recording { path: path.clone(), why };
        let file = File::open(&path).map_err(|why| fault(why.to_string()))?;
        let ([uplink, downlink], rate) =
            read_stereo(BufReader::new(file)).map_err(|why| fault(why.to_string()))?;
        if rate.hz() != 8_000 {
            return Err(fault(format!("it has {} Hz instead of 8,000", rate.hz())));
        }
        Ok(Self { label, uplink, downlink })
    }
}

/// Every judge at every threshold on one recording.
fn one(
    bench: &Bench,
    recording: &Recording,
    pool: &Mutex<Vec<SmartTurn>>,
) -> Result<Outcome, ScoreError> {
    let meter = bench.silero.clone().map_or_else(SpeechMeter::earshot, SpeechMeter::silero);
    let heard = room::listen(recording, meter);
    let mut outcome = Outcome { turns: Vec::new(), overs: Vec::new(), features: Vec::new() };
    if bench.features.is_some() {
        let mut rows = room::features(recording, &heard, &bench.settings);
        if recording.label.turns.is_empty() {
            rows = room::overlaps(recording, &heard);
        }
        outcome.features = rows.iter().map(ToString::to_string).collect();
    }
    let turn = recording.label.turns.first();
    for engine in &bench.engines {
        if let Some(turn) = turn {
            let model = if engine.hears() { Some(borrow(bench, pool)?) } else { None };
            let mut smart = model.as_ref().map(|model| Smart::new(model, &recording.uplink));
            for threshold in engine.thresholds() {
                let yields = yields(bench, (*engine, *threshold), (&heard, turn), smart.as_mut());
                outcome.turns.push(TurnScore::new(
                    (*engine, *threshold, recording.label.kind),
                    count(turn, &yields, FRAME_MS * heard.len() as u32),
                ));
            }
            if let Some(model) = model {
                pool.lock().unwrap_or_else(PoisonError::into_inner).push(model);
            }
        } else if !engine.hears() {
            let said = over_said(bench, *engine, &heard);
            outcome.overs.push(OverScore::new(*engine, &recording.label, &said));
        }
    }
    Ok(outcome)
}

/// One of the models that is not at work, else another: each has one thread of its own.
fn borrow(bench: &Bench, pool: &Mutex<Vec<SmartTurn>>) -> Result<SmartTurn, ScoreError> {
    let free = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
    Ok(free.map_or_else(|| SmartTurn::open(&bench.smart), Ok)?)
}

/// When the turn was taken from the caller, ms.
pub(super) fn yields(
    bench: &Bench,
    (engine, threshold): (Engine, f32),
    (heard, turn): (&[Heard], &TurnLabel),
    smart: Option<&mut Smart<'_>>,
) -> Vec<u32> {
    let mut at = Vec::new();
    let frames = (1..).map(|frame| frame * FRAME_MS).zip(heard);
    match (engine, smart) {
        (Engine::Smart, Some(smart)) => {
            let mut asking = Asking::new(threshold);
            for (now_ms, heard) in frames {
                at.extend(asking.frame(now_ms, *heard, smart).map(|_| now_ms));
            }
        }
        (Engine::Own | Engine::Joint, mut smart) => {
            let mut room = Room::new(bench.settings, threshold, Some(turn));
            for (now_ms, heard) in frames {
                if smart.as_mut().is_some_and(|smart| room.judge_sound(now_ms, smart)) {
                    at.push(now_ms);
                }
                room.frame(now_ms, *heard, false, |said| {
                    if said == Said::Yielded {
                        at.push(now_ms);
                    }
                });
            }
        }
        (Engine::Vad | Engine::Smart, _) => {
            let mut hangover = Hangover::new(threshold);
            for (now_ms, heard) in frames {
                let said = hangover.frame(now_ms, *heard, false);
                at.extend(said.filter(|said| *said == Said::Yielded).map(|_| now_ms));
            }
        }
    }
    at
}

/// What is counted of one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) pauses: u32,
    pub(super) pauses_cut: u32,
    pub(super) groups: u32,
    pub(super) groups_cut: u32,
    /// Cut off in a pause or elsewhere.
    pub(super) cut: bool,
    /// From the true end to the yield, ms; what is left of the recording where none came.
    pub(super) dead_air_ms: u32,
    pub(super) never: bool,
}

/// Compares yields with a label.
pub(super) fn count(turn: &TurnLabel, yields: &[u32], length_ms: u32) -> Counted {
    let mut counted = Counted::default();
    for pause in &turn.pauses {
        let until = pause.end_ms + PAUSE_SLACK_MS;
        let cut = yields.iter().any(|at| (pause.begin_ms..until).contains(at));
        counted.pauses += 1;
        counted.pauses_cut += u32::from(cut);
        counted.groups += u32::from(pause.group);
        counted.groups_cut += u32::from(pause.group && cut);
    }
    let last_pause = turn.pauses.iter().map(|pause| pause.end_ms + PAUSE_SLACK_MS).max();
    // What comes so close to the end is the end, unless it still belongs to a pause.
    let end = turn.end_ms.saturating_sub(END_SLACK_MS).max(last_pause.unwrap_or(0));
    counted.cut = yields.iter().any(|at| (turn.begin_ms..end).contains(at));
    let over = yields.iter().find(|at| **at >= end);
    counted.never = over.is_none();
    counted.dead_air_ms = over.unwrap_or(&length_ms).saturating_sub(turn.end_ms);
    counted
}

/// What an engine does while the assistant speaks.
pub(super) fn over_said(bench: &Bench, engine: Engine, heard: &[Heard]) -> Vec<(u32, Said)> {
    let mut said = Vec::new();
    let mut speaks = true;
    let mut room = Room::new(bench.settings, room::AS_SET, None);
    let mut hangover = Hangover::new(HANGOVERS_MS[3]);
    for (now_ms, heard) in (1..).map(|frame| frame * FRAME_MS).zip(heard) {
        let from = said.len();
        if engine == Engine::Own {
            room.frame(now_ms, *heard, speaks, |it| said.push((now_ms, it)));
        } else {
            said.extend(hangover.frame(now_ms, *heard, speaks).map(|it| (now_ms, it)));
        }
        for (_, it) in &said[from..] {
            match it {
                Said::Stopped => speaks = false,
                Said::Resumed => speaks = true,
                Said::Ducked | Said::Yielded => {}
            }
        }
    }
    said
}
