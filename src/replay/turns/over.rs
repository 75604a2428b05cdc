//! Recordings in which the assistant speaks all the time and something happens on the caller's
//! side: speech that must stop it, and what must not.
//!
//! There is no recording of a cough in the sources: coughs are made, noise through the vocal tract
//! of a real voice, and stand beside recorded barks, horns and machines. Acknowledgements are cut
//! from calls and meetings; as those are few, hums are made of real voiced sound. Labels say so.

use cordboard_audio::level::level_dbov;
use cordboard_audio::resample;

use super::catalogue::{Role, Row};
use super::compose::{Made, caller_dbov, label};
use super::draw::Draw;
use super::label::{EventLabel, Half, Kind};
use super::library::{Library, Piece};
use super::sound::{Canvas, Outline, RoomTone, echo, gain, ms, samples, soften};

/// Level of a caller's speech to which other levels are relative, dBov.
const SPEECH_DBOV: f32 = -26.0;
/// Level of the assistant's speech, dBov.
const ASSISTANT_DBOV: f32 = -20.0;
/// What is heard after an event, so that a late stop is seen.
const AFTER_MS: u32 = 2_500;
/// Shorter utterances interrupt nobody for sure.
const INTERRUPTION_MS: u32 = 1_000;

/// The caller's side, quiet so far, and what is known.
struct Side {
    canvas: Canvas,
    sources: Vec<String>,
    event: EventLabel,
}

fn event(what: &str, begin_ms: u32, end_ms: u32) -> EventLabel {
    let what = what.to_owned();
    EventLabel { what, begin_ms, end_ms, level_db: None, delay_ms: None, made: None }
}

/// Line noise of so long.
fn line(length: usize, draw: &mut Draw) -> Canvas {
    let room = RoomTone::line(draw.between(-66.0, -55.0) as f32);
    Canvas { sound: room.noise(length, draw.bits()) }
}

/// An event that begins after the assistant has spoken for a while.
fn placed(sound: &[f32], speech: (usize, usize), what: &str, draw: &mut Draw) -> Side {
    let at = samples(draw.ms(1_500, 4_000));
    let mut canvas = line(at + sound.len() + samples(AFTER_MS), draw);
    let mut sound = sound.to_vec();
    soften(&mut sound);
    canvas.add(&sound, at, 1.0);
    let event = event(what, ms(at + speech.0), ms(at + speech.1));
    Side { canvas, sources: Vec::new(), event }
}

/// What the assistant says meanwhile, and of which recordings.
fn assistant(library: &Library, half: Half, length: usize, draw: &mut Draw) -> (Vec<f32>, String) {
    let rows = library.catalogue.of(half, Role::Assistant);
    let mut canvas = Canvas::default();
    let mut next = draw.index(rows.len().max(1));
    let mut path = String::new();
    while canvas.sound.len() < length {
        let Some(piece) =
            rows.get(next % rows.len().max(1)).and_then(|row| library.piece(row, ASSISTANT_DBOV))
        else {
            break;
        };
        canvas.join(&piece.sound);
        path = piece.path;
        next += 1;
    }
    canvas.sound.resize(length, 0.0);
    (canvas.sound, path)
}

/// Puts a side beside an assistant, whose voice may come back on it.
fn made(
    library: &Library,
    (kind, half, file): (Kind, Half, &str),
    side: Side,
    echoing: Option<(f32, u32, &Row)>,
    draw: &mut Draw,
) -> Made {
    let Side { mut canvas, mut sources, event: happens } = side;
    let (downlink, path) = assistant(library, half, canvas.sound.len(), draw);
    sources.push(path);
    let mut events = vec![happens];
    if let Some((level_db, delay_ms, place)) = echoing {
        canvas.add(&echo(&downlink, library.clip(place)), samples(delay_ms), gain(level_db));
        sources.push(place.path.to_owned());
        let mut back = event("echo", delay_ms, ms(canvas.sound.len()));
        back.level_db = Some(level_db);
        back.delay_ms = Some(delay_ms);
        events.push(back);
    }
    let mut label = label(kind, half, file, sources);
    label.events = events;
    Made::coded(&canvas.sound, &downlink, label)
}

fn echoing<'a>(library: &'a Library, half: Half, draw: &mut Draw) -> Option<(f32, u32, &'a Row)> {
    let places = library.catalogue.of(half, Role::Place);
    if places.is_empty() {
        return None;
    }
    let level_db = draw.between(-30.0, -15.0) as f32;
    Some((level_db, draw.ms(40, 300), *draw.one(&places)))
}

/// Rows good for speaking over the assistant.
pub(super) fn interrupting(library: &Library, half: Half) -> Vec<&Row> {
    let mut rows = library.catalogue.of(half, Role::Turn);
    rows.extend(library.catalogue.of(half, Role::Over));
    rows.retain(|row| {
        let piece = library.piece(row, SPEECH_DBOV);
        piece.is_some_and(|it| it.speech.1 - it.speech.0 >= samples(INTERRUPTION_MS))
    });
    rows
}

