//! Whether one sound was heard within another: a known prompt in what came over the line.
//!
//! A print is the shape of the spectrum, 100 times a second: log power in bands, less its mean, so
//! that level does not count. Two are alike by the mean cosine of their frames where the known one
//! has sound, and by that of their worst quarter of a second, as one word may be another. Parts of
//! a second may lie a little apart: sentences are often spoken one by one. A voice that is
//! synthesized anew in the same way, or a recording played again, comes back nearly the same,
//! through any codec of the telephone; another text or another voice does not. One word that sounds
//! much like another (a voice's "two" and "six") may pass for it.

use std::sync::LazyLock;

use realfft::{RealFftPlanner, RealToComplex};

/// Samples between two frames, 10 ms at 8 kHz, and of a window: 100 ms, so that a voice's hiss,
/// which is another each time, is evened out in its bands.
const HOP: usize = 80;
const WINDOW: usize = 800;
/// Bands from 200 to 3,400 Hz.
const BANDS: usize = 16;
/// A frame this far below the loudest has no shape of its own, dB.
const QUIET_BELOW_DB: f32 = 35.0;
/// From here on the two are the same: all of it, and its worst part.
const ALIKE: f32 = 0.85;
const PART_ALIKE: f32 = 0.80;
/// Frames of the worst part.
const PART: usize = 25;
/// Frames of a part that is looked for by itself, at most and at least, and how far from the last
/// one it may be moved.
const SECOND: usize = 100;
const SHORTEST: usize = 25;
const APART: i64 = 25;
/// Frames without sound between two stretches.
const PAUSE: usize = 12;
/// Places are tried where the first part is hardly less alike than at the best, so many.
const MAYBE: f32 = 0.1;
const PLACES: usize = 24;
/// How often a text is spoken to know how it sounds.
pub(super) const RENDERINGS: usize = 6;
/// The least of a known sound by which it can be told, frames.
const LEAST: usize = 25;

struct Bank {
    fft: std::sync::Arc<dyn RealToComplex<f32>>,
    window: [f32; WINDOW],
    bands: [(usize, usize); BANDS],
}

static BANK: LazyLock<Bank> = LazyLock::new(|| {
    let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
    let hann = |n: usize| 0.5 - 0.5 * (2.0 * std::f32::consts::PI * n as f32 / WINDOW as f32).cos();
    let edge = |band: usize| {
        let hz = 200.0 * 17.0_f32.powf(band as f32 / BANDS as f32);
        (hz * WINDOW as f32 / 8_000.0).round() as usize
    };
    let bands = std::array::from_fn(|band| {
        let first = edge(band);
        (first, edge(band + 1).max(first + 1))
    });
    Bank { fft, window: std::array::from_fn(hann), bands }
});

/// One frame: the shape, of length 1, and the power, dB.
#[derive(Clone, Copy, Debug)]
struct Shape {
    bands: [f32; BANDS],
    power_db: f32,
}

/// How a sound sounds.
#[derive(Clone, Debug, Default)]
pub struct Print {
    shapes: Vec<Shape>,
}

