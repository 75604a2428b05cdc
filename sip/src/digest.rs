//! Digest credentials for those who challenge us (RFC 7616, RFC 8760; RFC 3261 §22). Pure.
//!
//! SHA-256 where offered, else MD5; `qop=auth` where offered, else the form of RFC 2069. Randomness
//! (the client nonce) is an argument. Absent: `auth-int`, user hashes, challenging others.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// A name and a secret for a trunk. The secret is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    password: String,
}

impl Credentials {
    /// Both parts.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How the secret is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RFC 7616, for those who know no better.
    Md5,
    /// RFC 8760.
    Sha256,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hex(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// What a `WWW-Authenticate` or `Proxy-Authenticate` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose secret is wanted.
    pub realm: String,
    /// Their nonce.
    pub nonce: String,
    /// Their mark, to be given back.
    pub opaque: Option<String>,
    /// How to hash.
    pub algorithm: Algorithm,
    /// Whether `qop=auth` is offered.
    pub qop_auth: bool,
    /// The secret was right and the nonce too old.
    pub stale: bool,
}

impl Challenge {
    /// Reads a header field's value; `None` where it is no digest that we can answer.
    ///
    /// ```
    /// use cordboard_sip::digest::{Algorithm, Challenge};
    /// let value = "Digest realm=\"a, b\", nonce=\"x\", qop=\"auth\"";
    /// let challenge = Challenge::parse(value).unwrap();
    /// assert_eq!((challenge.realm.as_str(), challenge.algorithm), ("a, b", Algorithm::Md5));
    /// ```
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let parameters = parameters(rest);
        let find = |name: &str| {
            let found = parameters.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let algorithm = match find("algorithm").unwrap_or_default().to_ascii_uppercase().as_str() {
            "" | "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let qop = find("qop");
        let auth = |it: &str| it.split(',').any(|it| it.trim().eq_ignore_ascii_case("auth"));
        let qop_auth = qop.as_deref().is_some_and(auth);
        // Somebody who takes auth-int only gets nothing that we could write.
        if qop.is_some() && !qop_auth {
            return None;
        }
        Some(Self {
            realm: find("realm")?,
            nonce: find("nonce")?,
            opaque: find("opaque"),
            algorithm,
            qop_auth,
            stale: find("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
        })
    }

    /// The strongest of several that we can answer and whose realm is accepted (RFC 8760 §2.4).
    pub fn choose<'v>(
        values: impl IntoIterator<Item = &'v str>,
        accepts: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let readable = values.into_iter().filter_map(Self::parse);
        readable
            .filter(|it| accepts(&it.realm))
            .reduce(|best, it| if it.algorithm > best.algorithm { it } else { best })
    }

    /// The value of `Authorization` or `Proxy-Authorization` for a request. `uses` counts the
    /// requests that this nonce has been used for, this one too; `client_nonce` is random.
    #[must_use]
    pub fn answer(
        &self,
        credentials: &Credentials,
        (method, uri): (&str, &str),
        uses: u32,
        client_nonce: &str,
    ) -> String {
        let Self { realm, nonce, algorithm, .. } = self;
        let Credentials { username, password } = credentials;
        let secret = algorithm.hex(&format!("{username}:{realm}:{password}"));
        let request = algorithm.hex(&format!("{method}:{uri}"));
        let response = if self.qop_auth {
            algorithm.hex(&format!("{secret}:{nonce}:{uses:08x}:{client_nonce}:auth:{request}"))
        } else {
            algorithm.hex(&format!("{secret}:{nonce}:{request}"))
        };
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", algorithm={}, \
             response=\"{response}\"",
            escaped(username),
            escaped(realm),
            escaped(nonce),
            algorithm.name(),
        );
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{}\"", escaped(opaque));
        }
        if self.qop_auth {
            let _ = write!(value, ", qop=auth, nc={uses:08x}, cnonce=\"{client_nonce}\"");
        }
        value
    }
}

