//! Sound that many share: all of a recording, or its rest from some sample on.

use std::ops::Deref;
use std::sync::Arc;

/// Samples that are shared, and from which of them on they count. To take the rest of it, as where
/// a prompt is gone on with, copies nothing.
///
/// ```
/// use cordboard_audio::SharedSamples;
/// let whole = SharedSamples::from(vec![0.1, 0.2, 0.3]);
/// assert_eq!(*whole.rest(1), [0.2, 0.3]);
/// assert!(whole.rest(9).is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct SharedSamples {
    all: Arc<[f32]>,
    from: usize,
}

impl SharedSamples {
    /// What is left from a sample on; nothing beyond its end.
    #[must_use]
    pub fn rest(&self, from: usize) -> Self {
        let from = self.from.saturating_add(from).min(self.all.len());
        Self { all: Arc::clone(&self.all), from }
    }
}

impl Deref for SharedSamples {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.all[self.from..]
    }
}

impl PartialEq for SharedSamples {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<Arc<[f32]>> for SharedSamples {
    fn from(all: Arc<[f32]>) -> Self {
        Self { all, from: 0 }
    }
}

impl From<Vec<f32>> for SharedSamples {
    fn from(samples: Vec<f32>) -> Self {
        Self { all: samples.into(), from: 0 }
    }
}

impl From<&[f32]> for SharedSamples {
    fn from(samples: &[f32]) -> Self {
        Self { all: samples.into(), from: 0 }
    }
}
