//! Recordings in which the caller alone speaks: utterances with pauses inside, digits in groups,
//! and a yes or a no. Each turn is followed by 4 s of its room.
//!
//! Pauses are as long as those of 82 bank calls (Harper Valley corpus, 5 / 50 / 95 %): 525 / 1,030
//! / 2,890 ms inside a turn, 546 / 740 / 2,196 ms between groups of digits.

use super::catalogue::{Role, Row};
use super::draw::Draw;
use super::label::{Half, Kind, Label, PauseLabel, TurnLabel, WordLabel};
use super::library::{FIGURES, Library, Piece};
use super::sound::{Canvas, FADE, RoomTone, ms, samples, telephone};

const PAUSE_MS: (f64, f64, f64) = (525.0, 1_030.0, 2_890.0);
const GROUP_PAUSE_MS: (f64, f64, f64) = (546.0, 740.0, 2_196.0);
/// What is heard after a turn, so that every end can be found.
const AFTER_MS: u32 = 4_000;
/// A silence of the speaker's own is a pause from here on.
const OWN_PAUSE_MS: u32 = 150;
/// Groups in which digits are said.
const GROUPS: [&[usize]; 4] = [&[3, 3], &[3, 3, 4], &[4, 2], &[3, 2]];

/// A recording before it is written.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) uplink: Vec<f32>,
    pub(super) downlink: Vec<f32>,
    pub(super) label: Label,
}

impl Made {
    /// Codes both sides, the shorter filled up.
    pub(super) fn coded(uplink: &[f32], downlink: &[f32], label: Label) -> Self {
        let (uplink, mut downlink) = (telephone(uplink), telephone(downlink));
        downlink.resize(uplink.len(), 0.0);
        Self { uplink, downlink, label }
    }
}

/// A turn on its canvas.
struct Turn {
    canvas: Canvas,
    label: TurnLabel,
}

impl Turn {
    fn made(mut self, room: &RoomTone, draw: &mut Draw, label: Label) -> Made {
        self.canvas.join(&room.noise(samples(AFTER_MS), draw.bits()));
        let turns = vec![self.label];
        Made::coded(&self.canvas.sound, &[], Label { turns, ..label })
    }
}

/// A level at which callers arrive, dBov.
pub(super) fn caller_dbov(draw: &mut Draw) -> f32 {
    draw.between(-31.0, -21.0) as f32
}

/// An empty label.
pub(super) fn label(kind: Kind, half: Half, file: &str, sources: Vec<String>) -> Label {
    let (turns, events) = (Vec::new(), Vec::new());
    Label { file: file.to_owned(), kind, half, sources, turns, events }
}

/// An utterance, with pauses put into it where it dips between words.
pub(super) fn talk(library: &Library, row: &Row, file: &str, draw: &mut Draw) -> Option<Made> {
    let piece = library.piece(row, caller_dbov(draw))?;
    let mut dips = piece.outline.dips();
    // The widest are the surest to lie between words.
    dips.sort_by_key(|(from, to)| std::cmp::Reverse(to - from));
    dips.truncate(6);
    let wanted = [0, 1, 1, 1, 2][draw.index(5)];
    let mut chosen: Vec<(usize, usize)> = Vec::new();
    while chosen.len() < wanted && !dips.is_empty() {
        let dip = dips.swap_remove(draw.index(dips.len()));
        if chosen.iter().all(|other| other.0.abs_diff(dip.0) > samples(500)) {
            chosen.push(dip);
        }
    }
    chosen.sort_unstable();
    let turn = with_pauses(&piece, &chosen, draw);
    let label = label(Kind::Talk, row.half, file, vec![piece.path.clone()]);
    Some(turn.made(&piece.room, draw, label))
}

/// An answer where yes or no was asked for.
pub(super) fn yes_no(library: &Library, row: &Row, file: &str, draw: &mut Draw) -> Option<Made> {
    let piece = library.piece(row, caller_dbov(draw))?;
    let mut turn = with_pauses(&piece, &[], draw);
    turn.label.expects = Some("yes_no".to_owned());
    let label = label(Kind::YesNo, row.half, file, vec![piece.path.clone()]);
    Some(turn.made(&piece.room, draw, label))
}

/// Digits as they were recorded, where so many are expected.
pub(super) fn number(library: &Library, row: &Row, file: &str, draw: &mut Draw) -> Option<Made> {
    let Role::Number(digits) = row.role else { return None };
    let piece = library.piece(row, caller_dbov(draw))?;
    let mut turn = with_pauses(&piece, &[], draw);
    turn.label.expects = Some(format!("digits:{digits}"));
    for pause in &mut turn.label.pauses {
        pause.group = true;
    }
    let label = label(Kind::Digits, row.half, file, vec![piece.path.clone()]);
    Some(turn.made(&piece.room, draw, label))
}

