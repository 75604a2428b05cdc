//! One of several given wordings.

/// Finds the wording that was said: alone, or as the only one among other words.
#[must_use]
pub fn parse(words: &[&str], among: &[String]) -> Option<String> {
    let said = words.join(" ");
    if let Some(exact) = among.iter().find(|wording| wording.eq_ignore_ascii_case(&said)) {
        return Some(exact.clone());
    }
    let mut found = among.iter().filter(|wording| {
        let wording = wording.to_lowercase();
        let wanted: Vec<&str> = wording.split(' ').collect();
        words.windows(wanted.len()).any(|window| window == wanted)
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unambiguous_wording_is_chosen() {
        let among = ["small".to_owned(), "large".to_owned(), "extra large".to_owned()];
        for (said, chosen) in [
            ("small", Some("small")),
            ("the small one", Some("small")),
            ("extra large", Some("extra large")),
            ("small or large", None),
            ("none", None),
        ] {
            let words: Vec<&str> = said.split(' ').collect();
            assert_eq!(parse(&words, &among).as_deref(), chosen, "{said}");
        }
    }
}
