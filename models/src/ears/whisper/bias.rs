//! What is expected, as a bias on the next token: the characters that Whisper may write next if
//! the caller says what the grammar has.
//!
//! whisper.cpp has grammars of its own, but whisper-rs 0.16 hands them over as a flat list where a
//! list of pointers is read, which reads wild memory. This one runs in the filter of logits, and is
//! soft: what is expected gains, and what is not can still be heard and is then rejected. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::ears::grammar::Net;

/// Below this many arcs a grammar is followed; a token costs up to a pass over all that begin.
const ARCS_MAX: usize = 6_000;

/// The tokens of a vocabulary by their characters.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    nodes: Vec<Node>,
    texts: Vec<Box<[u8]>>,
}

#[derive(Debug, Default)]
struct Node {
    next: BTreeMap<u8, u32>,
    token: Option<u32>,
}

impl Tokens {
    /// Takes the bytes of token 0, 1, 2 and so on.
    pub(super) fn new(texts: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut tokens = Self { nodes: vec![Node::default()], texts: Vec::new() };
        for (id, text) in (0..).zip(texts) {
            let mut at = 0;
            for &byte in &text {
                let next = u32::try_from(tokens.nodes.len()).expect("some 10^5 of them");
                let entry = *tokens.nodes[at].next.entry(byte).or_insert(next);
                if entry == next {
                    tokens.nodes.push(Node::default());
                }
                at = entry as usize;
            }
            if !text.is_empty() {
                tokens.nodes[at].token = Some(id);
            }
            tokens.texts.push(text.into());
        }
        tokens
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The bytes of a token.
    pub(super) fn text(&self, token: usize) -> &[u8] {
        self.texts.get(token).map_or(&[], |text| text)
    }
}

/// Where in the grammar a reading may be: a state, and how much of which word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    state: u32,
    /// The arc that is being written, and its next character; none between words.
    arc: Option<(u32, u16)>,
}

/// A grammar as it is written.
#[derive(Debug)]
pub(super) struct Bias {
    /// Of each state the arcs that leave it: the spelling, and where it leads.
    leaving: Vec<Vec<u32>>,
    arcs: Vec<(Box<[u8]>, u32)>,
    last: u32,
}

impl Bias {
    /// Makes it of a net; none where anything may be said, or the net is too large.
    pub(super) fn new(net: &Net) -> Option<Self> {
        if net.has_phones() || net.arcs() > ARCS_MAX {
            return None;
        }
        let mut bias = Self {
            leaving: vec![Vec::new(); net.last_state() as usize + 1],
            arcs: Vec::new(),
            last: net.last_state(),
        };
        for (from, to, word) in net.steps() {
            for written in [Some(word), figure(word)].into_iter().flatten() {
                let arc = u32::try_from(bias.arcs.len()).expect("below 2 * ARCS_MAX");
                bias.leaving[from as usize].push(arc);
                bias.arcs.push((written.as_bytes().into(), to));
            }
        }
        Some(bias)
    }

    /// The tokens that may follow what is written so far; none where that has left the grammar.
    pub(super) fn allowed(&self, tokens: &Tokens, written: &[u8]) -> Option<Allowed> {
        let mut places = BTreeSet::from([Place { state: 0, arc: None }]);
        for &byte in written {
            places = self.step(&places, byte);
        }
        if places.is_empty() {
            return None;
        }
        let may_end = places.iter().any(|place| place.arc.is_none() && place.state == self.last);
        let mut allowed = Allowed { tokens: Vec::new(), may_end };
        self.descend(tokens, 0, &places, &mut allowed.tokens);
        Some(allowed)
    }

    fn descend(&self, tokens: &Tokens, node: u32, places: &BTreeSet<Place>, into: &mut Vec<u32>) {
        let node = &tokens.nodes[node as usize];
        into.extend(node.token);
        for (&byte, &next) in &node.next {
            let reached = self.step(places, byte);
            if !reached.is_empty() {
                self.descend(tokens, next, &reached, into);
            }
        }
    }

    fn step(&self, places: &BTreeSet<Place>, byte: u8) -> BTreeSet<Place> {
        let mut reached = BTreeSet::new();
        for &place in places {
            match place.arc {
                None if matches!(byte, b' ' | b',' | b'.' | b'-' | b'?' | b'!') => {
                    reached.insert(place);
                }
                None => {
                    for &arc in &self.leaving[place.state as usize] {
                        self.follow(arc, 0, byte, place.state, &mut reached);
                    }
                }
                Some((arc, at)) => self.follow(arc, at, byte, place.state, &mut reached),
            }
        }
        reached
    }

    fn follow(&self, arc: u32, at: u16, byte: u8, from: u32, reached: &mut BTreeSet<Place>) {
        let (word, to) = &self.arcs[arc as usize];
        if word.get(usize::from(at)) != Some(&byte.to_ascii_lowercase()) {
            return;
        }
        reached.insert(if usize::from(at) + 1 == word.len() {
            Place { state: *to, arc: None }
        } else {
            Place { state: from, arc: Some((arc, at + 1)) }
        });
    }
}

/// What may be written next.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Tokens that stay within the grammar.
    pub(super) tokens: Vec<u32>,
    /// Whether the utterance may end here.
    pub(super) may_end: bool,
}

/// A digit as Whisper writes it.
fn figure(word: &str) -> Option<&'static str> {
    Some(match word {
        "zero" | "oh" => "0",
        "one" => "1",
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ears::grammar;
    use crate::speech::{Expectation, SlotKind};

    const TOKENS: [&str; 12] =
        [" One", " two", " 12", "1", "3", " 34", ".", " bananas", " One two", "two", " on", "e"];

    fn after(kind: SlotKind, written: &str) -> Option<(Vec<&'static str>, bool)> {
        let tokens = Tokens::new(TOKENS.iter().map(|token| token.as_bytes().to_vec()));
        let expectation = Expectation { kinds: vec![kind], ..Expectation::default() };
        let net = Net::new(&grammar::rule(&expectation).unwrap());
        let allowed = Bias::new(&net).unwrap().allowed(&tokens, written.as_bytes())?;
        let mut texts: Vec<_> = allowed.tokens.iter().map(|&t| TOKENS[t as usize]).collect();
        texts.sort_unstable();
        Some((texts, allowed.may_end))
    }

    #[test]
    fn what_is_expected_may_follow_in_words_and_in_figures() {
        let digits = SlotKind::Digits { min: 2, max: 2 };
        let (first, may_end) = after(digits.clone(), "").unwrap();
        for token in [" One", " 12", "1", " One two", " on", " 34"] {
            assert!(first.contains(&token), "{token}: {first:?}");
        }
        assert!(!first.contains(&" bananas") && !may_end);
        let (second, may_end) = after(digits.clone(), " 1").unwrap();
        assert!(second.contains(&"3") && !second.contains(&" 34") && !may_end, "{second:?}");
        let (_, may_end) = after(digits.clone(), " 1-3.").unwrap();
        assert!(may_end);
        assert_eq!(after(digits, " Bananas"), None, "what has left the grammar is free");
    }

    #[test]
    fn a_grammar_of_anything_is_not_followed() {
        let open = Expectation { kinds: vec![SlotKind::Open], ..Expectation::default() };
        assert!(grammar::rule(&open).is_none());
    }
}
