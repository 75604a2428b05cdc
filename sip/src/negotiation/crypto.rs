//! How keys travel in session descriptions (RFC 4568), and what is refused of them.
//!
//! A key in a description is as secret as the signalling that carries it. An offer that carries
//! one beside a plain profile, or lets its cipher be none, is a downgrade and is refused whole.
//! Taken: `AES_CM_128`, `AES_256_CM` and `AEAD_AES` suites with one key, a lifetime, an identifier
//! of up to 128 bytes, and `WSH`. What else a line asks for makes that line no use to us.

use std::fmt;
use std::fmt::Write;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Refusal;
use crate::sdp::Section;
use crate::srtp::{Keys, MasterKey, SrtpPolicy, Suite};

const PLAIN: [&str; 2] = ["RTP/AVP", "RTP/AVPF"];
const SECURE: [&str; 2] = ["RTP/SAVP", "RTP/SAVPF"];

/// One `a=crypto` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    tag: u32,
    key: MasterKey,
}

/// What a section comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secured {
    /// Nothing is.
    Plain,
    /// Their line, chosen of all.
    By(Line),
}

/// What one side of a call makes of secured media.
#[derive(Clone)]
pub(super) struct Crypto {
    policy: SrtpPolicy,
    /// Whether nobody reads the descriptions on their way.
    secure_signalling: bool,
    /// An offer to this peer was refused for being secure.
    plain_offers: bool,
    random: StdRng,
    /// Lines of our offer that is open, or of our last answer.
    written: Vec<Line>,
    agreed: Option<Keys>,
}

impl fmt::Debug for Crypto {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Crypto({:?}, {:?})", self.policy, self.agreed)
    }
}

impl Crypto {
    pub(super) fn new(policy: SrtpPolicy, secure_signalling: bool, seed: [u8; 32]) -> Self {
        Self {
            policy,
            secure_signalling,
            plain_offers: false,
            random: StdRng::from_seed(seed),
            written: Vec::new(),
            agreed: None,
        }
    }

    pub(super) fn agreed(&self) -> Option<Keys> {
        self.agreed
    }

    pub(super) fn offer_plain(&mut self) {
        self.plain_offers = true;
    }

    /// Whether we may offer at all: keys must not travel in the clear.
    pub(super) fn may_offer(&self) -> Result<(), Refusal> {
        match self.policy {
            SrtpPolicy::Require if !self.secure_signalling => Err(Refusal::KeysInTheClear),
            SrtpPolicy::Require | SrtpPolicy::Prefer | SrtpPolicy::None => Ok(()),
        }
    }

    /// Whether secure sections come before plain ones, whatever their order.
    pub(super) fn prefers(section: &Section<'_>) -> bool {
        SECURE.contains(&section.protocol)
    }

    /// Judges the profile and the keys of a section of an offer.
    pub(super) fn judge(&self, section: &Section<'_>) -> Result<Secured, Refusal> {
        if PLAIN.contains(&section.protocol) {
            if !section.crypto.is_empty() || self.agreed.is_some() {
                return Err(Refusal::Downgrade);
            }
            let refused = self.policy == SrtpPolicy::Require;
            return if refused { Err(Refusal::Plain) } else { Ok(Secured::Plain) };
        }
        if !SECURE.contains(&section.protocol) || self.policy == SrtpPolicy::None {
            return Err(Refusal::Profile);
        }
        if !self.secure_signalling {
            return Err(Refusal::KeysInTheClear);
        }
        let lines = section.crypto.iter().map(|text| Line::read(text));
        let mut chosen = Err(Refusal::NoCommonSuite);
        for line in lines {
            match line {
                Err(Unusable::Weak) => return Err(Refusal::Downgrade),
                Ok(line) if chosen.is_err() => chosen = Ok(Secured::By(line)),
                Ok(_) | Err(Unusable::Unknown) => {}
            }
        }
        chosen
    }

    /// Takes the offer that was judged; [`Self::write`] then writes our line.
    pub(super) fn answer(&mut self, secured: Secured) {
        let Secured::By(theirs) = secured else {
            self.forget();
            return;
        };
        // A peer that keeps its key keeps its packets' count, and so do we (RFC 4568 §7.1.4).
        let kept = self.agreed.filter(|it| it.theirs == theirs.key).map(|it| it.ours);
        let suite = theirs.key.suite();
        let ours = kept.unwrap_or_else(|| MasterKey::draw(suite, &mut self.random));
        self.written = vec![Line { tag: theirs.tag, key: ours }];
        self.agreed = Some(Keys { ours, theirs: theirs.key });
    }

