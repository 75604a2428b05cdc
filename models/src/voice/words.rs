//! The words of a text as written, and what of each goes to the engine.
//!
//! Pure. A written word is a stretch between white spaces that has a letter, a figure or a sign
//! that is spoken; it becomes no, one or several tokens, each of plain ASCII that flite is known to
//! take, so that whatever a flow, a tool or a caller wrote cannot upset the C library. Flite
//! itself expands figures, dates of the day and abbreviations. Deliberately absent: a
//! pronouncing lexicon, any language but English.

/// What follows a token, as flite's phrasing reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pause {
    #[default]
    None,
    Comma,
    Stop,
    Exclamation,
    Question,
}

impl Pause {
    /// The mark that flite knows.
    pub(super) const fn punctuation(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Comma => ",",
            Self::Stop => ".",
            Self::Exclamation => "!",
            Self::Question => "?",
        }
    }

    const fn of(mark: char) -> Self {
        match mark {
            ',' | ';' | ':' | ')' | ']' => Self::Comma,
            '.' => Self::Stop,
            '!' => Self::Exclamation,
            '?' => Self::Question,
            _ => Self::None,
        }
    }
}

/// A token as the engine takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    /// ASCII letters, figures, and within them `' . , : - $`.
    pub(super) name: String,
    /// What follows it.
    pub(super) pause: Pause,
}

/// A word of the text as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// The word with the punctuation that sticks to it.
    pub(super) text: &'a str,
    /// What is spoken for it; empty where the voice has no sound for it.
    pub(super) tokens: Vec<Token>,
}

/// The most characters of one token; what is longer is not a word and is spoken in pieces.
const TOKEN_MAX_CHARS: usize = 30;

/// The words of a sentence, in order.
///
/// A dash or an emoji that stands alone is no word; letters of which the voice knows none are one
/// without tokens.
pub(super) fn written_words(sentence: &str) -> Vec<Written<'_>> {
    let mut words: Vec<Written<'_>> = Vec::new();
    for chunk in sentence.split_whitespace() {
        let tokens = Scan::of(chunk).tokens();
        if tokens.is_empty() && !chunk.chars().any(char::is_alphanumeric) {
            // A dash or the like that stands alone: a pause after the word before it.
            let pause = chunk.chars().map(|c| Pause::of(plain_mark(c))).max();
            if let Some(last) = words.last_mut().and_then(|word| word.tokens.last_mut()) {
                last.pause = last.pause.max(pause.unwrap_or_default());
            }
            continue;
        }
        if let Some(last) = words.last_mut() {
            abbreviate(last, chunk);
        }
        words.push(Written { text: chunk, tokens });
    }
    words
}

/// A full stop within a sentence is an abbreviation's and no pause; "No. 5" is a number.
fn abbreviate(word: &mut Written<'_>, next: &str) {
    let abbreviated = word.text.ends_with('.') && !word.text.ends_with("..");
    let Some(last) = word.tokens.last_mut().filter(|_| abbreviated) else { return };
    last.pause = Pause::None;
    if last.name.eq_ignore_ascii_case("no") && next.starts_with(|c: char| c.is_ascii_digit()) {
        "number".clone_into(&mut last.name);
    }
}

/// A dash between words reads as a comma.
const fn plain_mark(c: char) -> char {
    match c {
        '—' | '–' | '-' | ';' | ':' => ',',
        '…' => '.',
        other => other,
    }
}

/// One chunk being cut into tokens.
struct Scan {
    chars: Vec<char>,
    piece: String,
    /// "pounds" or "euros", after the amount that follows the sign.
    currency: Option<&'static str>,
    tokens: Vec<Token>,
}

impl Scan {
    fn of(chunk: &str) -> Self {
        let mut plain = String::new();
        for c in chunk.chars() {
            fold(c, &mut plain);
        }
        let chars = plain.chars().collect();
        Self { chars, piece: String::new(), currency: None, tokens: Vec::new() }
    }

    fn tokens(mut self) -> Vec<Token> {
        for at in 0..self.chars.len() {
            self.take(at);
        }
        self.flush();
        self.tokens
    }

