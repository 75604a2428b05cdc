//! Where the tests find what the repository does not hold: the weights and the recordings.

use std::path::PathBuf;
use std::sync::Arc;

use cordboard_audio::vad::SileroWeights;

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of shared data: `../shared/data` beside the workspace, or `data` in the folder that
/// `CORDBOARD_SHARED` names.
pub(crate) fn data() -> Option<PathBuf> {
    let shared = std::env::var_os("CORDBOARD_SHARED").map(PathBuf::from);
    let data = shared.unwrap_or_else(|| workspace().join("../shared")).join("data");
    data.is_dir().then_some(data)
}

/// The bytes of `silero_vad.onnx`; `None`, with a line that says so, where there are none.
pub(crate) fn onnx() -> Option<Vec<u8>> {
    let brought = workspace().join("models/weights/silero_vad.onnx");
    let shared = data().map(|data| data.join("models/vad/silero_vad.onnx"));
    let bytes = [Some(brought), shared].into_iter().flatten().find_map(|at| std::fs::read(at).ok());
    if bytes.is_none() {
        eprintln!("skipped: no silero_vad.onnx (scripts/fetch-weights.sh brings it)");
    }
    bytes
}

/// The weights, read from [`onnx`].
pub(crate) fn weights() -> Option<Arc<SileroWeights>> {
    onnx().map(|bytes| Arc::new(SileroWeights::from_onnx(&bytes).expect("it is Silero's file")))
}
