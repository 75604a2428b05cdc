//! A net: states, and arcs with words between them, from state 0 to the last one.
//!
//! Built with empty arcs and then freed of them, as the C library's own closure over them takes
//! minutes for a thousand states. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Rule, spoken};

type State = u32;

/// Marks the pseudo-words that stand for one phone each, in [`Rule::Anything`]; no dictionary has
/// a word that begins so.
pub const PHONE_MARK: char = '%';

/// The phones of CMUdict, which every acoustic model of the ears has.
pub const PHONES: [&str; 39] = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH",
    "UW", "V", "W", "Y", "Z", "ZH",
];

/// How likely each next phone of "anything" is; its power keeps real words preferred.
const ANY_PHONE: f32 = 0.02;

/// How much less likely "double three" is than two digits, and "twelve" than "one two". At 0.1
/// each, spliced digits had 27 % errors, at 0.01 25 %: "nine" became "nineteen".
const PAIRED: f32 = 0.01;

/// How much less likely "oh" is than "zero". Being short it is heard everywhere: 0.1 took the
/// telephone model's errors on spliced digits from 21 to 18 %.
const SHORT_ZERO: f32 = 0.1;

/// A finite-state grammar without empty arcs; the last state is the only end.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    states: State,
    arcs: Vec<Arrow>,
    words: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Arrow {
    from: State,
    to: State,
    probability: f32,
    word: Arc<str>,
}

impl Net {
    /// Builds the net of a rule.
    #[must_use]
    pub fn new(rule: &Rule) -> Self {
        let (begin, end) = (0, 1);
        let mut draft = Draft { states: 2, ..Draft::default() };
        draft.rule(begin, rule, end);
        draft.freed(end)
    }

    /// The words of it, each once, without the pseudo-words of phones.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(AsRef::as_ref).filter(|word| !word.starts_with(PHONE_MARK))
    }

    /// Arcs between states, the measure of its size.
    #[must_use]
    pub fn arcs(&self) -> usize {
        self.arcs.len()
    }

    /// The only end.
    #[must_use]
    pub fn last_state(&self) -> u32 {
        self.states - 1
    }

    /// Every arc: from which state, to which, by which word.
    pub fn steps(&self) -> impl Iterator<Item = (u32, u32, &str)> {
        self.arcs.iter().map(|arc| (arc.from, arc.to, &*arc.word))
    }

    /// Whether "anything" may be said somewhere in it.
    #[must_use]
    pub fn has_phones(&self) -> bool {
        self.words.iter().any(|word| word.starts_with(PHONE_MARK))
    }

    /// Whether these words, and no others, lead from begin to end.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        let mut at = BTreeSet::from([0]);
        for word in text.split_whitespace() {
            at = self
                .arcs
                .iter()
                .filter(|arc| at.contains(&arc.from) && *arc.word == *word)
                .map(|arc| arc.to)
                .collect();
        }
        at.contains(&(self.states - 1))
    }

    /// Prints it in the text form of sphinxbase's `fsg_model_read`.
    #[must_use]
    pub fn to_fsg(&self) -> String {
        let mut text = format!(
            "FSG_BEGIN <expected>\nNUM_STATES {}\nSTART_STATE 0\nFINAL_STATE {}\n",
            self.states,
            self.states - 1
        );
        for Arrow { from, to, probability, word } in &self.arcs {
            writeln!(text, "TRANSITION {from} {to} {probability:.6} {word}")
                .expect("a String takes all that is written");
        }
        text.push_str("FSG_END\n");
        text
    }
}

impl Net {
    /// Drops what leads nowhere and what is there twice, and numbers the states anew.
    fn trimmed(self) -> Self {
        let last = self.states - 1;
        let mut useful = BTreeSet::from([last]);
        loop {
            let before = useful.len();
            for arc in self.arcs.iter().rev() {
                if useful.contains(&arc.to) {
                    useful.insert(arc.from);
                }
            }
            if useful.len() == before {
                break;
            }
        }
        useful.insert(0);
        let number: BTreeMap<State, State> = useful.iter().copied().zip(0..).collect();
        let mut best: BTreeMap<(State, State, Arc<str>), f32> = BTreeMap::new();
        for arc in self.arcs {
            if let (Some(&from), Some(&to)) = (number.get(&arc.from), number.get(&arc.to)) {
                let known = best.entry((from, to, arc.word)).or_insert(arc.probability);
                *known = known.max(arc.probability);
            }
        }
        let arcs: Vec<Arrow> = best
            .into_iter()
            .map(|((from, to, word), probability)| Arrow { from, to, probability, word })
            .collect();
        let words = arcs.iter().map(|arc| arc.word.clone()).collect();
        let states = State::try_from(number.len()).expect("fewer than before, which were u32");
        Self { states, arcs, words }
    }
}

/// A net under construction, with empty arcs.
#[derive(Debug, Default)]
struct Draft {
    states: State,
    words: Vec<Arrow>,
    empty: Vec<(State, State, f32)>,
}

