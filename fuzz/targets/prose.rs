//! Text of a language model or a recognizer, on its way to a voice or to a flow: cut into what can
//! be said at once, freed of what cannot be said, figures to words. No word is lost or made up.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../src/conversation/answer/plain.rs"]
mod plain;

use cordboard_models::ears::written::{Figures, spoken};
use cordboard_models::voice::sentences;
use cordboard_models::voice::sentences::PIECE_MAX_CHARS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    cut(text);
    freed(text);
    for word in text.split_whitespace() {
        for figures in [Figures::OneByOne, Figures::Cardinal] {
            for said in spoken(word, figures) {
                assert!(!said.is_empty() && !said.contains(char::is_whitespace), "{said:?}");
                assert!(!said.contains(|it: char| it.is_ascii_digit()), "{said:?} of {word:?}");
            }
        }
    }
});

fn cut(text: &str) {
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let pieces = sentences(text);
    assert_eq!(bare(&pieces.concat()), bare(text), "nothing is left out");
    for piece in pieces {
        assert!(!piece.is_empty() && piece.trim() == piece);
        assert!(piece.chars().count() <= PIECE_MAX_CHARS);
    }
}

fn freed(text: &str) {
    let pieces = plain::pieces(text);
    for piece in &pieces {
        assert!(piece.chars().count() <= PIECE_MAX_CHARS);
        assert!(piece.chars().any(char::is_alphanumeric));
        assert!(!piece.contains(['<', '>', '`', '*', '_', '{', '}', '\n']), "{piece:?}");
        let address = |word: &str| {
            let bare = word.trim_start_matches(|it: char| !it.is_alphanumeric());
            bare.contains("://") || bare.starts_with("www.")
        };
        assert!(!piece.split(' ').any(address), "{piece:?}");
        let lasting = plain::length(piece);
        assert!((1..=PIECE_MAX_CHARS as u32).contains(&lasting), "{piece:?}");
        if plain::folded(piece).split(' ').count() >= 8 {
            assert!(plain::quotes(piece, &pieces.join(" ")), "a quotation is found");
        }
    }
}
