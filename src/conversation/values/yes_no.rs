//! Yes and no, in their usual wordings.

/// Wordings of yes, longest first where one begins another.
pub const YES: [&str; 16] = [
    "yes that's right",
    "yes it is",
    "yes please",
    "yes",
    "yeah",
    "yep",
    "that's right",
    "that is right",
    "that's correct",
    "correct",
    "right",
    "sure",
    "okay",
    "of course",
    "absolutely",
    "go ahead",
];
/// Wordings of no.
pub const NO: [&str; 13] = [
    "no that's wrong",
    "no it isn't",
    "no thank you",
    "no thanks",
    "no that's all",
    "that's all",
    "nothing else",
    "no",
    "nope",
    "that's wrong",
    "that's not right",
    "wrong",
    "not really",
];

/// Reads yes or no; words of politeness may follow.
#[must_use]
pub fn parse(words: &[&str]) -> Option<bool> {
    let words = match words {
        [head @ .., "thank", "you"] | [head @ .., "thanks" | "please"] if !head.is_empty() => head,
        other => other,
    };
    let said = words.join(" ");
    if YES.contains(&said.as_str()) {
        return Some(true);
    }
    if NO.contains(&said.as_str()) {
        return Some(false);
    }
    // "yes yes", "no no that's wrong"
    match words.split_first() {
        Some((&("yes" | "yeah" | "yep"), rest)) if !rest.is_empty() => {
            parse(rest).filter(|yes| *yes)
        }
        Some((&("no" | "nope"), rest)) if !rest.is_empty() => parse(rest).filter(|yes| !yes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_wording_is_read() {
        for said in YES {
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), Some(true), "{said}");
        }
        for said in NO {
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), Some(false), "{said}");
        }
    }

    #[test]
    fn a_contradiction_is_neither() {
        assert_eq!(parse(&["yes", "no"]), None);
        assert_eq!(parse(&["no", "yes"]), None);
        assert_eq!(parse(&["maybe"]), None);
    }
}