/// A real utterance over the assistant, with or without its echo.
pub(super) fn interruption(
    library: &Library,
    row: &Row,
    (file, with_echo): (&str, bool),
    draw: &mut Draw,
) -> Option<Made> {
    let dbov = caller_dbov(draw);
    let piece = library.piece(row, dbov)?;
    // A second and some is enough, and keeps the material small.
    let to = piece.sound.len().min(piece.speech.0 + samples(4_000));
    let speech = (piece.speech.0, piece.speech.1.min(to));
    let mut side = placed(&piece.sound[..to], speech, "interruption", draw);
    side.event.level_db = Some(dbov - SPEECH_DBOV);
    side.sources.push(piece.path);
    let kind = if with_echo { Kind::EchoInterruption } else { Kind::Interruption };
    let back = if with_echo { Some(echoing(library, row.half, draw)?) } else { None };
    Some(made(library, (kind, row.half, file), side, back, draw))
}

/// An acknowledgement as it was said, 6 dB below a caller's speech, and as loud as it.
pub(super) fn backchannel(
    library: &Library,
    row: &Row,
    (file, number): (&str, usize),
    draw: &mut Draw,
) -> Option<Made> {
    let level_db = match (number % 3, row.role) {
        (0, Role::Hum) => -12.0,
        (0, _) => library.relative_db(row)?,
        (1, _) => -6.0,
        _ => 0.0,
    };
    let piece = match row.role {
        Role::Hum => hum(library, row, SPEECH_DBOV + level_db, draw)?,
        _ => library.piece(row, SPEECH_DBOV + level_db)?,
    };
    let mut side = placed(&piece.sound, piece.speech, "backchannel", draw);
    side.event.level_db = Some(level_db);
    if row.role == Role::Hum {
        side.event.made = Some("a hum of two parts, of real voiced sound".to_owned());
    }
    side.sources.push(piece.path);
    Some(made(library, (Kind::Backchannel, row.half, file), side, None, draw))
}

/// "mm-hm": two short stretches of a voiced sound, the second higher, a breath between.
fn hum(library: &Library, row: &Row, dbov: f32, draw: &mut Draw) -> Option<Piece> {
    let whole = library.piece(row, dbov)?;
    let voiced = &whole.sound[whole.speech.0..whole.speech.1];
    // Another pitch is another speaker, nearly; whole hundreds keep the resampling short.
    let pitch_hz = 100 * draw.ms(56, 98);
    let second_hz = pitch_hz * 100 / draw.ms(104, 122) / 50 * 50;
    let mut canvas = Canvas { sound: vec![0.0; samples(40)] };
    for (rate_hz, long_ms) in [(pitch_hz, draw.ms(120, 190)), (second_hz, draw.ms(150, 260))] {
        let other = resample(voiced, 8_000, rate_hz);
        let length = samples(long_ms).min(other.len());
        let from = draw.index(other.len() - length + 1);
        let mut part = other[from..from + length].to_vec();
        for (at, sample) in part.iter_mut().enumerate() {
            // It swells and falls, as a hum does.
            let phase = at as f32 / length as f32 * std::f32::consts::PI;
            *sample *= phase.sin().sqrt();
        }
        canvas.sound.extend_from_slice(&part);
        canvas.sound.extend(vec![0.0; samples(draw.ms(30, 80))]);
    }
    let room = RoomTone::line(-68.0);
    let noise = room.noise(canvas.sound.len(), draw.bits());
    canvas.add(&noise, 0, 1.0);
    Piece::cut(&canvas.sound, dbov, row.path, None)
}

/// A noise that begins and ends: a recorded one, or a cough that is made.
pub(super) fn cough(
    library: &Library,
    row: &Row,
    (file, number): (&str, usize),
    draw: &mut Draw,
) -> Option<Made> {
    let level_db = [-6.0, 0.0, 6.0][number % 3];
    let dbov = SPEECH_DBOV + level_db;
    let is_burst = row.role == Role::Burst;
    let piece =
        if is_burst { library.piece(row, dbov)? } else { a_cough(library, row, dbov, draw)? };
    let to = piece.sound.len().min(piece.speech.0 + samples(2_000));
    let mut sound = piece.sound[..to].to_vec();
    soften(&mut sound);
    let name = row.path.rsplit('/').next().unwrap_or(row.path).trim_end_matches(".wav");
    let what = if is_burst { name } else { "cough" };
    let mut side = placed(&sound, (piece.speech.0, piece.speech.1.min(to)), what, draw);
    side.event.level_db = Some(level_db);
    if !is_burst {
        let how = "by rule: bursts of noise with the spectrum of a real voice";
        side.event.made = Some(how.to_owned());
    }
    side.sources.push(piece.path);
    Some(made(library, (Kind::Cough, row.half, file), side, None, draw))
}

