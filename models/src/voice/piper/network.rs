//! A Piper voice's network (VITS, exported to ONNX), run by rten on one thread.
//!
//! Some 0.2 s of one core (a Xeon of 2.5 GHz with AVX-512) for a second of speech: for an inference
//! worker, never for a media worker. The noise is rten's own. Deliberately absent: batches, and
//! networks of several speakers.
//!
//! # Source
//! The inputs and outputs are those of Piper's export (rhasspy/piper, MIT): `input` of ids,
//! `input_lengths`, `scales` of noise, length and length's noise; one output of samples.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};

use super::PiperError;

/// How long each id lasts, in frames: no output, but a value within the network that rten gives.
const LENGTHS: &str = "/Ceil_output_0";

/// A network; a clone shares its weights.
#[derive(Clone)]
pub(super) struct Network {
    model: Arc<Model>,
    ids: NodeId,
    count: NodeId,
    scales: NodeId,
    sound: NodeId,
    lengths: Option<NodeId>,
    pool: Arc<ThreadPool>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What a network gave.
#[derive(Debug)]
pub(super) struct Sounding {
    /// [-1, 1] at the voice's rate.
    pub(super) samples: Vec<f32>,
    /// How long each id lasts, in frames; none where the network does not tell.
    pub(super) lengths: Option<Vec<f32>>,
}

impl Network {
    /// Loads the network.
    pub(super) fn open(path: &Path) -> Result<Self, PiperError> {
        let bytes = std::fs::read(path)
            .map_err(|why| PiperError::Missing { path: path.to_owned(), why })?;
        let model = Model::load(bytes)
            .map_err(|why| PiperError::Foreign { path: path.to_owned(), why: why.to_string() })?;
        let unfit = || PiperError::Unfit { path: path.to_owned() };
        let input = |name| model.node_id(name).map_err(|_| unfit());
        let (ids, count, scales) = (input("input")?, input("input_lengths")?, input("scales")?);
        let (&[sound], 3) = (model.output_ids(), model.input_ids().len()) else {
            return Err(unfit());
        };
        let lengths = model.node_id(LENGTHS).ok();
        let model = Arc::new(model);
        Ok(Self { model, ids, count, scales, sound, lengths, pool: pool() })
    }

    /// The same weights with a thread of their own.
    pub(super) fn another(&self) -> Self {
        Self { pool: pool(), ..self.clone() }
    }

    /// Speaks; says why it does not.
    pub(super) fn speak(&self, ids: &[i32], scales: [f32; 3]) -> Result<Sounding, String> {
        let said = |why: &dyn std::fmt::Display| why.to_string();
        let count = i32::try_from(ids.len()).map_err(|why| said(&why))?;
        let input = Value::from_shape([1, ids.len()], ids.to_vec()).map_err(|why| said(&why))?;
        let count = Value::from_shape([1], vec![count]).map_err(|why| said(&why))?;
        let scales = Value::from_shape([3], scales.to_vec()).map_err(|why| said(&why))?;
        let fed = vec![
            (self.ids, input.into()),
            (self.count, count.into()),
            (self.scales, scales.into()),
        ];
        let wanted: Vec<NodeId> = std::iter::once(self.sound).chain(self.lengths).collect();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let given = self.model.run(fed, &wanted, Some(options)).map_err(|why| said(&why))?;
        let mut given = given.into_iter();
        let samples = given.next().and_then(|it| it.into_shape_vec::<f32, 4>().ok());
        let (_, samples) = samples.ok_or("it gave no sound")?;
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err("its sound is not of numbers".to_owned());
        }
        let lengths = given.next().and_then(|it| it.into_shape_vec::<f32, 3>().ok());
        let is_whole =
            |it: &Vec<f32>| it.len() == ids.len() && it.iter().all(|frames| *frames >= 0.0);
        let lengths = lengths.map(|(_, lengths)| lengths).filter(is_whole);
        Ok(Sounding { samples, lengths })
    }
}

/// One thread: an inference worker has one core's worth.
fn pool() -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(1))
}
