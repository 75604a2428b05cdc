//! How English speakers say numbers, dates, times, amounts, names, yes and no.

use super::Rule;
pub(super) use crate::speech::english::{DIGITS, TEENS, TENS};
use crate::speech::english::{MONTHS, ORDINALS, WEEKDAYS};

/// Yes and no as most say them.
const YES_NO: [&str; 8] = [
    "yes",
    "no",
    "that's right",
    "that's correct",
    "yes it is",
    "yes i do",
    "no it's not",
    "that's wrong",
];
/// Yes and no as some say them: "yeah" and "nope" would else be heard in every "yes" and "no", as
/// an "s" is hardly in the telephone's band.
const YES_NO_RARELY: [&str; 26] = [
    "yeah",
    "yep",
    "yup",
    "sure",
    "okay",
    "correct",
    "right",
    "that is right",
    "that is correct",
    "yes that's right",
    "yes that's correct",
    "yes that is correct",
    "of course",
    "exactly",
    "go ahead",
    "i do",
    "nope",
    "nah",
    "no it isn't",
    "no i don't",
    "no that's wrong",
    "not really",
    "that is wrong",
    "that's not right",
    "wrong",
    "incorrect",
];
/// The most frequent given names of the United States' 1990 census, and some of the world's.
const FIRST_NAMES: [&str; 100] = [
    "james",
    "john",
    "robert",
    "michael",
    "william",
    "david",
    "richard",
    "joseph",
    "thomas",
    "charles",
    "daniel",
    "matthew",
    "anthony",
    "mark",
    "donald",
    "steven",
    "paul",
    "andrew",
    "joshua",
    "kenneth",
    "kevin",
    "brian",
    "george",
    "edward",
    "ronald",
    "timothy",
    "jason",
    "jeffrey",
    "ryan",
    "jacob",
    "gary",
    "nicholas",
    "eric",
    "jonathan",
    "stephen",
    "larry",
    "justin",
    "scott",
    "brandon",
    "benjamin",
    "samuel",
    "frank",
    "raymond",
    "patrick",
    "jack",
    "dennis",
    "peter",
    "adam",
    "henry",
    "carl",
    "mary",
    "patricia",
    "jennifer",
    "linda",
    "elizabeth",
    "barbara",
    "susan",
    "jessica",
    "sarah",
    "karen",
    "nancy",
    "lisa",
    "betty",
    "margaret",
    "sandra",
    "ashley",
    "kimberly",
    "emily",
    "donna",
    "michelle",
    "carol",
    "amanda",
    "melissa",
    "deborah",
    "stephanie",
    "rebecca",
    "laura",
    "sharon",
    "cynthia",
    "kathleen",
    "amy",
    "shirley",
    "angela",
    "helen",
    "anna",
    "brenda",
    "pamela",
    "nicole",
    "ruth",
    "katherine",
    "samantha",
    "christine",
    "emma",
    "catherine",
    "virginia",
    "rachel",
    "janet",
    "maria",
    "julia",
    "alice",
];
/// The most frequent family names of the same census.
const LAST_NAMES: [&str; 60] = [
    "smith",
    "johnson",
    "williams",
    "brown",
    "jones",
    "garcia",
    "miller",
    "davis",
    "rodriguez",
    "martinez",
    "hernandez",
    "lopez",
    "gonzalez",
    "wilson",
    "anderson",
    "thomas",
    "taylor",
    "moore",
    "jackson",
    "martin",
    "lee",
    "perez",
    "thompson",
    "white",
    "harris",
    "sanchez",
    "clark",
    "ramirez",
    "lewis",
    "robinson",
    "walker",
    "young",
    "allen",
    "king",
    "wright",
    "scott",
    "torres",
    "hill",
    "green",
    "adams",
    "nelson",
    "baker",
    "hall",
    "rivera",
    "campbell",
    "mitchell",
    "carter",
    "roberts",
    "gomez",
    "phillips",
    "evans",
    "turner",
    "parker",
    "cruz",
    "edwards",
    "collins",
    "stewart",
    "morris",
    "murphy",
    "cook",
];

/// How much less likely a part is than its absence, where neither is usual.
const SOMETIMES: f32 = 0.3;

/// How much less likely a rare wording is than a usual one.
const RARELY: f32 = 0.02;

/// Yes or no.
pub(super) fn yes_no() -> Rule {
    let rarely = Rule::Rare(RARELY, Box::new(Rule::any(YES_NO_RARELY)));
    one_of([Rule::any(YES_NO), rarely])
}

/// A cardinal number from zero to 9,999.
pub(super) fn number() -> Rule {
    let thousands = seq([a_or(ones()), w("thousand"), rest(one_of([hundreds(), below_100()]))]);
    let of_hundreds = seq([one_of([teens()]), w("hundred"), rest(below_100())]);
    one_of([w("zero"), below_100(), hundreds(), of_hundreds, thousands])
}

