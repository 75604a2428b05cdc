//! Example phrases: words with slots in braces, as the flow writes them.

use cordboard_models::speech::{Phrase, PhrasePart, SlotKind};

use super::FaultKind;

/// Reads "where is my order {order_number}"; `kind` knows the slots.
pub(super) fn read(
    text: &str,
    tag: &str,
    kind: impl Fn(&str) -> Option<SlotKind>,
) -> Result<Phrase, FaultKind> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (words, tail) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if !words.trim().is_empty() {
            parts.push(PhrasePart::Words(sayable(words.trim())?));
        }
        rest = tail;
        if let Some(open) = tail.strip_prefix('{') {
            let (name, tail) = open
                .split_once('}')
                .ok_or_else(|| FaultKind::Unsayable { what: tail.to_owned() })?;
            let kind = kind(name.trim()).ok_or_else(|| FaultKind::UnknownName {
                what: "slot",
                name: name.trim().to_owned(),
            })?;
            parts.push(PhrasePart::Slot { name: name.trim().to_owned(), kind });
            rest = tail.trim_start();
        }
    }
    if parts.is_empty() {
        return Err(FaultKind::Unsayable { what: text.to_owned() });
    }
    Ok(Phrase { tag: tag.to_owned(), parts })
}

/// Words of lower-case letters, apostrophes and hyphens, joined by single spaces.
fn sayable(words: &str) -> Result<String, FaultKind> {
    let each: Vec<&str> = words.split_whitespace().collect();
    for word in &each {
        let fine = word.chars().any(char::is_alphabetic)
            && word.chars().all(|letter| letter.is_lowercase() || matches!(letter, '\'' | '-'));
        if !fine {
            return Err(FaultKind::Unsayable { what: (*word).to_owned() });
        }
    }
    Ok(each.join(" "))
}
