//! What the caller may say next, from the flow's current step.
//!
//! It becomes a grammar, a prompt or key terms, whichever the recognizer can use.

/// What the caller may say next.
///
/// `kinds` are alternatives: any of them, or any global phrase, may be said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Values that may be said alone ("one two three four five six", "yes", "tuesday").
    pub kinds: Vec<SlotKind>,
    /// Whole phrases, with slots in them ("where is my order {order_number}").
    pub phrases: Vec<Phrase>,
    /// Whether any other words are welcome too (a complaint, a message to be taken).
    pub open: bool,
}

/// What kind of value a slot takes, as a recognizer needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A string of decimal digits of a known length, spoken one by one or in usual groups.
    Digits {
        /// How many digits at least.
        min: u8,
        /// How many digits at most.
        max: u8,
    },
    /// A cardinal number up to 9,999.
    Number,
    /// A calendar date ("the third of may", "tomorrow", "next tuesday").
    Date,
    /// A time of day ("half past six", "six p m").
    Time,
    /// An amount of money ("twelve dollars fifty").
    Amount,
    /// A person's name.
    Name,
    /// Yes or no, in their usual wordings.
    YesNo,
    /// One of the given wordings.
    Choice(Vec<String>),
    /// Anything at all.
    Open,
}

/// One phrase that a caller may say, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// What it stands for, to the room that asked ("intent:order_status", "global:agent").
    pub tag: String,
    /// The words and slots of it, in order.
    pub parts: Vec<PhrasePart>,
}

/// A stretch of words, or a slot within a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhrasePart {
    /// Words as they are said: lower case, no punctuation, no figures.
    Words(String),
    /// A value of a kind, by the slot's name.
    Slot {
        /// The slot's name in the flow.
        name: String,
        /// What it takes.
        kind: SlotKind,
    },
}