/// A calendar date, absolute or from today.
pub(super) fn date() -> Rule {
    let near = Rule::any(["today", "tomorrow", "yesterday", "the day after tomorrow"]);
    let day = seq([Rule::any(["next", "this", "on", "last"]).maybe(SOMETIMES), days()]);
    let of_month = seq([
        w("the").maybe(SOMETIMES),
        ordinal(),
        seq([w("of").maybe(SOMETIMES), months(), year().maybe(SOMETIMES)]).maybe(SOMETIMES),
    ]);
    let month_first = seq([
        months(),
        w("the").maybe(SOMETIMES),
        one_of([ordinal(), below_100()]),
        year().maybe(SOMETIMES),
    ]);
    let day_and_date = seq([days(), w("the").maybe(SOMETIMES), ordinal()]);
    one_of([near, day, of_month, month_first, day_and_date])
}

/// A time of day.
pub(super) fn time() -> Rule {
    let minute = one_of([seq([w("oh"), ones()]), teens(), tens_and_ones()]);
    let half_day = Rule::any([
        "a m",
        "p m",
        "in the morning",
        "in the afternoon",
        "in the evening",
        "at night",
    ]);
    let clock = seq([hours(), one_of([w("o'clock"), minute]).maybe(SOMETIMES)]);
    let part = one_of([
        seq([one_of([w("quarter"), w("five"), w("ten"), w("twenty"), w("a quarter")])]),
        seq([w("twenty"), w("five")]),
    ]);
    let relative = one_of([
        seq([w("half"), w("past"), hours()]),
        seq([part, one_of([w("past"), w("to")]), hours()]),
    ]);
    let spoken = seq([one_of([clock, relative]), half_day.maybe(SOMETIMES)]);
    seq([
        one_of([w("at"), w("by")]).maybe(SOMETIMES),
        one_of([spoken, Rule::any(["noon", "midnight", "midday"])]),
    ])
}

/// An amount of money.
pub(super) fn amount() -> Rule {
    let whole = Rule::any(["dollars", "dollar", "euros", "pounds"]);
    let small =
        seq([w("and").maybe(SOMETIMES), below_100(), Rule::any(["cents"]).maybe(SOMETIMES)]);
    let point = seq([number(), w("point"), Rule::Digits { min: 1, max: 2 }, whole.clone()]);
    one_of([
        seq([number(), whole, small.maybe(SOMETIMES)]),
        seq([below_100(), Rule::any(["cents", "cent"])]),
        point,
    ])
}

/// A person's name, of the frequent ones.
pub(super) fn name() -> Rule {
    let first = Rule::any(FIRST_NAMES);
    let last = Rule::any(LAST_NAMES);
    let whole = seq([first, last.clone().maybe(SOMETIMES)]);
    seq([
        Rule::any(["my name is", "this is", "i am", "i'm"]).maybe(SOMETIMES),
        one_of([whole, last]),
    ])
}

fn below_100() -> Rule {
    one_of([ones(), teens(), tens_and_ones()])
}

fn hundreds() -> Rule {
    seq([a_or(ones()), w("hundred"), rest(below_100())])
}

/// What follows "hundred" or "thousand", with or without an "and".
fn rest(rule: Rule) -> Rule {
    seq([w("and").maybe(SOMETIMES), rule]).maybe(SOMETIMES)
}

fn a_or(rule: Rule) -> Rule {
    one_of([w("a"), rule])
}

fn ones() -> Rule {
    Rule::any(DIGITS[2..].iter().copied())
}

fn teens() -> Rule {
    Rule::any(TEENS)
}

fn tens_and_ones() -> Rule {
    seq([Rule::any(TENS), ones().maybe(SOMETIMES)])
}

fn hours() -> Rule {
    one_of([ones(), Rule::any(["ten", "eleven", "twelve"])])
}

fn days() -> Rule {
    Rule::any(WEEKDAYS)
}

fn months() -> Rule {
    Rule::any(MONTHS)
}

fn ordinal() -> Rule {
    let compound = seq([Rule::any(["twenty"]), Rule::any(ORDINALS[..9].iter().copied())]);
    one_of([Rule::any(ORDINALS), compound, Rule::any(["thirtieth", "thirty first"])])
}

fn year() -> Rule {
    one_of([
        seq([w("twenty"), tens_and_ones()]),
        seq([w("two"), w("thousand"), rest(below_100())]),
        seq([w("nineteen"), tens_and_ones()]),
    ])
}

fn w(words: &'static str) -> Rule {
    Rule::words(words)
}

fn seq<const N: usize>(rules: [Rule; N]) -> Rule {
    Rule::Sequence(rules.into())
}

fn one_of<const N: usize>(rules: [Rule; N]) -> Rule {
    Rule::OneOf(rules.into())
}
