//! One `ps_decoder_t` with the lifetime and the borrowing that C leaves to its reader.
//!
//! Deliberately absent: grammars, words and confidence; here are searches, samples and segments.
//! The library ends the process on some broken files (`E_FATAL`), so paths are checked before they
//! come here.

use std::ffi::{CStr, CString, c_int, c_long};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Once;

use super::ffi;

/// A value of a decoder's setting.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting<'a> {
    /// A path or a word.
    Text(&'a str),
    /// A whole number, or 0 and 1 for no and yes.
    Whole(i32),
    /// A number.
    Real(f64),
}

/// A stretch of the best path: a word, or a phone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// The word as the dictionary has it, "zero(2)" for a second pronunciation, "<sil>" for none.
    pub(super) word: String,
    /// First frame, 10 ms each.
    pub(super) first: u32,
    /// Last frame.
    pub(super) last: u32,
    /// Acoustic log score, the library's units, against the best of all senones.
    pub(super) acoustic: i64,
}

/// A decoder of the C library.
#[derive(Debug)]
pub(super) struct Decoder {
    raw: NonNull<ffi::PsDecoder>,
    is_listening: bool,
}

// SAFETY: a `ps_decoder_t` holds no thread-local state and no reference to another decoder; it may
// be moved to another thread as long as one thread at a time uses it, which `&mut self` ensures.
#[expect(unsafe_code, reason = "the C object is used through `&mut self` only")]
unsafe impl Send for Decoder {}

static SILENCE_THE_LOG: Once = Once::new();

