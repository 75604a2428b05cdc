//! Humans' phones of ours, to which the far end hands callers over, so that it is heard whether
//! and when it does.
//!
//! A phone registers with the far end or waits where its settings look for it (`phone`). It takes
//! one call at a time, speaks when it is its turn (`manner`), and is known to a caller by its words
//! (`words`): nothing that the far end says of the transfer is used. Deliberately absent: a
//! transfer that the far end asks the caller's phone for (REFER) is told and not followed.

mod manner;
mod outcome;
mod phone;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::digest::Credentials;
use cordboard_sip::endpoint::EndpointConfig;
use cordboard_sip::trunk::{Place, Trunk};
use serde::{Deserialize, Serialize};

use super::super::line::{PhoneLine, Sound};
use super::super::phone::PhoneError;
pub use outcome::Human;
pub(super) use outcome::{fault, outcome};
pub(super) use phone::HumanPhone;
pub use words::HumanWords;

/// How long a registration is asked for; it is renewed as long as calls run.
const REGISTERED_FOR: Duration = Duration::from_secs(300);
/// How long all of them may take to be registered, and how often that is looked at.
const REGISTERED_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// The humans of a run.
#[derive(Clone, Debug)]
pub struct Humans {
    /// Their phones, each for one call at a time.
    pub phones: Vec<HumanPlace>,
    /// How long a phone rings.
    pub rings_for: Duration,
    /// What they press once what is first said to them is over.
    pub keys: String,
    /// What they say.
    pub words: Arc<HumanWords>,
}

/// Where a human's phone is.
#[derive(Clone, Debug)]
pub enum HumanPlace {
    /// Where it registers tells who rings it.
    Registered {
        /// The registrar.
        at: SocketAddr,
        /// As whom, and with which password.
        credentials: Credentials,
    },
    /// It waits at this address of ours.
    Waiting(SocketAddr),
}

/// What has come to the humans' phones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanTally {
    /// Calls that rang.
    pub rung: u64,
    /// Of them those that were answered.
    pub answered: u64,
    /// Of them those that came while the phone was in a call.
    pub busy: u64,
    /// Where the sound of one would have gone, which was refused: an address that was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<IpAddr>,
}

impl HumanTally {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rung: self.rung + other.rung,
            answered: self.answered + other.answered,
            busy: self.busy + other.busy,
            elsewhere: self.elsewhere.or(other.elsewhere),
        }
    }
}

/// Makes the phones ready: bound, and registered where they are to be.
///
/// # Errors
/// [`PhoneError`] where one is not.
pub(super) async fn ready(
    humans: &Humans,
    (own, allowed): (IpAddr, &Arc<[IpAddr]>),
    sound: &Sound,
) -> Result<Vec<HumanPhone>, PhoneError> {
    let mut phones = Vec::new();
    for place in &humans.phones {
        let (bind, peer, trunks) = match place {
            HumanPlace::Waiting(at) => (*at, at.ip(), Vec::new()),
            HumanPlace::Registered { at, credentials } => {
                if !allowed.contains(&at.ip()) {
                    return Err(PhoneError::NotGiven { address: at.ip() });
                }
                let trunk = registrar(*at, credentials.clone());
                (SocketAddr::new(own, 0), at.ip(), vec![trunk])
            }
        };
        let everybody: Vec<String> = allowed.iter().map(IpAddr::to_string).collect();
        let everybody = || everybody.iter().map(String::as_str);
        let config = EndpointConfig {
            bind_udp: Some(bind),
            access: Access::new(everybody(), everybody()).expect("addresses are addresses"),
            user_agent: "Cordboard replay, a human".to_owned(),
            trunks,
            confined: true,
            ..EndpointConfig::default()
        };
        let peer = if peer.is_unspecified() { allowed.first().copied() } else { Some(peer) };
        let bound = PhoneLine::bind(config, peer.unwrap_or(own), sound.clone()).await?;
        phones.push(HumanPhone::new(bound, humans, allowed.clone()));
    }
    let mut look = tokio::time::interval(LOOK);
    let registered = async {
        for (phone, place) in phones.iter().zip(&humans.phones) {
            let HumanPlace::Registered { at, credentials } = place else { continue };
            let user = || format!("sip:{}@{at}", credentials.username);
            loop {
                match phone.line().registration() {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(code) => return Err(PhoneError::RegistrationRefused { uri: user(), code }),
                }
                look.tick().await;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(REGISTERED_WITHIN, registered).await {
        Ok(registered) => registered.map(|()| phones),
        Err(_) => Err(PhoneError::RegistrationUnanswered { within: REGISTERED_WITHIN }),
    }
}

/// Takes their registrations back.
pub(super) async fn leave(phones: &[HumanPhone]) {
    for phone in phones {
        phone.line().leave().await;
    }
}

/// A registrar is known by its address and its word for a realm; nothing is dialled through it.
fn registrar(at: SocketAddr, credentials: Credentials) -> Trunk {
    let place = Place { host: at.ip().to_string(), port: Some(at.port()) };
    Trunk {
        credentials: Some(credentials),
        any_realm: true,
        register: Some(REGISTERED_FOR),
        keepalive: None,
        ..Trunk::named("human", vec![place])
    }
}
