//! The few functions of Debian's libflite 2.2 that the voice needs, behind two safe types.
//!
//! Declared by hand after `/usr/include/flite/*.h`. Nothing of flite's text input, files or audio
//! output is here: tokens go in, a waveform and segment times come out.
//!
//! # Threads
//! Global in flite: the registered voices and the lexicon, both filled at a voice's registration
//! without a lock. Registration is therefore under one of ours, once a voice. After it they are
//! only read: an utterance *links* the voice's features (`feat_link_into`) instead of copying
//! them, so that the reference counts, which are not atomic, are each utterance's own. Many
//! utterances may thus be spoken at once.
//!
//! # Faults
//! Inside flite a value of the wrong type ends the process (`cst_error`), so every feature is
//! asked for with `item_feat_present` first, and tokens are plain ASCII (`voice::words`).
#![expect(unsafe_code, reason = "libflite is a C library")]

use std::ffi::{CString, c_char, c_float, c_int, c_short};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::voice::words::Token;

/// `cst_item`, opaque.
#[repr(C)]
struct Item {
    _opaque: [u8; 0],
}

/// `cst_features`, opaque.
#[repr(C)]
struct Features {
    _opaque: [u8; 0],
}

/// `cst_relation`, opaque.
#[repr(C)]
struct Relation {
    _opaque: [u8; 0],
}

/// The head of `cst_utterance`; only ever made by flite.
#[repr(C)]
struct UtteranceHead {
    features: *mut Features,
}

/// The head of `cst_voice`; only ever made by flite.
#[repr(C)]
struct VoiceHead {
    name: *const c_char,
    features: *mut Features,
}

/// `cst_wave`.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const c_short,
}

type Synthesis = unsafe extern "C" fn(*mut UtteranceHead) -> *mut UtteranceHead;

unsafe extern "C" {
    fn flite_init() -> c_int;
    fn register_cmu_us_slt(folder: *const c_char) -> *mut VoiceHead;
    fn register_cmu_us_rms(folder: *const c_char) -> *mut VoiceHead;
    fn register_cmu_us_awb(folder: *const c_char) -> *mut VoiceHead;
    fn register_cmu_us_kal16(folder: *const c_char) -> *mut VoiceHead;

    fn new_utterance() -> *mut UtteranceHead;
    fn delete_utterance(utterance: *mut UtteranceHead);
    fn flite_do_synth(
        utterance: *mut UtteranceHead,
        voice: *mut VoiceHead,
        synthesis: Synthesis,
    ) -> *mut UtteranceHead;
    fn utt_synth_tokens(utterance: *mut UtteranceHead) -> *mut UtteranceHead;
    fn utt_wave(utterance: *mut UtteranceHead) -> *const Wave;

    fn get_param_float(features: *const Features, name: *const c_char, or: c_float) -> c_float;
    fn feat_set_float(features: *mut Features, name: *const c_char, value: c_float);

    fn utt_relation(utterance: *const UtteranceHead, name: *const c_char) -> *mut Relation;
    fn utt_relation_create(utterance: *mut UtteranceHead, name: *const c_char) -> *mut Relation;
    fn utt_relation_present(utterance: *mut UtteranceHead, name: *const c_char) -> c_int;
    fn relation_head(relation: *mut Relation) -> *mut Item;
    fn relation_tail(relation: *mut Relation) -> *mut Item;
    fn relation_append(relation: *mut Relation, item: *mut Item) -> *mut Item;

    fn item_as(item: *const Item, relation: *const c_char) -> *mut Item;
    fn item_next(item: *const Item) -> *mut Item;
    fn item_prev(item: *const Item) -> *mut Item;
    fn item_daughter(item: *const Item) -> *mut Item;
    fn item_last_daughter(item: *const Item) -> *mut Item;
    fn item_feat_present(item: *const Item, name: *const c_char) -> c_int;
    fn item_feat_float(item: *const Item, name: *const c_char) -> c_float;
    fn item_set_string(item: *mut Item, name: *const c_char, value: *const c_char);
}

/// One of the voices that are linked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VoiceName {
    Slt,
    Rms,
    Awb,
    Kal16,
}

/// A registered voice; flite keeps it to the end of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice(NonNull<VoiceHead>);

// SAFETY: after its registration a voice is only read, see "Threads" above.
unsafe impl Send for Voice {}
// SAFETY: as above.
unsafe impl Sync for Voice {}

impl Voice {
    /// Registers the voice, or finds it where it is registered; `None` where flite has no memory.
    pub(super) fn register(name: VoiceName) -> Option<Self> {
        static REGISTRATION: Mutex<()> = Mutex::new(());
        let _one_at_a_time = REGISTRATION.lock().unwrap_or_else(PoisonError::into_inner);
        let register = match name {
            VoiceName::Slt => register_cmu_us_slt,
            VoiceName::Rms => register_cmu_us_rms,
            VoiceName::Awb => register_cmu_us_awb,
            VoiceName::Kal16 => register_cmu_us_kal16,
        };
        // SAFETY: under the lock, as both write flite's globals. A second registration gives the
        // first one's voice again. A null folder means the voice that is linked in.
        unsafe {
            flite_init();
            NonNull::new(register(std::ptr::null())).map(Self)
        }
    }

    /// Speaks the tokens; `None` where flite gave up or gave no sound.
    pub(super) fn speak(&self, tokens: &[&Token], stretch: f32) -> Option<Utterance> {
        // SAFETY: the utterance is ours alone; the voice outlives it; flite copies the strings
        // of values and keeps only the names of features, which are static. `flite_do_synth`
        // deletes the utterance itself where it gives null.
        unsafe {
            let voice = self.0.as_ptr();
            let raw = NonNull::new(new_utterance())?.as_ptr();
            let relation = utt_relation_create(raw, c"Token".as_ptr());
            for token in tokens {
                append(relation, token);
            }
            let usual = get_param_float((*voice).features, c"duration_stretch".as_ptr(), 1.0);
            feat_set_float((*raw).features, c"duration_stretch".as_ptr(), usual * stretch);
            let spoken = NonNull::new(flite_do_synth(raw, voice, utt_synth_tokens))?;
            Some(Utterance { raw: spoken, not_shared: PhantomData })
        }
    }
}