impl Print {
    /// Of a sound at 8 kHz.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        Self::of_renderings(&[samples])
    }

    /// Of one text spoken several times over in the same way, each at 8 kHz: what is another in
    /// each, a voice's hiss, is evened out. What is not as long as the first is left out.
    #[must_use]
    pub fn of_renderings(renderings: &[&[f32]]) -> Self {
        let length = renderings.first().map_or(0, |first| first.len());
        let places = (length + HOP).saturating_sub(WINDOW) / HOP;
        let of_one = |rendering: &&[f32], at: usize| powers(&rendering[at..at + WINDOW]);
        let shapes = (0..places).map(|place| {
            let alike = renderings.iter().filter(|it| it.len() == length);
            let all: Vec<Powers> = alike.map(|it| of_one(it, place * HOP)).collect();
            shape(Powers::mean(&all))
        });
        Self { shapes: shapes.collect() }
    }

    /// Length, ms.
    #[must_use]
    pub fn millis(&self) -> usize {
        self.shapes.len() * 10
    }

    /// What is left of it from a time on, ms.
    #[must_use]
    pub fn after(&self, from_ms: usize) -> Self {
        Self { shapes: self.shapes.get(from_ms / 10..).unwrap_or_default().to_vec() }
    }

    /// What there is of it up to a time, ms.
    #[must_use]
    pub fn before(&self, to_ms: usize) -> Self {
        Self { shapes: self.shapes.get(..to_ms / 10).unwrap_or(&self.shapes).to_vec() }
    }

    /// Frames with sound, by number.
    fn sounding(&self) -> Vec<usize> {
        let loudest = self.shapes.iter().map(|it| it.power_db).fold(f32::MIN, f32::max);
        let floor = loudest - QUIET_BELOW_DB;
        (0..self.shapes.len()).filter(|at| self.shapes[*at].power_db > floor).collect()
    }

    /// The best place of this in `other`; none where this is too short to be told, or longer than
    /// the other.
    #[must_use]
    pub(super) fn found_in(&self, other: &Self) -> Option<Found> {
        let sounding = self.sounding();
        if sounding.len() < LEAST || other.shapes.is_empty() {
            return None;
        }
        let parts = parts(&sounding);
        let begin = *parts[0].first()?;
        let places = (other.shapes.len() + 1).checked_sub(parts[0].last()? - begin + 1)?;
        let at = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
        let begins: Vec<f32> =
            (0..places).map(|place| self.alike(parts[0], other, at(place) - at(begin))).collect();
        let most = begins.iter().copied().fold(f32::MIN, f32::max);
        let near = |place: &usize| begins[*place] >= most - MAYBE;
        let tried = (0..places).filter(near).take(PLACES).map(|place| {
            let (mut shift, mut sum, mut worst) = (at(place) - at(begin), 0.0, 1.0_f32);
            for part in &parts {
                let shifts = (shift - APART..=shift + APART).filter(|_| part[0] != begin);
                let best = shifts.map(|it| (self.alike(part, other, it), it));
                let best = best.max_by(|one, two| one.0.total_cmp(&two.0));
                let (alike, to) = best.unwrap_or((begins[place], shift));
                shift = to;
                sum += alike * part.len() as f32;
                let windows = part.windows(PART.min(part.len()));
                worst = windows.map(|it| self.alike(it, other, shift)).fold(worst, f32::min);
            }
            Found { alike: sum / sounding.len() as f32, worst, at_ms: place * 10 }
        });
        tried.max_by(|one, two| one.alike.total_cmp(&two.alike))
    }

    /// Mean cosine of the frames from the first to the last of these with those of `other` so many
    /// further on. Where only one of the two has sound they are not alike; where neither has,
    /// nothing is said.
    fn alike(&self, frames: &[usize], other: &Self, shift: i64) -> f32 {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return 0.0 };
        let heard = |frame: usize| {
            let at = usize::try_from(frame as i64 + shift).unwrap_or(usize::MAX);
            other.shapes.get(at)
        };
        let loudest = |shapes: &mut dyn Iterator<Item = &Shape>| {
            shapes.map(|it| it.power_db).fold(f32::MIN, f32::max) - QUIET_BELOW_DB
        };
        let own_floor = loudest(&mut self.shapes[*first..=*last].iter());
        let its_floor = loudest(&mut (*first..=*last).filter_map(heard));
        let (mut sum, mut count) = (0.0, 0_u32);
        for frame in *first..=*last {
            let one = &self.shapes[frame];
            let Some(two) = heard(frame) else {
                count += 1;
                continue;
            };
            match (one.power_db > own_floor, two.power_db > its_floor) {
                (false, false) => {}
                (true, true) => {
                    let both = one.bands.iter().zip(&two.bands);
                    sum += both.map(|(one, two)| one * two).sum::<f32>();
                    count += 1;
                }
                _ => count += 1,
            }
        }
        sum / count.max(1) as f32
    }
}

