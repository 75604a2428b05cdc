//! How likely it is that the best path through a grammar is what was said.
//!
//! Under a grammar the engine's own score says nothing: something always fits best. So the path is
//! compared, frame by frame, with a loop of phones that may fit anything (Rose & Paul 1990), and
//! the difference is turned into a probability by a logistic function fitted on recordings. Pure.

/// What speaks for and against a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Acoustic log score of the grammar's path less the phone loop's, per frame of speech; near 0
    /// where the words explain the sound as well as any phones do, and falling from there.
    pub per_frame: f32,
    /// The same of the word that fits worst.
    pub worst_word: f32,
    /// The same over all of the path, its silences too: a pause of the path where the loop hears
    /// speech costs here.
    pub overall: f32,
    /// Length of the words together, frames of 10 ms.
    pub speech_frames: u32,
    /// Frames that the phone loop takes for speech.
    pub loop_frames: u32,
    /// How many words.
    pub words: u32,
    /// Whether the path reaches the end of the grammar.
    pub whole: bool,
}

/// A logistic function of the evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Constant term.
    pub bias: f32,
    /// Weight of `per_frame`.
    pub per_frame: f32,
    /// Weight of `worst_word`.
    pub worst_word: f32,
    /// Weight of `overall`.
    pub overall: f32,
    /// Weight of the natural logarithm of `speech_frames`.
    pub log_frames: f32,
    /// Weight of the share of the loop's speech that the words do not cover.
    pub uncovered: f32,
}

impl Evidence {
    /// The inputs of the logistic function, in the order of [`Calibration`]'s weights.
    #[must_use]
    pub fn features(&self) -> [f32; 5] {
        let speech = self.speech_frames.max(1) as f32;
        let uncovered = (self.loop_frames as f32 - speech) / (self.loop_frames.max(1) as f32);
        [self.per_frame, self.worst_word, self.overall, speech.ln(), uncovered]
    }
}

impl Calibration {
    /// For Debian's `pocketsphinx-en-us`.
    ///
    /// # Source
    /// `examples/calibrate_ears.rs` on 600 trials through 8 kHz mu-law, 158 in the grammar that
    /// listened and 442 outside: digits of FSDD spliced at 80 ms, flite's voices slt, rms, awb and
    /// kal with phrases in and out of the grammar, cards, read sentences, letters. "Right" is word
    /// for word (yes and no: by meaning). On the quarter held out: AUC 0.951, log loss 0.23.
    pub const DEBIAN_EN_US: Self = Self {
        bias: 6.8616,
        per_frame: 0.16438,
        worst_word: 0.04101,
        overall: 0.08236,
        log_frames: -0.4589,
        uncovered: -1.8678,
    };

    /// For the telephone model `hub4wsj_sc_8k`; made in the same way. AUC 0.938, log loss 0.27.
    pub const HUB4WSJ_SC_8K: Self = Self {
        bias: 5.1348,
        per_frame: 0.06793,
        worst_word: 0.06222,
        overall: 0.14808,
        log_frames: -0.3346,
        uncovered: 0.2152,
    };

    /// Probability, 0 to 1, that a hypothesis with this evidence is what was said.
    #[must_use]
    pub fn probability(&self, evidence: &Evidence) -> f32 {
        if !evidence.whole || evidence.words == 0 {
            return 0.0;
        }
        let weights =
            [self.per_frame, self.worst_word, self.overall, self.log_frames, self.uncovered];
        let sum: f32 = weights.iter().zip(evidence.features()).map(|(w, x)| w * x).sum();
        1.0 / (1.0 + (-(self.bias + sum)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Evidence = Evidence {
        per_frame: -6.0,
        worst_word: -16.0,
        overall: -6.0,
        speech_frames: 90,
        loop_frames: 90,
        words: 3,
        whole: true,
    };

    #[test]
    fn confidence_falls_with_each_kind_of_misfit() {
        for calibration in [Calibration::DEBIAN_EN_US, Calibration::HUB4WSJ_SC_8K] {
            let good = calibration.probability(&GOOD);
            assert!(good > 0.7, "{good}");
            for worse in [
                Evidence { per_frame: -45.0, ..GOOD },
                Evidence { worst_word: -80.0, ..GOOD },
                Evidence { overall: -40.0, ..GOOD },
            ] {
                assert!(calibration.probability(&worse) < good - 0.02, "{worse:?}");
            }
        }
    }

    #[test]
    fn a_path_that_is_not_whole_or_has_no_words_is_worth_nothing() {
        for nothing in [Evidence { whole: false, ..GOOD }, Evidence { words: 0, ..GOOD }] {
            assert_eq!(Calibration::DEBIAN_EN_US.probability(&nothing).to_bits(), 0);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_evidence_gives_a_probability(
            per_frame in -500.0_f32..50.0,
            worst_word in -500.0_f32..50.0,
            speech_frames in 0_u32..6_000,
            loop_frames in 0_u32..6_000,
        ) {
            let evidence = Evidence {
                per_frame, worst_word, overall: per_frame, speech_frames, loop_frames, ..GOOD
            };
            let probability = Calibration::DEBIAN_EN_US.probability(&evidence);
            proptest::prop_assert!((0.0..=1.0).contains(&probability));
        }
    }
}
