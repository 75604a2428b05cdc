//! End of turn by ear: Smart Turn v3 (ONNX, run by rten), which hears in the last 8 s whether a
//! speaker has finished or is only drawing breath.
//!
//! Some 100 ms of one core a decision: for an inference worker, never for a media worker.
//! Deliberately absent: words, and how long the silence has lasted; `text` weighs those.
//!
//! # Source
//! Smart Turn v3.2 by Daily, and its analyzer in pipecat 1.14 (BSD-2-Clause), whose
//! probabilities these are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool, Value};

use crate::ears::upsample::Upsampler;
use crate::mel;
use crate::speech::{EndOfTurn, EngineFault, TurnSoFar};

const ENGINE: &str = "smart turn";
/// What it hears, samples at 16 kHz: 8 s; a shorter turn has silence before it.
const HEARD: usize = 8 * mel::RATE_HZ;
const BANDS: usize = 80;
const FRAMES: usize = HEARD / mel::HOP;
/// Added to the variance, so that silence can be normalized.
const VARIANCE_EPSILON: f64 = 1e-7;
/// What is said of a turn that could not be judged.
const UNKNOWN: f32 = 0.5;

/// Why the judge does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmartTurnError {
    /// The file is not there or cannot be read.
    #[error(
        "the Smart Turn weights {} cannot be read ({why}); run cordboard models pull",
        path.display()
    )]
    Missing {
        /// Where they should be.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file is no ONNX model, or not a whole one.
    #[error(
        "{} is no ONNX model, or a broken one ({why}); delete it and run cordboard models pull",
        path.display()
    )]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What rten said.
        why: String,
    },
    /// The model is another one.
    #[error(
        "{} is an ONNX model, but not Smart Turn v3, which takes input_features of \
         [batch, 80, 800]; delete it and run cordboard models pull", path.display()
    )]
    Unfit {
        /// Where it is.
        path: PathBuf,
    },
}

/// Judges by the sound of the last 8 s.
#[derive(Clone)]
pub struct SmartTurn {
    model: Arc<Model>,
    input: NodeId,
    output: NodeId,
    pool: Arc<ThreadPool>,
}

impl std::fmt::Debug for SmartTurn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmartTurn").field("model", &self.model).finish_non_exhaustive()
    }
}

impl SmartTurn {
    /// Loads the model; a clone of the judge shares its weights.
    ///
    /// # Errors
    /// [`SmartTurnError`], whose text says what to do.
    pub fn open(path: &Path) -> Result<Self, SmartTurnError> {
        let bytes = std::fs::read(path)
            .map_err(|why| SmartTurnError::Missing { path: path.to_owned(), why })?;
        let model = Model::load(bytes).map_err(|why| SmartTurnError::Foreign {
            path: path.to_owned(),
            why: why.to_string(),
        })?;
        let unfit = || SmartTurnError::Unfit { path: path.to_owned() };
        let input = model.node_id("input_features").map_err(|_| unfit())?;
        let expected = [Dimension::Fixed(BANDS), Dimension::Fixed(FRAMES)];
        let shape = model.node_info(input).and_then(|input| input.shape());
        let &output = model.output_ids().first().ok_or_else(unfit)?;
        if !shape.is_some_and(|shape| shape.get(1..) == Some(&expected[..])) {
            return Err(unfit());
        }
        Ok(Self { model: Arc::new(model), input, output, pool: one_thread() })
    }

    /// Another judge of the same weights, with a computing thread of its own, which has the
    /// priority of the thread that calls this.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { pool: one_thread(), ..self.clone() }
    }

    /// Probability, 0 to 1, that the speaker has finished; `samples` at 8 kHz, [-1, 1].
    ///
    /// # Errors
    /// `ModelFailed` where the model gave up.
    pub fn probability(&self, samples: &[f32]) -> Result<f32, EngineFault> {
        let mut wide = Vec::with_capacity(HEARD);
        let from = samples.len().saturating_sub(HEARD / 2);
        Upsampler::new().upsample_into(&samples[from..], &mut wide);
        self.wide_probability(&wide)
    }

    /// The same of samples at 16 kHz.
    ///
    /// # Errors
    /// As [`SmartTurn::probability`].
    pub fn wide_probability(&self, samples: &[f32]) -> Result<f32, EngineFault> {
        let gave_up = |why: String| EngineFault::ModelFailed { engine: ENGINE, why };
        let features = mel::log_mel(&normalized(samples), BANDS);
        let features = Value::from_shape([1, BANDS, FRAMES], features)
            .map_err(|why| gave_up(why.to_string()))?;
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let fed = vec![(self.input, features.into())];
        let results = self.model.run(fed, &[self.output], Some(options));
        let result = results.map_err(|why| gave_up(why.to_string()))?.into_iter().next();
        let result = result.and_then(|result| result.into_shape_vec::<f32, 2>().ok());
        match result.as_ref().and_then(|(_, values)| values.first()) {
            Some(probability) if probability.is_finite() => Ok(probability.clamp(0.0, 1.0)),
            _ => Err(gave_up("it gave no probability".to_owned())),
        }
    }
}

/// An inference worker has one core's worth.
fn one_thread() -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(1))
}

impl EndOfTurn for SmartTurn {
    fn judge(&mut self, turn: &TurnSoFar<'_>) -> f32 {
        self.probability(turn.samples).unwrap_or_else(|fault| {
            tracing::warn!(%fault, "a turn could not be judged by its sound");
            UNKNOWN
        })
    }
}

/// The last 8 s with silence before them, of mean 0 and variance 1.
fn normalized(samples: &[f32]) -> Vec<f64> {
    let samples = &samples[samples.len().saturating_sub(HEARD)..];
    let mut heard = vec![0.0; HEARD - samples.len()];
    heard.extend(samples.iter().copied().map(f64::from));
    let mean = heard.iter().sum::<f64>() / HEARD as f64;
    let variance = heard.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / HEARD as f64;
    let scale = (variance + VARIANCE_EPSILON).sqrt();
    for sample in &mut heard {
        *sample = (*sample - mean) / scale;
    }
    heard
}