    fn take(&mut self, at: usize) {
        let c = self.chars[at];
        let before = at.checked_sub(1).map_or(' ', |index| self.chars[index]);
        let after = self.chars.get(at + 1).copied().unwrap_or(' ');
        let between = |is: fn(&char) -> bool| is(&before) && is(&after);
        match c {
            _ if c.is_ascii_alphanumeric() => self.push(c),
            '\'' if between(char::is_ascii_alphabetic) && !self.piece.is_empty() => self.push(c),
            ',' | ':' | '-' if between(char::is_ascii_digit) => self.push(c),
            '.' => self.full_stop(before, after, self.chars.get(at + 2).copied()),
            '$' if self.piece.is_empty() && after.is_ascii_digit() => self.push(c),
            '£' if after.is_ascii_digit() => self.amount("pounds"),
            '€' if after.is_ascii_digit() => self.amount("euros"),
            '-' if self.tokens.is_empty() && self.piece.is_empty() && after.is_ascii_digit() => {
                self.word("minus");
            }
            '#' if after.is_ascii_digit() => self.word("number"),
            _ => match spoken_sign(c) {
                Some(word) => self.word(word),
                None => self.pause(Pause::of(c)),
            },
        }
    }

    fn full_stop(&mut self, before: char, after: char, then: Option<char>) {
        if before.is_ascii_digit() && after.is_ascii_digit() {
            self.push('.');
        } else if before.is_ascii_alphabetic() && after.is_ascii_alphabetic() {
            let one_letter_after = !then.is_some_and(|c| c.is_ascii_alphanumeric());
            if one_letter_after && self.is_dotted_or_initial() {
                self.push('.');
            } else {
                self.word("dot");
            }
        } else {
            self.pause(Pause::Stop);
        }
    }

    /// Whether the piece is "a" or "a.b" so far, as the abbreviations "a.m." and "U.S.A." begin.
    fn is_dotted_or_initial(&self) -> bool {
        let single = |part: &str| part.len() == 1 && part.chars().all(|c| c.is_ascii_alphabetic());
        self.piece.split('.').all(single)
    }

    fn amount(&mut self, currency: &'static str) {
        self.flush();
        self.currency = Some(currency);
    }

    fn word(&mut self, word: &str) {
        self.flush();
        self.tokens.push(Token { name: word.to_owned(), pause: Pause::None });
    }

    fn pause(&mut self, pause: Pause) {
        self.flush();
        if let Some(last) = self.tokens.last_mut() {
            last.pause = last.pause.max(pause);
        }
    }

    fn push(&mut self, c: char) {
        self.piece.push(c);
        if self.piece.len() >= TOKEN_MAX_CHARS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let name = std::mem::take(&mut self.piece);
        let name = name.trim_end_matches([',', ':', '-', '.', '\'', '$']);
        if name.is_empty() {
            return;
        }
        let plain = |name: &str| Token { name: name.to_owned(), pause: Pause::None };
        let Some(currency) = self.currency.take() else {
            self.tokens.push(plain(name));
            return;
        };
        match name.split_once('.') {
            Some((whole, cents)) => {
                self.tokens.extend([plain(whole), plain(currency)]);
                let cents = cents.trim_start_matches('0');
                if !cents.is_empty() {
                    self.tokens.push(plain(cents));
                }
            }
            None => self.tokens.extend([plain(name), plain(currency)]),
        }
    }
}

/// Signs that are spoken.
const fn spoken_sign(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("and"),
        '@' => Some("at"),
        '%' => Some("percent"),
        '+' => Some("plus"),
        '=' => Some("equals"),
        '$' => Some("dollars"),
        '£' => Some("pounds"),
        '€' => Some("euros"),
        '°' => Some("degrees"),
        _ => None,
    }
}

