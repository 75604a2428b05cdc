//! Cuts a text into sentences, so that the first can be played while the next is made.
//!
//! Pure. Rules are those of English prose as prompts and answers have it: a full stop after an
//! abbreviation or an initial ends nothing. Deliberately absent: any other language's rules.

/// The most characters of one piece; a longer sentence is cut at a comma or a space.
///
/// 240 characters are about 15 s of speech, which flite makes in well under a second.
pub const PIECE_MAX_CHARS: usize = 240;

/// Abbreviations whose full stop ends no sentence, lower case, without that stop.
const ABBREVIATIONS: [&str; 16] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "approx", "e.g", "i.e", "jr", "sr", "inc",
    "ltd", "co",
];

/// Cuts a text into sentences: slices of it in order, trimmed, none empty, that leave out nothing
/// but white space.
///
/// ```
/// use cordboard_models::voice::sentences;
/// let pieces = sentences("It is out for delivery. Expect it by 6 p.m. today! Anything else?");
/// assert_eq!(pieces.len(), 3);
/// assert_eq!(pieces[1], "Expect it by 6 p.m. today!");
/// ```
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (sentence, after) = rest.split_at(sentence_end(rest));
        split_long(sentence.trim(), &mut pieces);
        rest = after.trim_start();
    }
    pieces
}

/// Byte offset just after the first sentence.
fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\n' {
            return at;
        }
        if !is_stop(c) {
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some(&(next_at, next)) = chars.peek() {
            if !is_stop(next) && !is_closing(next) {
                break;
            }
            end = next_at + next.len_utf8();
            chars.next();
        }
        let after = &text[end..];
        if after.is_empty() {
            return end;
        }
        let single_stop = &text[at..end] == ".";
        let broken = after.starts_with(char::is_whitespace);
        if broken && !(single_stop && continues(&text[..at], after.trim_start())) {
            return end;
        }
    }
    text.len()
}

/// Whether a single full stop between these two is no sentence's end.
fn continues(before: &str, after: &str) -> bool {
    let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let last = last.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = last.to_lowercase();
    if ABBREVIATIONS.contains(&lower.as_str()) {
        return true;
    }
    let goes_on = after.starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit());
    let initial = last.chars().count() == 1 && last.chars().all(char::is_uppercase) && last != "I";
    // "6 p.m. today" goes on, "by 6 p.m. We" does not; "No. 5" goes on.
    let dotted = lower.contains('.') && lower.split('.').all(|part| part.chars().count() == 1);
    initial || ((dotted || lower == "no") && goes_on)
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»')
}

/// Cuts a sentence that is too long, at the last comma, else space, else anywhere.
fn split_long<'a>(sentence: &'a str, pieces: &mut Vec<&'a str>) {
    let mut rest = sentence;
    while let Some((limit, _)) = rest.char_indices().nth(PIECE_MAX_CHARS) {
        let head = &rest[..limit];
        let after_break = |found: fn(char) -> bool| {
            let next_of = |(at, c): (usize, char)| at + c.len_utf8();
            head.char_indices().rev().find(|&(at, c)| at > 0 && found(c)).map(next_of)
        };
        let cut = after_break(|c| matches!(c, ',' | ';' | ':'))
            .filter(|&at| rest[at..].starts_with(char::is_whitespace))
            .or_else(|| after_break(char::is_whitespace))
            .unwrap_or(limit);
        let (piece, after) = rest.split_at(cut);
        push(piece, pieces);
        rest = after.trim_start();
    }
    push(rest, pieces);
}

fn push<'a>(piece: &'a str, pieces: &mut Vec<&'a str>) {
    let piece = piece.trim();
    if !piece.is_empty() {
        pieces.push(piece);
    }
}