    /// Readies an offer: the key in use, else one for each suite; gives the profile.
    pub(super) fn offer(&mut self) -> &'static str {
        if let Some(keys) = self.agreed {
            let tag = self.written.first().map_or(1, |it| it.tag);
            self.written = vec![Line { tag, key: keys.ours }];
            return SECURE[0];
        }
        let wants = self.policy != SrtpPolicy::None && self.secure_signalling;
        if !wants || self.plain_offers && self.policy != SrtpPolicy::Require {
            self.written.clear();
            return PLAIN[0];
        }
        if self.written.is_empty() {
            let random = &mut self.random;
            let line = |(tag, suite)| Line { tag, key: MasterKey::draw(suite, random) };
            self.written = (1..).zip(Suite::OFFERED).map(line).collect();
        }
        SECURE[0]
    }

    /// Judges the answer to what was offered; gives the keys, none where nothing is secured.
    pub(super) fn judge_answer(&self, section: &Section<'_>) -> Result<Option<Keys>, Refusal> {
        let plain = PLAIN.contains(&section.protocol);
        if self.written.is_empty() {
            if !plain {
                return Err(Refusal::Profile);
            }
            return if section.crypto.is_empty() { Ok(None) } else { Err(Refusal::Downgrade) };
        }
        if plain {
            return Err(Refusal::Downgrade);
        }
        if !SECURE.contains(&section.protocol) {
            return Err(Refusal::Profile);
        }
        let theirs = match section.crypto.first().map(|text| Line::read(text)) {
            Some(Ok(line)) => line,
            Some(Err(Unusable::Weak)) => return Err(Refusal::Downgrade),
            Some(Err(Unusable::Unknown)) | None => return Err(Refusal::NoCommonSuite),
        };
        let ours = self.written.iter().find(|it| it.tag == theirs.tag);
        let ours = ours.filter(|it| it.key.suite() == theirs.key.suite());
        let ours = ours.ok_or(Refusal::NoCommonSuite)?.key;
        Ok(Some(Keys { ours, theirs: theirs.key }))
    }

    /// Takes what the answer came to.
    pub(super) fn settle(&mut self, keys: Option<Keys>) {
        match keys {
            Some(keys) => {
                self.written.retain(|it| it.key == keys.ours);
                self.agreed = Some(keys);
            }
            None => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.written.clear();
        self.agreed = None;
    }

    /// Writes our lines.
    pub(super) fn write(&self, body: &mut String) -> fmt::Result {
        for Line { tag, key } in &self.written {
            write!(body, "a=crypto:{tag} {} inline:{}\r\n", key.suite().name(), key.to_base64())?;
        }
        Ok(())
    }
}

/// Why a line is no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    /// It lets the cipher or the tag be none.
    Weak,
    /// Broken, or asks for what we do not do.
    Unknown,
}

impl Line {
    /// `<tag> <suite> inline:<key>[|<lifetime>][|<mki>:<bytes>] [<parameter> ...]`
    fn read(text: &str) -> Result<Self, Unusable> {
        let mut fields = text.split_whitespace();
        let mut field = || fields.next().ok_or(Unusable::Unknown);
        let (tag, suite, keys) = (field()?, field()?, field()?);
        if suite.to_ascii_uppercase().contains("NULL") {
            return Err(Unusable::Weak);
        }
        for parameter in fields {
            if parameter.starts_with("UNENCRYPTED_") || parameter.starts_with("UNAUTHENTICATED_") {
                return Err(Unusable::Weak);
            }
            // RFC 4568 §6.3: what begins with a dash may be passed over.
            if !parameter.starts_with("WSH=") && !parameter.starts_with('-') {
                return Err(Unusable::Unknown);
            }
        }
        let tag = tag.parse().ok().filter(|tag| *tag < 1_000_000_000);
        let suite = Suite::from_name(suite).ok_or(Unusable::Unknown)?;
        let key = master_key(suite, keys).ok_or(Unusable::Unknown)?;
        Ok(Self { tag: tag.ok_or(Unusable::Unknown)?, key })
    }
}

/// RFC 4568 §6.1. Several keys, separated by semicolons, are not taken.
fn master_key(suite: Suite, text: &str) -> Option<MasterKey> {
    let mut parts = text.strip_prefix("inline:")?.split('|');
    let mut key = MasterKey::from_base64(suite, parts.next()?).ok()?;
    for (index, part) in parts.enumerate() {
        if let Some((identifier, bytes)) = part.split_once(':') {
            let _: u128 = identifier.parse().ok()?;
            let bytes = bytes.parse().ok().filter(|it| (1..=128).contains(it))?;
            key = key.with_mki_bytes(bytes);
        } else if index != 0 || !is_lifetime(part) {
            return None;
        }
    }
    Some(key)
}

/// `2^20` or a number, at most 2^48 packets; calls end long before the smallest that is usual.
fn is_lifetime(text: &str) -> bool {
    match text.strip_prefix("2^") {
        Some(power) => power.parse().is_ok_and(|it: u8| (10..=48).contains(&it)),
        None => text.parse().is_ok_and(|it: u64| (1_000..=1 << 48).contains(&it)),
    }
}

/// A description with the keys in it made unreadable: for logs and traces.
///
/// ```
/// let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20";
/// let shown = cordboard_sip::negotiation::without_keys(line);
/// assert_eq!(shown, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:...");
/// ```
#[must_use]
pub fn without_keys(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("inline:") {
        let (before, key) = rest.split_at(at + "inline:".len());
        shown.push_str(before);
        shown.push_str("...");
        rest = &key[key.find(char::is_whitespace).unwrap_or(key.len())..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
#[path = "crypto_tests.rs"]
mod tests;