#[expect(unsafe_code, reason = "calls PocketSphinx")]
impl Decoder {
    /// Opens a decoder with these settings; `None` where the library refuses them.
    pub(super) fn open(settings: &[(&str, Setting<'_>)]) -> Option<Self> {
        // SAFETY: takes a null FILE, which its documentation names as "no log".
        SILENCE_THE_LOG.call_once(|| unsafe { ffi::err_set_logfp(ptr::null_mut()) });
        // SAFETY: the variable arguments end with a null name; `ps_args` is a static table.
        let line =
            unsafe { ffi::cmd_ln_init(ptr::null_mut(), ffi::ps_args(), 1, ptr::null::<i8>()) };
        let line = NonNull::new(line)?.as_ptr();
        for (name, value) in settings {
            let name = text(name);
            // SAFETY: the names are of the table of `ps_args`, the strings live through the calls
            // (the library copies them).
            unsafe {
                match value {
                    Setting::Text(value) => {
                        ffi::cmd_ln_set_str_r(line, name.as_ptr(), text(value).as_ptr());
                    }
                    Setting::Whole(value) => {
                        ffi::cmd_ln_set_int_r(line, name.as_ptr(), c_long::from(*value));
                    }
                    Setting::Real(value) => ffi::cmd_ln_set_float_r(line, name.as_ptr(), *value),
                }
            }
        }
        // SAFETY: `line` is live; the decoder counts its own reference, ours is given back.
        unsafe {
            let raw = ffi::ps_init(line);
            ffi::cmd_ln_free_r(line);
            NonNull::new(raw).map(|raw| Self { raw, is_listening: false })
        }
    }

    /// Adds a word with its phones ("Z IH R OW"); false where a phone is unknown.
    pub(super) fn add_word(&mut self, word: &str, phones: &str) -> bool {
        let (word, phones) = (text(word), text(phones));
        // SAFETY: `raw` is live, the strings live through the call.
        unsafe { ffi::ps_add_word(self.raw.as_ptr(), word.as_ptr(), phones.as_ptr(), 0) >= 0 }
    }

    /// Adds a grammar in the text form of sphinxbase's FSG under a name, which it replaces.
    pub(super) fn add_grammar(&mut self, name: &str, grammar: &str) -> bool {
        self.rest();
        let name = text(name);
        // SAFETY: the buffer outlives the FILE that reads it, which is closed here; the decoder
        // counts its own reference to the model, ours is given back.
        unsafe {
            let buffer = grammar.as_ptr().cast_mut().cast();
            let file = ffi::fmemopen(buffer, grammar.len(), c"r".as_ptr());
            if file.is_null() {
                return false;
            }
            let math = ffi::ps_get_logmath(self.raw.as_ptr());
            let fsg = ffi::fsg_model_read(file, math, GRAMMAR_WEIGHT);
            ffi::fclose(file);
            if fsg.is_null() {
                return false;
            }
            let set = ffi::ps_set_fsg(self.raw.as_ptr(), name.as_ptr(), fsg) == 0;
            ffi::fsg_model_free(fsg);
            set
        }
    }

    /// Adds a search over phones with a phone language model.
    pub(super) fn add_phone_loop(&mut self, name: &str, model: &Path) -> bool {
        let (name, model) = (text(name), text(&model.to_string_lossy()));
        // SAFETY: `raw` is live, the strings live through the call.
        unsafe { ffi::ps_set_allphone_file(self.raw.as_ptr(), name.as_ptr(), model.as_ptr()) == 0 }
    }

    /// Adds a search with a word language model.
    pub(super) fn add_language(&mut self, name: &str, model: &Path) -> bool {
        let (name, model) = (text(name), text(&model.to_string_lossy()));
        // SAFETY: `raw` is live, the strings live through the call.
        unsafe { ffi::ps_set_lm_file(self.raw.as_ptr(), name.as_ptr(), model.as_ptr()) == 0 }
    }

    /// Makes a named search the one that runs.
    pub(super) fn choose(&mut self, name: &str) -> bool {
        self.rest();
        let name = text(name);
        // SAFETY: `raw` is live, the string lives through the call.
        unsafe { ffi::ps_set_search(self.raw.as_ptr(), name.as_ptr()) == 0 }
    }

    /// Drops a named search; not the one that runs.
    pub(super) fn forget(&mut self, name: &str) {
        let name = text(name);
        // SAFETY: as `choose`.
        unsafe { ffi::ps_unset_search(self.raw.as_ptr(), name.as_ptr()) };
    }

    /// Begins an utterance; one that was not ended is dropped.
    pub(super) fn start(&mut self) -> bool {
        self.rest();
        // SAFETY: `raw` is live. The stream is begun anew as its count of samples has 32 bits.
        self.is_listening = unsafe {
            ffi::ps_start_stream(self.raw.as_ptr()) >= 0
                && ffi::ps_start_utt(self.raw.as_ptr()) >= 0
        };
        self.is_listening
    }

    /// Drops an utterance that was not ended; no search can be changed in one.
    fn rest(&mut self) {
        if self.is_listening {
            self.end();
        }
    }

    /// Takes samples at the model's rate.
    pub(super) fn feed(&mut self, samples: &[i16], span: Span) -> bool {
        match span {
            Span::Whole => self.give(samples, span),
            // Some six seconds at once overrun the ring in which the library keeps features.
            Span::Part => samples.chunks(PART_MAX).all(|part| self.give(part, span)),
        }
    }

    fn give(&mut self, samples: &[i16], span: Span) -> bool {
        let full = c_int::from(span == Span::Whole);
        if span == Span::Whole {
            // The library forgets its own setting at the first part that it is fed, and would
            // normalize all that follows by the means of earlier utterances.
            // SAFETY: `raw` is live and so is its feature computation; the field is a plain int
            // that is read at the next block of samples.
            unsafe { (*ffi::ps_get_feat(self.raw.as_ptr())).cmn = ffi::CMN_BATCH };
        }
        // SAFETY: `raw` is live; the pointer and the count are of one slice.
        let frames = unsafe {
            ffi::ps_process_raw(self.raw.as_ptr(), samples.as_ptr(), samples.len(), 0, full)
        };
        frames >= 0
    }

    /// Ends the utterance.
    pub(super) fn end(&mut self) -> bool {
        self.is_listening = false;
        // SAFETY: `raw` is live.
        unsafe { ffi::ps_end_utt(self.raw.as_ptr()) >= 0 }
    }

    /// Whether there is a best path: after `end`, one through the whole grammar.
    pub(super) fn has_path(&mut self) -> bool {
        // SAFETY: `raw` is live, and a null score is allowed.
        unsafe { !ffi::ps_get_hyp(self.raw.as_ptr(), ptr::null_mut()).is_null() }
    }

    /// The best path so far.
    pub(super) fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        // SAFETY: the iterator is used up to its null, at which the library has freed it; the word
        // is a string of the dictionary and is copied before the next call.
        unsafe {
            let mut at = ffi::ps_seg_iter(self.raw.as_ptr());
            while !at.is_null() {
                let (mut first, mut last, mut acoustic, mut rest) = (0, 0, 0, 0);
                let mut backoff = 0;
                ffi::ps_seg_frames(at, &raw mut first, &raw mut last);
                ffi::ps_seg_prob(at, &raw mut acoustic, &raw mut rest, &raw mut backoff);
                let word = ffi::ps_seg_word(at);
                if !word.is_null() {
                    segments.push(Segment {
                        word: CStr::from_ptr(word).to_string_lossy().into_owned(),
                        first: first.max(0).cast_unsigned(),
                        last: last.max(0).cast_unsigned(),
                        acoustic: i64::from(acoustic),
                    });
                }
                at = ffi::ps_seg_next(at);
            }
        }
        // A path begins at frame 0; the library adds where its own VAD saw speech begin.
        let offset = segments.first().map_or(0, |segment| segment.first);
        for segment in &mut segments {
            segment.first = segment.first.saturating_sub(offset);
            segment.last = segment.last.saturating_sub(offset);
        }
        segments
    }
}

#[expect(unsafe_code, reason = "frees the C object")]
impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `raw` is live and nobody else's.
        unsafe { ffi::ps_free(self.raw.as_ptr()) };
    }
}

/// How much of the utterance the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// The next part of it; cepstral means are those known so far.
    Part,
    /// All of it at once; cepstral means are its own.
    Whole,
}

/// Samples that are given to the library as a part at once: half a second at 16 kHz.
const PART_MAX: usize = 8_000;

/// Weight of a grammar's arcs against sound; the library's own default for language models.
const GRAMMAR_WEIGHT: f32 = 6.5;

/// The string for C; what follows a NUL is dropped, as C would.
fn text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).expect("no NUL: cut at the first")
}