/// Digits of one speaker in groups.
pub(super) fn digits(library: &Library, row: &Row, file: &str, draw: &mut Draw) -> Option<Made> {
    let Role::Digits(takes) = row.role else { return None };
    let dbov = caller_dbov(draw);
    let groups = *draw.one(&GROUPS);
    let figures = library.figures(row);
    let take = |draw: &mut Draw| {
        let figure = *draw.one(&figures);
        library.figure(row, figure, draw.index(takes as usize) as u32, dbov)
    };
    // One room for all: that of the speaker's first figure.
    let room = take(draw)?.room;
    let mut canvas = Canvas::default();
    let lead_ms = draw.ms(500, 1_100);
    canvas.join(&room.noise(samples(lead_ms), draw.bits()));
    let (mut words, mut pauses, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let mut begin = None;
    for (at, count) in groups.iter().enumerate() {
        for figure in 0..*count {
            let piece = take(draw)?;
            let (from, to) = piece.speech;
            let group = figure == 0 && at > 0;
            let silence_ms = if group { group_pause_ms(draw) } else { draw.ms(40, 140) };
            if figure > 0 || group {
                canvas.join(&room.noise(samples(silence_ms), draw.bits()));
            }
            let first = canvas.join(&piece.sound[from..to]);
            if group {
                let begin_ms = words.last().map_or(0, |word: &WordLabel| word.end_ms);
                pauses.push(PauseLabel { begin_ms, end_ms: ms(first), made: true, group });
            }
            begin.get_or_insert(first);
            let text = FIGURES.iter().find(|it| Some(**it) == piece.text.as_deref());
            let text = text.map_or("", |text| text).to_owned();
            words.push(WordLabel { text, end_ms: ms(first + to - from) });
            sources.push(piece.path);
        }
    }
    sources.sort_unstable();
    sources.dedup();
    let label = label(Kind::Digits, row.half, file, sources);
    let turn = TurnLabel {
        begin_ms: ms(begin?),
        end_ms: words.last()?.end_ms,
        expects: Some(format!("digits:{}", groups.iter().sum::<usize>())),
        pauses,
        words,
    };
    Some(Turn { canvas, label: turn }.made(&room, draw, label))
}

fn group_pause_ms(draw: &mut Draw) -> u32 {
    draw.log_normal(GROUP_PAUSE_MS).clamp(300.0, 2_200.0).round() as u32
}

/// Lays a piece on a canvas behind a little of its room, with its dips made pauses.
fn with_pauses(piece: &Piece, dips: &[(usize, usize)], draw: &mut Draw) -> Turn {
    let mut canvas = Canvas::default();
    let lead_ms = draw.ms(500, 1_100);
    canvas.join(&piece.room.noise(samples(lead_ms), draw.bits()));
    let mut pauses = Vec::new();
    let mut speech = Vec::new();
    let (mut from, mut voice_from) = (0, 0);
    for end in dips.iter().map(Some).chain([None]) {
        let to = end.map_or(piece.sound.len(), |(from, to)| from.midpoint(*to));
        let part = &piece.sound[from..to];
        let laid = canvas.join(part);
        // Where a sample of the piece lies now.
        let place = |sample: usize| laid + sample.saturating_sub(from).min(to - from);
        let spoken = (voice_from, end.map_or(to, |(quiet, _)| *quiet));
        own_pauses(piece, spoken, place, &mut pauses, &mut speech);
        if let Some((dip_from, dip_to)) = end {
            let wanted = draw.log_normal(PAUSE_MS).clamp(300.0, 2_900.0).round() as u32;
            let there = dip_to - dip_from;
            let noise = samples(wanted).saturating_sub(there).max(samples(100));
            let begin_ms = ms(place(*dip_from));
            canvas.join(&piece.room.noise(noise, draw.bits()));
            let end_ms = ms(canvas.sound.len() - FADE + (dip_to - to));
            pauses.push(PauseLabel { begin_ms, end_ms, made: true, group: false });
            voice_from = *dip_to;
        }
        from = to;
    }
    pauses.sort_unstable_by_key(|pause| pause.begin_ms);
    let begin_ms = speech.first().map_or(0, |first: &(usize, usize)| ms(first.0));
    let end_ms = speech.last().map_or(0, |last| ms(last.1));
    let words = piece.text.as_deref().map_or_else(Vec::new, |text| spread(text, &speech));
    let label = TurnLabel { begin_ms, end_ms, expects: None, pauses, words };
    Turn { canvas, label }
}

/// The speaker's own pauses within a part of a piece, and the speech between them.
fn own_pauses(
    piece: &Piece,
    (from, to): (usize, usize),
    place: impl Fn(usize) -> usize,
    pauses: &mut Vec<PauseLabel>,
    speech: &mut Vec<(usize, usize)>,
) {
    let inside = |pause: &(usize, usize)| pause.0 >= from && pause.1 <= to;
    let mut begin = from.max(piece.speech.0);
    for (quiet, voice) in piece.outline.pauses(OWN_PAUSE_MS).into_iter().filter(inside) {
        let (begin_ms, end_ms) = (ms(place(quiet)), ms(place(voice)));
        pauses.push(PauseLabel { begin_ms, end_ms, made: false, group: false });
        speech.push((place(begin), place(quiet)));
        begin = voice;
    }
    let end = to.min(piece.speech.1);
    if end > begin {
        speech.push((place(begin), place(end)));
    }
}

/// Spreads words over speech by their letters: no better is known where a reference has no times.
fn spread(text: &str, speech: &[(usize, usize)]) -> Vec<WordLabel> {
    let all: usize = speech.iter().map(|(from, to)| to - from).sum();
    let weight = |word: &str| word.chars().count() + 1;
    let letters: usize = text.split_whitespace().map(weight).sum();
    let mut read = 0;
    let end = |read: usize| {
        let mut left = all * read / letters.max(1);
        for (from, to) in speech {
            if left <= to - from {
                return ms(from + left);
            }
            left -= to - from;
        }
        speech.last().map_or(0, |last| ms(last.1))
    };
    let labelled = text.split_whitespace().map(|word| {
        read += weight(word);
        WordLabel { text: word.to_lowercase(), end_ms: end(read) }
    });
    labelled.collect()
}
