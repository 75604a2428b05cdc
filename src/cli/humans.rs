//! The humans' phones that a replay has: `--human`, `--human-at` and how they behave.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cordboard_sip::digest::Credentials;

use super::Fault;
use super::place::time;
use crate::replay::calls::{HumanPlace, HumanWords, Humans, Studio};

/// The longest that a phone may ring.
const RINGS_MAX: Duration = Duration::from_secs(120);

/// Humans to whom the far end may hand callers over.
#[derive(Debug, Args)]
#[command(next_help_heading = "Humans")]
pub(super) struct HumanArguments {
    /// A human's phone that registers there: sip:user@ADDRESS:PORT, its password in
    /// HUMAN_PASSWORD. One for each call that is to be handed over at a time.
    #[arg(long, value_name = "URI", requires = "to")]
    human: Vec<String>,
    /// A human's phone that registers nowhere: it waits at this address of this machine, as the
    /// far end's settings name it.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "to")]
    human_at: Vec<SocketAddr>,
    /// Keys that a human presses once what is first said to them is over, where a call has to be
    /// accepted: 1 with a Cordboard.
    #[arg(long, value_name = "KEYS", requires = "to")]
    human_keys: Option<String>,
    /// How long a human's phone rings, as in 5s.
    #[arg(long, default_value = "1s", value_parser = time, requires = "to")]
    human_answers_after: Duration,
}

impl HumanArguments {
    /// How many.
    pub(super) const fn count(&self) -> usize {
        self.human.len() + self.human_at.len()
    }

    /// The humans that are asked for; none where none is.
    pub(super) fn humans(&self, allowed: &[IpAddr]) -> Result<Option<Humans>, Fault> {
        if self.count() == 0 {
            return match self.human_keys {
                Some(_) => Err("--human-keys needs a human: --human or --human-at".into()),
                None => Ok(None),
            };
        }
        let keys = self.human_keys.clone().unwrap_or_default();
        if !keys.chars().all(|it| it.is_ascii_digit() || "*#ABCD".contains(it)) {
            return Err("--human-keys are keys: 0 to 9, * and #".into());
        }
        if self.human_answers_after > RINGS_MAX {
            return Err(format!("--human-answers-after is at most {RINGS_MAX:?}").into());
        }
        let password = std::env::var("HUMAN_PASSWORD").unwrap_or_default();
        let mut phones = Vec::new();
        for uri in &self.human {
            let (user, at) = registrar(uri)?;
            if !allowed.contains(&at.ip()) {
                let address = at.ip();
                let what = "was not given, and nothing is sent there";
                return Err(format!("{uri}: {address} {what}: --allow {address}").into());
            }
            let credentials = Credentials::new(user, password.as_str());
            phones.push(HumanPlace::Registered { at, credentials });
        }
        phones.extend(self.human_at.iter().copied().map(HumanPlace::Waiting));
        let words = Arc::new(HumanWords::spoken(&mut Studio::default())?);
        Ok(Some(Humans { phones, rings_for: self.human_answers_after, keys, words }))
    }
}

/// User and address; a name is looked up nowhere.
fn registrar(uri: &str) -> Result<(&str, SocketAddr), Fault> {
    let fault =
        || format!("`{uri}` is nowhere to register: write sip:user@ADDRESS:PORT, an IP address");
    let (user, place) =
        uri.strip_prefix("sip:").and_then(|it| it.rsplit_once('@')).ok_or_else(fault)?;
    let address = place.parse().ok();
    let address = address.or_else(|| place.parse().ok().map(|ip: IpAddr| (ip, 5060).into()));
    let is_name =
        !user.is_empty() && !user.contains(|it: char| it.is_whitespace() || "<>\"@".contains(it));
    Ok((user, address.filter(|_| is_name).ok_or_else(fault)?))
}