/// Cuts frames with sound at pauses, where both sides are long enough to be found by themselves,
/// and what is long into parts of about a second.
fn parts(sounding: &[usize]) -> Vec<&[usize]> {
    let mut parts: Vec<&[usize]> = Vec::new();
    let mut from = 0;
    for at in 1..=sounding.len() {
        let ends = at == sounding.len();
        let pauses = ends || sounding[at] - sounding[at - 1] > PAUSE;
        let is_enough = at - from >= SHORTEST && sounding.len() - at >= SHORTEST;
        if ends || (pauses && is_enough) {
            let stretch = &sounding[from..at];
            let count = stretch.len().div_ceil(SECOND);
            parts.extend(stretch.chunks(stretch.len().div_ceil(count)));
            from = at;
        }
    }
    parts
}

/// The place that is most alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// How alike all of it is, -1 to 1.
    pub(super) alike: f32,
    /// And its worst quarter of a second.
    pub(super) worst: f32,
    /// Where it begins.
    pub(super) at_ms: usize,
}

impl Found {
    /// Whether it is the same.
    pub(super) fn is_it(self) -> bool {
        self.alike >= ALIKE && self.worst >= PART_ALIKE
    }
}

/// A sound that goes on, and its print so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Likeness {
    print: Print,
    rest: Vec<f32>,
}

impl Likeness {
    /// Takes the next samples, 8 kHz.
    pub(super) fn hear(&mut self, samples: &[f32]) {
        self.rest.extend_from_slice(samples);
        let mut at = 0;
        while at + WINDOW <= self.rest.len() {
            self.print.shapes.push(shape(powers(&self.rest[at..at + WINDOW])));
            at += HOP;
        }
        self.rest.drain(..at);
    }

    /// Whether this was in it.
    #[must_use]
    pub(super) fn has_said(&self, known: &Print) -> bool {
        known.found_in(&self.print).is_some_and(Found::is_it)
    }
}

/// What a window has in each band, and in all.
#[derive(Clone, Copy, Debug)]
struct Powers {
    bands: [f32; BANDS],
    whole: f32,
}

impl Powers {
    fn mean(all: &[Self]) -> Self {
        let count = all.len().max(1) as f32;
        let bands =
            std::array::from_fn(|band| all.iter().map(|it| it.bands[band]).sum::<f32>() / count);
        Self { bands, whole: all.iter().map(|it| it.whole).sum::<f32>() / count }
    }
}

fn powers(window: &[f32]) -> Powers {
    let bank = &*BANK;
    let mut input: Vec<f32> = window.iter().zip(&bank.window).map(|(one, two)| one * two).collect();
    let mut output = bank.fft.make_output_vec();
    // Both are of the lengths that it made them of.
    let done = bank.fft.process(&mut input, &mut output);
    debug_assert!(done.is_ok());
    let bands = bank.bands.map(|(first, last)| {
        let sum: f32 = output[first..last].iter().map(|bin| bin.norm_sqr()).sum();
        sum / (last - first) as f32
    });
    Powers { bands, whole: window.iter().map(|it| it * it).sum() }
}

fn shape(powers: Powers) -> Shape {
    let db = |power: f32| 10.0 * (power + 1e-9).log10();
    let mut bands = powers.bands.map(db);
    let mean = bands.iter().sum::<f32>() / BANDS as f32;
    bands.iter_mut().for_each(|band| *band -= mean);
    let length = bands.iter().map(|band| band * band).sum::<f32>().sqrt().max(1e-6);
    bands.iter_mut().for_each(|band| *band /= length);
    Shape { bands, power_db: db(powers.whole) }
}

#[cfg(test)]
mod tests {
    use cordboard_audio::SampleRate;
    use cordboard_audio::codec::g711;
    use cordboard_models::speech::{SpeechRequest, Synthesizer};
    use cordboard_models::voice::Flite;

    use super::*;

    fn spoken(voice: &str, text: &str) -> Vec<f32> {
        let request = SpeechRequest { text: text.into(), rate: SampleRate::NARROW, stretch: 1.0 };
        Flite::open(voice).unwrap().speak(&request).unwrap().samples.to_vec()
    }

