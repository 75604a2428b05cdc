//! The two callbacks that whisper.cpp is given: when to stop, and what is more likely.
//!
//! whisper-rs's own safe setters are passed over: that of the stop calls the closure by the wrong
//! type unless it is boxed, and leaks it with every decode.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use whisper_rs::{
    FullParams, WhisperError, WhisperState, WhisperSysContext, WhisperSysState, WhisperTokenData,
};

use super::bias::{Bias, Tokens};

/// What a decode asks while it runs; between tokens, and after the encoder.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    /// Reads the time.
    pub(super) clock: fn() -> Duration,
    /// When the decode has taken too long.
    pub(super) until: Duration,
    /// Set by whoever does not want the result any more.
    pub(super) cancelled: &'a AtomicBool,
    /// What is expected.
    pub(super) bias: Option<&'a Bias>,
    /// The vocabulary; tokens past its end are marks: the first of them ends the text.
    pub(super) tokens: &'a Tokens,
    /// All tokens, marks included.
    pub(super) vocabulary: usize,
    /// Added to the logit of what is expected.
    pub(super) bonus: f32,
}

/// Runs the model over the samples (16 kHz).
///
/// # Errors
/// What whisper.cpp says; -6 and -8 also where `watch` stopped it.
#[expect(unsafe_code, reason = "hands callbacks to C")]
pub(super) fn decode(
    state: &mut WhisperState,
    mut params: FullParams<'_, '_>,
    watch: &Watch<'_>,
    samples: &[f32],
) -> Result<(), WhisperError> {
    let data = ptr::from_ref(watch).cast_mut().cast::<c_void>();
    // SAFETY: `watch` outlives `full`, which is the only one to call back, and on this thread;
    // both callbacks only read it.
    unsafe {
        params.set_abort_callback(Some(is_over));
        params.set_abort_callback_user_data(data);
        params.set_filter_logits_callback(Some(favour));
        params.set_filter_logits_callback_user_data(data);
    }
    state.full(params, samples)
}

#[expect(unsafe_code, reason = "called by C")]
unsafe extern "C" fn is_over(data: *mut c_void) -> bool {
    // SAFETY: `data` is the `Watch` of `decode`, alive and only read.
    let watch = unsafe { &*data.cast::<Watch<'_>>() };
    watch.cancelled.load(Ordering::Relaxed) || (watch.clock)() > watch.until
}

#[expect(unsafe_code, reason = "called by C")]
unsafe extern "C" fn favour(
    _: *mut WhisperSysContext,
    _: *mut WhisperSysState,
    tokens: *const WhisperTokenData,
    count: c_int,
    logits: *mut f32,
    data: *mut c_void,
) {
    // SAFETY: `data` is the `Watch` of `decode`, alive and only read.
    let watch = unsafe { &*data.cast::<Watch<'_>>() };
    let Some(bias) = watch.bias else { return };
    let count = usize::try_from(count).unwrap_or(0);
    let said = if count == 0 || tokens.is_null() {
        &[]
    } else {
        // SAFETY: whisper.cpp gives its vector's begin and length.
        unsafe { std::slice::from_raw_parts(tokens, count) }
    };
    // SAFETY: whisper.cpp's logits have one for each token of the vocabulary, and are its own.
    let logits = unsafe { std::slice::from_raw_parts_mut(logits, watch.vocabulary) };
    // A panic must not go through C; without the bias the decode is still sound.
    let _ = catch_unwind(AssertUnwindSafe(|| weigh(watch, bias, said, logits)));
}

fn weigh(watch: &Watch<'_>, bias: &Bias, said: &[WhisperTokenData], logits: &mut [f32]) {
    let text = watch.tokens.len();
    let mut written = Vec::with_capacity(4 * said.len());
    for token in said {
        written.extend_from_slice(watch.tokens.text(usize::try_from(token.id).unwrap_or(text)));
    }
    let Some(allowed) = bias.allowed(watch.tokens, &written) else { return };
    for token in allowed.tokens {
        logits[token as usize] += watch.bonus;
    }
    if allowed.may_end || written.is_empty() {
        for logit in &mut logits[text..] {
            *logit += watch.bonus;
        }
    }
}
