//! How likely it is that the best path through a grammar is what was said.
//!
//! Under a grammar the engine's own score says nothing: something always fits best. So the path is
//! compared, frame by frame, with a loop of phones that may fit anything (Rose & Paul 1990), and the
//! difference is turned into a probability by a logistic function fitted on recordings. Pure.

/// What speaks for and against a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Acoustic log score of the grammar's path less the phone loop's, per frame of speech; near 0
    /// where the words explain the sound as well as any phones do, and falling from there.
    pub per_frame: f32,
    /// The same of the word that fits worst.
    pub worst_word: f32,
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
    /// Weight of the natural logarithm of `speech_frames`.
    pub log_frames: f32,
    /// Weight of the share of the loop's speech that the words do not cover.
    pub uncovered: f32,
}

impl Evidence {
    /// The inputs of the logistic function, in the order of [`Calibration`]'s weights.
    #[must_use]
    pub fn features(&self) -> [f32; 4] {
        let speech = self.speech_frames.max(1) as f32;
        let uncovered = (self.loop_frames as f32 - speech) / (self.loop_frames.max(1) as f32);
        [self.per_frame, self.worst_word, speech.ln(), uncovered]
    }
}

impl Calibration {
    /// For Debian's `pocketsphinx-en-us`.
    ///
    /// # Source
    /// 600 trials through 8 kHz mu-law: digits of FSDD spliced at 80 ms, flite's voices slt, rms, awb
    /// and kal with phrases in and out of the grammar, cards, read sentences, letters; 158 in the
    /// grammar. "Right" is word for word (yes and no: by meaning). Held-out quarter: see `ears`.
    pub const DEBIAN_EN_US: Self = Self {
        bias: 8.2558,
        per_frame: 0.23655,
        worst_word: 0.04846,
        log_frames: 0.0449,
        uncovered: -3.2682,
    };

    /// For the telephone model `hub4wsj_sc_8k`; made in the same way.
    pub const HUB4WSJ_SC_8K: Self = Self {
        bias: 19.0634,
        per_frame: 0.13452,
        worst_word: 0.04722,
        log_frames: 0.3644,
        uncovered: 0.0744,
    };

    /// Probability, 0 to 1, that a hypothesis with this evidence is what was said.
    #[must_use]
    pub fn probability(&self, evidence: &Evidence) -> f32 {
        if !evidence.whole || evidence.words == 0 {
            return 0.0;
        }
        let weights = [self.per_frame, self.worst_word, self.log_frames, self.uncovered];
        let sum: f32 = weights.iter().zip(evidence.features()).map(|(w, x)| w * x).sum();
        1.0 / (1.0 + (-(self.bias + sum)).exp())
    }
}