    /// Over the line: 137 samples late, 9 dB lower, coded.
    fn over_the_line(samples: &[f32]) -> Vec<f32> {
        let low: Vec<f32> =
            std::iter::repeat_n(0.0, 137).chain(samples.iter().map(|it| it * 0.35)).collect();
        let (mut coded, mut back) = (vec![0; low.len()], vec![0.0; low.len()]);
        g711::encode_ulaw_into(&low, &mut coded);
        g711::decode_ulaw_into(&coded, &mut back);
        back
    }

    #[test]
    fn a_prompt_is_found_in_what_came_over_the_line_and_another_is_not() {
        let texts = [
            "Hello, this is the automated assistant of Northline Parcels.",
            "How can I help you?",
            "What is your order number? It has six digits.",
            "Order 1 2 3 4 5 6. Is that right?",
            "Order 1 2 3 4 5 7. Is that right?",
        ];
        let prints: Vec<Print> = texts.iter().map(|it| Print::of(&spoken("slt", it))).collect();
        let mut heard = Vec::new();
        for text in &texts[..3] {
            heard.extend(over_the_line(&spoken("slt", text)));
            heard.extend([0.0; 3_200]);
        }
        let heard = Print::of(&heard);
        for (number, print) in prints.iter().enumerate() {
            let found = print.found_in(&heard).unwrap();
            assert_eq!(found.is_it(), number < 3, "{}: {found:?}", texts[number]);
        }
        let other = Print::of(&spoken("awb", texts[1])).found_in(&heard).unwrap();
        assert!(!other.is_it(), "another voice: {other:?}");
    }

    /// As the far end's voice is known: by several renderings.
    fn known(text: &str) -> Print {
        let spoken: Vec<Vec<f32>> = (0..RENDERINGS).map(|_| spoken("slt", text)).collect();
        Print::of_renderings(&spoken.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn a_prompt_is_known_however_often_it_is_spoken_anew() {
        for text in [
            "Thank you for calling Northline Parcels. Goodbye.",
            "The address of order 1 2 3 4 5 6 is changed.",
            "I am still looking, one moment please.",
            "Order 1 2 3 4 5 6 is out for delivery. It will be with you by six this evening.",
        ] {
            let print = known(text);
            let anew = (0..4).map(|_| Print::of(&over_the_line(&spoken("slt", text))));
            let found: Vec<Found> = anew.map(|heard| print.found_in(&heard).unwrap()).collect();
            assert!(found.iter().all(|it| it.is_it()), "{text}: {found:?}");
        }
    }

    #[test]
    fn one_digit_that_is_another_is_nearly_always_another_sentence() {
        let heard = Print::of(&over_the_line(&spoken("slt", "Order 1 2 3 4 5 6. Is that right?")));
        let same = known("Order 1 2 3 4 5 6. Is that right?").found_in(&heard).unwrap();
        assert!(same.is_it(), "{same:?}");
        let mut taken = Vec::new();
        for at in 0..6 {
            for digit in (0..=9).filter(|digit| *digit != at + 1) {
                let digits = (0..6).map(|it| if it == at { digit } else { it + 1 });
                let digits: Vec<String> = digits.map(|it| it.to_string()).collect();
                let other = format!("Order {}. Is that right?", digits.join(" "));
                let found = known(&other).found_in(&heard);
                taken.extend(found.filter(|it| it.is_it()).map(|found| (other, found)));
            }
        }
        assert!(taken.len() <= 4, "of 54: {taken:?}");
    }

    #[test]
    fn what_is_too_short_or_longer_than_what_was_heard_is_not_found() {
        let print = Print::of(&spoken("slt", "How can I help you?"));
        assert_eq!(print.found_in(&Print::default()), None);
        assert_eq!(Print::of(&[0.1; 800]).found_in(&print), None);
        assert_eq!(Print::default().found_in(&print), None);
    }
}
