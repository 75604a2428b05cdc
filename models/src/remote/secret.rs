//! A vendor's key, which is never printed.

/// A key. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a secret of a key; white space around it, as files have it, is dropped. None where
    /// nothing is left, or where it cannot stand in a header.
    #[must_use]
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let fits = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
        fits.then(|| Self(key.to_owned()))
    }

    /// The key itself, for the header that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A vendor's words, at most 120 characters of them, with the key blanked out.
    #[must_use]
    pub fn blank_out(key: Option<&Self>, words: &str) -> String {
        let clean = match key {
            Some(key) => words.replace(&key.0, "…"),
            None => words.to_owned(),
        };
        clean.chars().filter(|c| !c.is_control()).take(120).collect()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_neither_printed_nor_repeated_from_a_vendors_words() {
        let key = Secret::new(" sk-123456 \n").unwrap();
        assert_eq!(format!("{key:?}"), "…");
        assert_eq!(key.expose(), "sk-123456");
        assert_eq!(Secret::blank_out(Some(&key), "bad key sk-123456"), "bad key …");
        assert_eq!(Secret::new("  "), None);
        assert_eq!(Secret::new("two words"), None);
    }
}