impl Draft {
    /// Adds a rule between two states.
    fn rule(&mut self, from: State, rule: &Rule, to: State) {
        match rule {
            Rule::Word(word) => self.word(from, to, 1.0, word),
            Rule::Sequence(rules) => match rules.split_last() {
                None => self.empty.push((from, to, 1.0)),
                Some((last, before)) => {
                    let mut at = from;
                    for rule in before {
                        let next = self.state();
                        self.rule(at, rule, next);
                        at = next;
                    }
                    self.rule(at, last, to);
                }
            },
            Rule::OneOf(rules) => {
                for rule in rules {
                    self.rule(from, rule, to);
                }
            }
            Rule::Maybe(probability, rule) => {
                self.empty.push((from, to, 1.0));
                self.weighted(from, *probability, rule, to);
            }
            Rule::Rare(probability, rule) => self.weighted(from, *probability, rule, to),
            Rule::Digits { min, max } => self.digits(from, *min, (*max).max(*min), to),
            Rule::Anything => self.anything(from, to),
        }
    }

    fn weighted(&mut self, from: State, probability: f32, rule: &Rule, to: State) {
        let inside = self.state();
        self.empty.push((from, inside, probability));
        self.rule(inside, rule, to);
    }

    /// A state for each count of digits said, so that the length is kept whatever the grouping.
    fn digits(&mut self, from: State, min: u8, max: u8, to: State) {
        let mut said = vec![from];
        for _ in 0..max {
            said.push(self.state());
        }
        for count in 0..usize::from(max) {
            let (here, one) = (said[count], said[count + 1]);
            for digit in spoken::DIGITS {
                let likely = if digit == "oh" { SHORT_ZERO } else { 1.0 };
                self.word(here, one, likely, digit);
            }
            if let Some(&two) = said.get(count + 2) {
                self.pairs(here, two);
                self.repeated(here, two, "double");
            }
            if let Some(&three) = said.get(count + 3) {
                self.repeated(here, three, "triple");
            }
        }
        for &state in &said[usize::from(min)..] {
            self.empty.push((state, to, 1.0));
        }
    }

    /// Two digits as one number: "twelve", "thirty", "thirty four".
    fn pairs(&mut self, from: State, to: State) {
        for teen in spoken::TEENS {
            self.word(from, to, PAIRED, teen);
        }
        let after_tens = self.state();
        for tens in spoken::TENS {
            self.word(from, to, PAIRED, tens);
            self.word(from, after_tens, PAIRED, tens);
        }
        for one in &spoken::DIGITS[2..] {
            self.word(after_tens, to, 1.0, one);
        }
    }

    fn repeated(&mut self, from: State, to: State, times: &str) {
        let inside = self.state();
        self.word(from, inside, PAIRED, times);
        for digit in spoken::DIGITS {
            self.word(inside, to, 1.0, digit);
        }
    }

    /// At least one phone, and any number more.
    fn anything(&mut self, from: State, to: State) {
        let inside = self.state();
        for phone in PHONES {
            let word = format!("{PHONE_MARK}{}", phone.to_lowercase());
            self.word(from, inside, ANY_PHONE, &word);
            self.word(inside, inside, ANY_PHONE, &word);
        }
        self.empty.push((inside, to, 1.0));
    }

    fn word(&mut self, from: State, to: State, probability: f32, word: &str) {
        self.words.push(Arrow { from, to, probability, word: word.into() });
    }

    fn state(&mut self) -> State {
        self.states += 1;
        self.states - 1
    }

    /// The same net without empty arcs, unreachable states and arcs that lead nowhere.
    fn freed(&self, end: State) -> Net {
        let mut leaving: BTreeMap<State, Vec<&Arrow>> = BTreeMap::new();
        for arc in &self.words {
            leaving.entry(arc.from).or_default().push(arc);
        }
        // A state is kept where a word arrives, and begin and end are kept.
        let mut number = BTreeMap::from([(0, 0)]);
        let mut open = vec![0];
        let mut arcs = Vec::new();
        let mut ends = Vec::new();
        while let Some(state) = open.pop() {
            for (reached, probability) in self.closure(state) {
                if reached == end && state != 0 {
                    ends.push((number[&state], probability));
                }
                for arc in leaving.get(&reached).into_iter().flatten() {
                    let next = State::try_from(number.len()).expect("states are counted in u32");
                    let to = *number.entry(arc.to).or_insert_with(|| {
                        open.push(arc.to);
                        next
                    });
                    let probability = probability * arc.probability;
                    arcs.push(Arrow {
                        from: number[&state],
                        to,
                        probability,
                        word: arc.word.clone(),
                    });
                }
            }
        }
        let last = State::try_from(number.len()).expect("states are counted in u32");
        for (state, end_probability) in ends {
            let into = arcs.iter().filter(|arc| arc.to == state).cloned().collect::<Vec<_>>();
            arcs.extend(into.into_iter().map(|arc| Arrow {
                to: last,
                probability: arc.probability * end_probability,
                ..arc
            }));
        }
        let words = arcs.iter().map(|arc| arc.word.clone()).collect();
        Net { states: last + 1, arcs, words }.trimmed()
    }

    /// The states that a state reaches over empty arcs, with the best probability of each.
    fn closure(&self, state: State) -> BTreeMap<State, f32> {
        let mut reached = BTreeMap::from([(state, 1.0)]);
        let mut open = vec![state];
        while let Some(at) = open.pop() {
            let so_far = reached[&at];
            for &(_, to, probability) in self.empty.iter().filter(|arc| arc.0 == at) {
                let probability = so_far * probability;
                if reached.get(&to).is_none_or(|&known| known < probability) {
                    reached.insert(to, probability);
                    open.push(to);
                }
            }
        }
        reached
    }
}
