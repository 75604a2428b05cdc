//! `GET /v1/calls/{id}/recording`: the WAV, also of a live call as far as its header goes.
//!
//! Absent: range requests.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::access::CallName;
use super::fault::ApiFault;
use super::{ApiState, ErrorBody};

/// Bytes before the samples in the files that the store writes (RIFF, `fmt ` of 16, `data`).
const WAV_HEAD_BYTES: usize = 44;
const COMPLETE_HEADER: HeaderName = HeaderName::from_static("x-recording-complete");

/// Sends the recording; `X-Recording-Complete` says whether the whole call is in it.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/recording",
    tag = "calls",
    params(("id" = String, Path, description = "The call, a ULID.")),
    responses(
        (
            status = 200,
            description = "The WAV: the caller left, the other side right.",
            body = Vec<u8>,
            content_type = "audio/wav",
            headers(("X-Recording-Complete" = bool, description = "Whether it is whole.")),
        ),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 404, description = "The call has no recording.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn whole(
    State(state): State<ApiState>,
    CallName(call): CallName,
) -> Result<Response, ApiFault> {
    let (path, is_complete) = state.store.recording(&call).ok_or(ApiFault::BadCallId)?;
    let mut file = File::open(path).await.map_err(|fault| match fault.kind() {
        std::io::ErrorKind::NotFound => ApiFault::NoRecording,
        _ => ApiFault::Unreadable(fault),
    })?;
    let mut head = [0; WAV_HEAD_BYTES];
    file.read_exact(&mut head).await.map_err(ApiFault::Unreadable)?;
    let in_file = file.metadata().await.map_err(ApiFault::Unreadable)?.len();
    // What the header does not count yet may grow under the reader.
    let counted = u32::from_le_bytes([head[40], head[41], head[42], head[43]]);
    let samples_bytes = u64::from(counted).min(in_file.saturating_sub(WAV_HEAD_BYTES as u64));
    let content = std::io::Cursor::new(head).chain(file.take(samples_bytes));
    let headers = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::CONTENT_LENGTH, (samples_bytes + WAV_HEAD_BYTES as u64).to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{call}.wav\"")),
        (COMPLETE_HEADER, is_complete.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(content))).into_response())
}