/// Appends a token to the relation.
///
/// # Safety
/// The relation is that of a living utterance that nobody else uses.
unsafe fn append(relation: *mut Relation, token: &Token) {
    let text = |value: &str| CString::new(value).unwrap_or_default();
    // SAFETY: the item belongs to the relation; the strings live through the calls.
    unsafe {
        let item = relation_append(relation, std::ptr::null_mut());
        item_set_string(item, c"name".as_ptr(), text(&token.name).as_ptr());
        item_set_string(item, c"whitespace".as_ptr(), c" ".as_ptr());
        item_set_string(item, c"prepunctuation".as_ptr(), c"".as_ptr());
        item_set_string(item, c"punc".as_ptr(), text(token.pause.punctuation()).as_ptr());
    }
}

/// A stretch of an utterance, seconds from its first sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) begin_s: f32,
    pub(super) end_s: f32,
}

/// An utterance that has been spoken.
#[derive(Debug)]
pub(super) struct Utterance {
    raw: NonNull<UtteranceHead>,
    not_shared: PhantomData<*mut ()>,
}

impl Utterance {
    /// Rate of the sound, Hz, and its samples, mono.
    pub(super) fn sound(&self) -> Option<(u32, &[i16])> {
        // SAFETY: a wave, where there is one, is the utterance's own and lives as long.
        unsafe {
            let wave = utt_wave(self.raw.as_ptr()).as_ref()?;
            let rate_hz = u32::try_from(wave.sample_rate).ok()?;
            let count = usize::try_from(wave.num_samples).ok()?;
            if wave.samples.is_null() || wave.num_channels != 1 || count == 0 {
                return None;
            }
            Some((rate_hz, std::slice::from_raw_parts(wave.samples, count)))
        }
    }

    /// Where flite ends its last segment, seconds.
    pub(super) fn end_s(&self) -> Option<f32> {
        // SAFETY: the utterance lives, and its relation is asked for only where it is there.
        unsafe {
            let raw = self.raw.as_ptr();
            if utt_relation_present(raw, c"Segment".as_ptr()) == 0 {
                return None;
            }
            end_s(relation_tail(utt_relation(raw, c"Segment".as_ptr())))
        }
    }

    /// Each token's stretch over all words that it became; `None` for one that has no sound.
    pub(super) fn spans(&self) -> Vec<Option<Span>> {
        let mut spans = Vec::new();
        // SAFETY: the utterance lives; items are only read and belong to it.
        unsafe {
            let relation = utt_relation(self.raw.as_ptr(), c"Token".as_ptr());
            let mut token = relation_head(relation);
            while !token.is_null() {
                spans.push(token_span(token));
                token = item_next(token);
            }
        }
        spans
    }
}

impl Drop for Utterance {
    fn drop(&mut self) {
        // SAFETY: made by flite, deleted once; the linked features of the voice stay.
        unsafe { delete_utterance(self.raw.as_ptr()) }
    }
}

/// From the first segment's begin of the token's words to the last one's end.
///
/// # Safety
/// The item is one of a living utterance's `Token` relation.
unsafe fn token_span(token: *const Item) -> Option<Span> {
    let mut whole: Option<Span> = None;
    // SAFETY: as the caller has it; flite's walks give null at an end.
    unsafe {
        let mut word = item_daughter(token);
        while !word.is_null() {
            if let Some(span) = word_span(word) {
                let begin_s = whole.map_or(span.begin_s, |so_far| so_far.begin_s);
                whole = Some(Span { begin_s, end_s: span.end_s });
            }
            word = item_next(word);
        }
    }
    whole
}

/// # Safety
/// The item is a word of a living utterance.
unsafe fn word_span(word: *const Item) -> Option<Span> {
    // SAFETY: as the caller has it; every step is checked for null before the next.
    unsafe {
        let word = item_as(word, c"SylStructure".as_ptr());
        let first = segment(word, item_daughter)?;
        let last = segment(word, item_last_daughter)?;
        Some(Span { begin_s: end_s(item_prev(first)).unwrap_or(0.0), end_s: end_s(last)? })
    }
}

/// The first or last segment of a word's syllables.
///
/// # Safety
/// The item is null or one of the `SylStructure` relation of a living utterance.
unsafe fn segment(
    word: *const Item,
    step: unsafe extern "C" fn(*const Item) -> *mut Item,
) -> Option<*const Item> {
    // SAFETY: as the caller has it.
    unsafe {
        let syllable =
            NonNull::new(word.cast_mut()).and_then(|w| NonNull::new(step(w.as_ptr())))?;
        let in_syllable = NonNull::new(step(syllable.as_ptr()))?;
        let segment = NonNull::new(item_as(in_syllable.as_ptr(), c"Segment".as_ptr()))?;
        Some(segment.as_ptr().cast_const())
    }
}

/// The end of a segment, where it has one.
///
/// # Safety
/// The item is null or a segment of a living utterance.
unsafe fn end_s(segment: *const Item) -> Option<f32> {
    // SAFETY: as the caller has it; a feature is read only where it is present.
    unsafe {
        if segment.is_null() || item_feat_present(segment, c"end".as_ptr()) == 0 {
            return None;
        }
        Some(item_feat_float(segment, c"end".as_ptr()))
    }
}