/// `name=token` and `name="quoted"`, divided by commas outside of quotes.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut signs = text.chars().peekable();
    loop {
        while signs.next_if(|it| it.is_whitespace() || *it == ',').is_some() {}
        let mut name = String::new();
        while let Some(sign) = signs.next_if(|it| *it != '=' && *it != ',') {
            name.push(sign);
        }
        if signs.next().is_none() {
            return found;
        }
        while signs.next_if(|it| it.is_whitespace()).is_some() {}
        let mut value = String::new();
        if signs.next_if_eq(&'"').is_some() {
            while let Some(sign) = signs.next().filter(|it| *it != '"') {
                value.extend(if sign == '\\' { signs.next() } else { Some(sign) });
            }
        } else {
            while let Some(sign) = signs.next_if(|it| *it != ',') {
                value.push(sign);
            }
            value.truncate(value.trim_end().len());
        }
        found.push((name.trim().to_owned(), value));
    }
}

/// Neither a quote nor a line break gets out of a quoted string.
fn escaped(text: &str) -> String {
    let clean = text.chars().filter(|it| !it.is_control());
    clean.fold(String::new(), |mut out, sign| {
        if matches!(sign, '"' | '\\') {
            out.push('\\');
        }
        out.push(sign);
        out
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const CLIENT_NONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn challenge(algorithm: &str) -> String {
        format!(
            "Digest\r\n realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"{NONCE}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    }

    #[test]
    fn the_answers_are_those_of_the_standard() {
        let mufasa = Credentials::new("Mufasa", "Circle of Life");
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = Challenge::parse(&challenge(algorithm)).unwrap();
            let answer = challenge.answer(&mufasa, ("GET", "/dir/index.html"), 1, CLIENT_NONCE);
            assert!(answer.contains(&format!("response=\"{expected}\"")), "{answer}");
            assert!(answer.contains("nc=00000001") && answer.contains("qop=auth"), "{answer}");
            assert!(answer.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
        }
    }

    #[test]
    fn the_stronger_of_two_challenges_is_answered() {
        let (md5, sha) = (challenge("MD5"), challenge("SHA-256"));
        for values in [[md5.as_str(), &sha], [sha.as_str(), &md5]] {
            let chosen = Challenge::choose(values, |_| true).unwrap();
            assert_eq!(chosen.algorithm, Algorithm::Sha256);
        }
    }

    #[test]
    fn a_realm_that_is_not_ours_is_not_answered() {
        let sha = challenge("SHA-256");
        assert_eq!(Challenge::choose([sha.as_str()], |realm| realm == "trunk.example"), None);
    }

    #[test]
    fn what_cannot_be_answered_is_not_read() {
        for value in [
            "",
            "Digest",
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
        ] {
            assert_eq!(Challenge::parse(value), None, "{value}");
        }
    }

    #[test]
    fn an_old_nonce_and_an_old_form_are_told() {
        let value = "digest stale=TRUE , nonce=abc, realm=\"a\\\"b\"";
        let challenge = Challenge::parse(value).unwrap();
        assert!(challenge.stale && !challenge.qop_auth);
        assert_eq!(challenge.realm, "a\"b");
        let answer = challenge.answer(&Credentials::new("u", "p"), ("BYE", "sip:x"), 1, "c");
        assert!(answer.contains("realm=\"a\\\"b\"") && !answer.contains("cnonce"), "{answer}");
    }

    #[test]
    fn a_challenge_cannot_write_a_line_of_ours() {
        let value = "Digest realm=\"a\r\nVia: x\", nonce=\"n\"";
        let challenge = Challenge::parse(value).unwrap();
        let answer = challenge.answer(&Credentials::new("u", "p"), ("BYE", "sip:x"), 1, "c");
        assert!(!answer.contains(['\r', '\n']), "{answer}");
    }

    #[test]
    fn the_secret_is_never_printed() {
        assert!(!format!("{:?}", Credentials::new("u", "hunter2")).contains("hunter2"));
    }
}