/// One to three bursts, each an explosion of noise that dies away and now and then ends in voice.
fn a_cough(library: &Library, row: &Row, dbov: f32, draw: &mut Draw) -> Option<Piece> {
    let voice = library.piece(row, dbov)?;
    let spoken = &voice.sound[voice.speech.0..voice.speech.1];
    // The spectrum of the voice itself, not of its room.
    let tract = RoomTone::of(spoken, &Outline::of(spoken).loud());
    let mut canvas = Canvas { sound: vec![0.0; samples(60)] };
    for _ in 0..1 + draw.index(3) {
        let long_ms = draw.ms(180, 380);
        let mut burst = tract.noise(samples(long_ms), draw.bits());
        let loud = gain(dbov - level_dbov(&burst));
        let fall_ms = draw.between(50.0, 120.0) as f32;
        for (at, sample) in burst.iter_mut().enumerate() {
            let at_ms = at as f32 / 8.0;
            let rise = (at_ms / 8.0).min(1.0);
            *sample *= loud * rise * (0.12 + 0.88 * (-at_ms / fall_ms).exp());
        }
        soften(&mut burst);
        canvas.sound.extend_from_slice(&burst);
        if draw.chance(0.4) {
            let length = samples(draw.ms(60, 110)).min(spoken.len());
            let from = draw.index(spoken.len() - length + 1);
            let mut tail = spoken[from..from + length].to_vec();
            tail.iter_mut().for_each(|sample| *sample *= 0.5);
            soften(&mut tail);
            canvas.join(&tail);
        }
        canvas.sound.extend(vec![0.0; samples(draw.ms(60, 260))]);
    }
    let noise = RoomTone::line(-68.0).noise(canvas.sound.len(), draw.bits());
    canvas.add(&noise, 0, 1.0);
    Piece::cut(&canvas.sound, dbov, row.path, None)
}

/// Voices behind a caller who is silent: 5 or 10 dB below speech.
pub(super) fn babble(
    library: &Library,
    row: &Row,
    (file, number): (&str, usize),
    draw: &mut Draw,
) -> Option<Made> {
    let level_db = [-5.0, -10.0][number % 2];
    let length = samples(8_000);
    let mut sound = vec![0.0; length];
    let mut sources = vec![row.path.to_owned()];
    if number % 4 < 2 {
        let bed = library.clip(row);
        let from = draw.index(bed.len().saturating_sub(length).max(1));
        let to = bed.len().min(from + length);
        sound[..to - from].copy_from_slice(&bed[from..to]);
    } else {
        sources = crowd(library, row.half, &mut sound, draw);
    }
    let scale = gain(SPEECH_DBOV + level_db - level_dbov(&sound));
    let mut canvas = line(length, draw);
    soften(&mut sound);
    canvas.add(&sound, 0, scale);
    let what = if number % 4 < 2 { "babble" } else { "babble of six" };
    let mut event = event(what, 0, ms(length));
    event.level_db = Some(level_db);
    let side = Side { canvas, sources, event };
    Some(made(library, (Kind::Babble, row.half, file), side, None, draw))
}

/// Six voices at once, each going on with another utterance where one ends.
fn crowd(library: &Library, half: Half, onto: &mut [f32], draw: &mut Draw) -> Vec<String> {
    let rows = interrupting(library, half);
    let mut sources = Vec::new();
    for _ in 0..6 {
        let mut at = 0;
        while at < onto.len() && !rows.is_empty() {
            let row = *draw.one(&rows);
            let Some(piece) = library.piece(row, SPEECH_DBOV - 8.0) else { break };
            let from = draw.index(piece.sound.len() / 2 + 1);
            cordboard_audio::mix::add_into(&mut onto[at..], &piece.sound[from..], 1.0);
            at += piece.sound.len() - from;
            sources.push(piece.path);
        }
    }
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// The assistant's voice comes back to a caller who is silent, on a line or in a noisy room.
pub(super) fn echo_alone(
    library: &Library,
    half: Half,
    (file, number): (&str, usize),
    draw: &mut Draw,
) -> Option<Made> {
    let length = samples(8_000);
    let mut canvas = line(length, draw);
    let mut sources = Vec::new();
    let noises = library.catalogue.of(half, Role::Background);
    let mut event = event("quiet", 0, 0);
    if number % 2 == 1 && !noises.is_empty() {
        let row = *draw.one(&noises);
        let bed = library.clip(row);
        let from = draw.index(bed.len().saturating_sub(length).max(1));
        let part = &bed[from..bed.len().min(from + length)];
        let level_db = draw.between(-30.0, -18.0) as f32;
        canvas.add(part, 0, gain(SPEECH_DBOV + level_db - level_dbov(part)));
        sources.push(row.path.to_owned());
        event.what = "noise".to_owned();
        event.end_ms = ms(part.len());
        event.level_db = Some(level_db);
    }
    let side = Side { canvas, sources, event };
    let back = echoing(library, half, draw)?;
    let mut made = made(library, (Kind::Echo, half, file), side, Some(back), draw);
    made.label.events.retain(|event| event.end_ms > event.begin_ms);
    Some(made)
}
