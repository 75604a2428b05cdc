//! The functions of libpocketsphinx and libsphinxbase 0.8+5prealpha that the ears use, declared by
//! hand from `/usr/include/pocketsphinx/*.h` and `sphinxbase/{cmd_ln,err,fsg_model}.h`.
//!
//! Deliberately absent: every safe thought; `decoder` has those.

use std::ffi::{c_char, c_double, c_int, c_long, c_void};

/// `ps_decoder_t`.
#[repr(C)]
pub(super) struct PsDecoder {
    _opaque: [u8; 0],
}

/// `cmd_ln_t`: the settings of a decoder.
#[repr(C)]
pub(super) struct Settings {
    _opaque: [u8; 0],
}

/// `ps_seg_t`: an iterator over the words of the best path.
#[repr(C)]
pub(super) struct PsSegments {
    _opaque: [u8; 0],
}

/// `fsg_model_t`: a finite-state grammar.
#[repr(C)]
pub(super) struct FsgModel {
    _opaque: [u8; 0],
}

/// The head of `feat_t` (`sphinxbase/feat.h`), up to the kind of mean normalization.
#[repr(C)]
pub(super) struct Features {
    _refcount: c_int,
    _name: *mut c_char,
    _cepsize: i32,
    _n_stream: i32,
    _stream_len: *mut u32,
    _window_size: i32,
    _n_sv: i32,
    _sv_len: *mut u32,
    _subvecs: *mut *mut i32,
    _sv_buf: *mut c_void,
    _sv_dim: i32,
    /// `cmn_type_t`.
    pub(super) cmn: c_int,
}

/// `CMN_BATCH`: means over the whole utterance.
pub(super) const CMN_BATCH: c_int = 1;

/// libc's `FILE`.
#[repr(C)]
pub(super) struct File {
    _opaque: [u8; 0],
}

#[expect(unsafe_code, reason = "declares the C interface of PocketSphinx")]
unsafe extern "C" {
    pub(super) fn fmemopen(buffer: *mut c_void, size: usize, mode: *const c_char) -> *mut File;
    pub(super) fn fclose(file: *mut File) -> c_int;

    pub(super) fn err_set_logfp(file: *mut File);
    pub(super) fn cmd_ln_init(
        old: *mut Settings,
        of: *const c_void,
        strict: i32,
        ...
    ) -> *mut Settings;
    pub(super) fn cmd_ln_free_r(settings: *mut Settings) -> c_int;
    pub(super) fn cmd_ln_set_str_r(to: *mut Settings, name: *const c_char, value: *const c_char);
    pub(super) fn cmd_ln_set_int_r(to: *mut Settings, name: *const c_char, value: c_long);
    pub(super) fn cmd_ln_set_float_r(to: *mut Settings, name: *const c_char, value: c_double);

    pub(super) fn fsg_model_read(text: *mut File, math: *mut c_void, weight: f32) -> *mut FsgModel;
    pub(super) fn fsg_model_free(fsg: *mut FsgModel) -> c_int;

    pub(super) fn ps_args() -> *const c_void;
    pub(super) fn ps_init(settings: *mut Settings) -> *mut PsDecoder;
    pub(super) fn ps_free(ps: *mut PsDecoder) -> c_int;
    pub(super) fn ps_get_feat(ps: *mut PsDecoder) -> *mut Features;
    pub(super) fn ps_get_logmath(ps: *mut PsDecoder) -> *mut c_void;
    pub(super) fn ps_add_word(
        ps: *mut PsDecoder,
        word: *const c_char,
        phones: *const c_char,
        update: c_int,
    ) -> c_int;
    pub(super) fn ps_set_fsg(ps: *mut PsDecoder, name: *const c_char, fsg: *mut FsgModel) -> c_int;
    pub(super) fn ps_set_allphone_file(
        ps: *mut PsDecoder,
        name: *const c_char,
        path: *const c_char,
    ) -> c_int;
    pub(super) fn ps_set_lm_file(
        ps: *mut PsDecoder,
        name: *const c_char,
        path: *const c_char,
    ) -> c_int;
    pub(super) fn ps_set_search(ps: *mut PsDecoder, name: *const c_char) -> c_int;
    pub(super) fn ps_unset_search(ps: *mut PsDecoder, name: *const c_char) -> c_int;
    pub(super) fn ps_start_stream(ps: *mut PsDecoder) -> c_int;
    pub(super) fn ps_start_utt(ps: *mut PsDecoder) -> c_int;
    pub(super) fn ps_process_raw(
        ps: *mut PsDecoder,
        samples: *const i16,
        count: usize,
        no_search: c_int,
        full_utterance: c_int,
    ) -> c_int;
    pub(super) fn ps_end_utt(ps: *mut PsDecoder) -> c_int;
    pub(super) fn ps_get_hyp(ps: *mut PsDecoder, score: *mut i32) -> *const c_char;
    pub(super) fn ps_seg_iter(ps: *mut PsDecoder) -> *mut PsSegments;
    pub(super) fn ps_seg_next(at: *mut PsSegments) -> *mut PsSegments;
    pub(super) fn ps_seg_word(at: *mut PsSegments) -> *const c_char;
    pub(super) fn ps_seg_frames(at: *mut PsSegments, first: *mut c_int, last: *mut c_int);
    pub(super) fn ps_seg_prob(
        at: *mut PsSegments,
        acoustic: *mut i32,
        language: *mut i32,
        backoff: *mut i32,
    ) -> i32;
}