/// Writes the nearest plain characters; what has none is left out.
fn fold(c: char, plain: &mut String) {
    let near = match c {
        _ if c.is_ascii_graphic() || matches!(c, '£' | '€' | '°') => {
            plain.push(c);
            return;
        }
        '’' | '‘' | 'ʼ' | '′' => "'",
        '–' | '‐' | '‑' | '−' => "-",
        '—' => ",",
        '…' => ".",
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'æ' => "ae",
        'Æ' => "Ae",
        'ç' | 'ć' | 'č' => "c",
        'Ç' | 'Ć' | 'Č' => "C",
        'ď' | 'đ' | 'ð' => "d",
        'Ď' | 'Đ' | 'Ð' => "D",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ğ' => "g",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'Ì'..='Ï' | 'Ī' | 'İ' => "I",
        'ł' | 'ľ' => "l",
        'Ł' => "L",
        'ñ' | 'ń' | 'ň' => "n",
        'Ñ' | 'Ń' => "N",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "O",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'Þ' => "Th",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' => "Y",
        'ź' | 'ż' | 'ž' => "z",
        'Ź' | 'Ż' | 'Ž' => "Z",
        _ => "",
    };
    plain.push_str(near);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of a text, each with its mark, words apart by " | ".
    fn spoken(text: &str) -> String {
        let word = |w: &Written<'_>| {
            let token = |t: &Token| format!("{}{}", t.name, t.pause.punctuation());
            w.tokens.iter().map(token).collect::<Vec<_>>().join(" ")
        };
        written_words(text).iter().map(word).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn written_words_become_tokens_that_flite_takes() {
        let table = [
            ("Hello, world.", "Hello, | world."),
            ("It's the customers' order.", "It's | the | customers | order."),
            ("\u{201c}Really?!\u{201d} he said", "Really? | he | said"),
            ("Your order is 1 2 3.", "Your | order | is | 1 | 2 | 3."),
            ("by 6:30 p.m. today", "by | 6:30 | p.m | today"),
            ("Dr. No said No. 5 is it.", "Dr | No | said | number | 5 | is | it."),
            ("1,234.50 of 3.5%", "1,234.50 | of | 3.5 percent"),
            ("$12.50 or £12.50 or €7.00", "$12.50 | or | 12 pounds 50 | or | 7 euros"),
            ("R&D at a@b.example.com", "R and D | at | a at b dot example dot com"),
            ("and/or twenty-one", "and or | twenty one"),
            ("café Zürich naïve", "cafe | Zurich | naive"),
            ("yes — no", "yes, | no"),
            ("yes—no", "yes, no"),
            ("call 555-1234", "call | 555-1234"),
            ("-5 degrees", "minus 5 | degrees"),
            ("#7 (seven)", "number 7 | seven,"),
            ("snake_case <b>bold</b>", "snake case | b bold b"),
        ];
        for (text, expected) in table {
            assert_eq!(spoken(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_sound_is_no_word_unless_it_has_letters() {
        assert_eq!(written_words("😀 -- !? \u{7}\u{0}"), []);
        let words = written_words("ok 😀 привет");
        let texts: Vec<_> = words.iter().map(|w| (w.text, w.tokens.len())).collect();
        assert_eq!(texts, [("ok", 1), ("привет", 0)]);
    }

    #[test]
    fn a_word_of_no_end_is_cut_into_pieces() {
        let words = format!("{} {}", "a".repeat(1_000), "9".repeat(500));
        for word in written_words(&words) {
            assert!(word.tokens.len() > 10);
            assert!(word.tokens.iter().all(|t| t.name.len() <= TOKEN_MAX_CHARS));
        }
    }

    proptest::proptest! {
        #[test]
        fn tokens_are_plain_whatever_was_written(text in "\\PC{0,80}|[ -~\\s]{0,80}") {
            for word in written_words(&text) {
                assert!(text.contains(word.text));
                for token in &word.tokens {
                    assert!(!token.name.is_empty() && token.name.len() <= TOKEN_MAX_CHARS);
                    let plain = |c: char| c.is_ascii_alphanumeric() || "'.,:-$".contains(c);
                    assert!(token.name.chars().all(plain), "{token:?}");
                    let first = |c: char| c.is_ascii_alphanumeric() || c == '$';
                    assert!(token.name.starts_with(first), "{token:?}");
                }
            }
        }
    }
}
