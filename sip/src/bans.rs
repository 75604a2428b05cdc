//! Sources that keep asking for what they may not have are not listened to for a while. Pure.
//!
//! Counts offences of each source in windows of fixed length, and bans a source whose count
//! reaches the rule's. Memory is bounded: a source for which there is no room is told nothing,
//! which is what a flood from forged addresses should be told.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Most sources remembered at once; each takes some 64 bytes.
pub const MOST_SOURCES: usize = 4096;

/// When a source is banned, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanRule {
    /// This many offences in one window ban a source.
    pub offences: u32,
    /// How long a window is.
    pub window: Duration,
    /// How long a ban lasts.
    pub ban: Duration,
}

impl Default for BanRule {
    fn default() -> Self {
        Self { offences: 100, window: Duration::from_secs(2), ban: Duration::from_secs(300) }
    }
}

/// What an offence led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// It was counted; the source may still be told.
    Counted,
    /// It was one too many: from here on the source is banned.
    Banned,
    /// There was no room to count it.
    NoRoom,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    since: Duration,
    offences: u32,
    banned_until: Option<Duration>,
}

/// Sources and their offences. Time is the caller's, from any zero.
///
/// ```
/// use std::time::Duration;
/// use cordboard_sip::bans::{BanRule, Bans, Offence};
/// let rule = BanRule { offences: 2, ..BanRule::default() };
/// let (mut bans, source) = (Bans::new(rule), "192.0.2.1".parse()?);
/// let now = Duration::ZERO;
/// assert_eq!(bans.offended(now, source), Offence::Counted);
/// assert_eq!(bans.offended(now, source), Offence::Banned);
/// assert!(bans.is_banned(now + Duration::from_secs(299), source));
/// assert!(!bans.is_banned(now + Duration::from_secs(300), source));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bans {
    rule: BanRule,
    sources: HashMap<IpAddr, Record>,
    swept: Option<Duration>,
}

impl Bans {
    /// Nobody is banned.
    #[must_use]
    pub fn new(rule: BanRule) -> Self {
        Self { rule, sources: HashMap::new(), swept: None }
    }

    /// Whether this source is not to be listened to.
    #[must_use]
    pub fn is_banned(&self, now: Duration, source: IpAddr) -> bool {
        let record = self.sources.get(&network(source));
        record.and_then(|it| it.banned_until).is_some_and(|until| now < until)
    }

    /// Sources banned at present.
    #[must_use]
    pub fn banned(&self, now: Duration) -> usize {
        let banned = |it: &&Record| it.banned_until.is_some_and(|until| now < until);
        self.sources.values().filter(banned).count()
    }

    /// Counts an offence.
    pub fn offended(&mut self, now: Duration, source: IpAddr) -> Offence {
        let source = network(source);
        if !self.sources.contains_key(&source) && !self.has_room(now) {
            return Offence::NoRoom;
        }
        let rule = self.rule;
        let fresh = Record { since: now, offences: 0, banned_until: None };
        let record = self.sources.entry(source).or_insert(fresh);
        if is_over(record, now, rule) {
            *record = fresh;
        }
        record.offences = record.offences.saturating_add(1);
        if record.offences < rule.offences {
            return Offence::Counted;
        }
        record.banned_until.get_or_insert(now + rule.ban);
        Offence::Banned
    }

    /// Looks for room, forgetting what is over: at most once a window, for it visits all.
    fn has_room(&mut self, now: Duration) -> bool {
        let due = self.swept.is_none_or(|it| now >= it + self.rule.window);
        if self.sources.len() >= MOST_SOURCES && due {
            let rule = self.rule;
            self.sources.retain(|_, record| !is_over(record, now, rule));
            self.swept = Some(now);
        }
        self.sources.len() < MOST_SOURCES
    }
}

fn is_over(record: &Record, now: Duration, rule: BanRule) -> bool {
    now >= record.banned_until.unwrap_or(record.since + rule.window)
}

/// One subscriber has a /64 of IPv6 to send from.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn ip(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn a_hundred_offences_in_two_seconds_ban_for_five_minutes() {
        let mut bans = Bans::new(BanRule::default());
        for number in 0..99 {
            assert_eq!(bans.offended(MS * number * 20, ip(1)), Offence::Counted);
        }
        let at = MS * 1_990;
        assert!(!bans.is_banned(at, ip(1)));
        assert_eq!(bans.offended(at, ip(1)), Offence::Banned);
        assert!(bans.is_banned(at + Duration::from_secs(299), ip(1)));
        assert_eq!((bans.banned(at), bans.is_banned(at, ip(2))), (1, false));
        let over = at + Duration::from_secs(300);
        assert!(!bans.is_banned(over, ip(1)));
        assert_eq!(bans.offended(over, ip(1)), Offence::Counted);
    }

    #[test]
    fn a_slow_offender_is_never_banned() {
        let mut bans = Bans::new(BanRule::default());
        // 49 a second, for ten minutes.
        for number in 0..29_400 {
            let now = Duration::from_secs(1) * number / 49;
            assert_eq!(bans.offended(now, ip(1)), Offence::Counted);
        }
    }

    #[test]
    fn a_ban_is_not_made_longer_by_further_offences() {
        let mut bans = Bans::new(BanRule { offences: 1, ..BanRule::default() });
        bans.offended(Duration::ZERO, ip(1));
        bans.offended(Duration::from_secs(299), ip(1));
        assert!(!bans.is_banned(Duration::from_secs(300), ip(1)));
    }

    #[test]
    fn forged_sources_fill_no_memory_and_room_comes_back() {
        let mut bans = Bans::new(BanRule::default());
        let most = u32::try_from(MOST_SOURCES).unwrap();
        for number in 0..most {
            assert_eq!(bans.offended(Duration::ZERO, ip(number)), Offence::Counted);
        }
        for number in most..3 * most {
            assert_eq!(bans.offended(MS * 1_000, ip(number)), Offence::NoRoom);
        }
        assert_eq!(bans.sources.len(), MOST_SOURCES);
        assert_eq!(bans.offended(MS * 4_000, ip(most)), Offence::Counted);
        assert_eq!(bans.sources.len(), 1);
    }

    #[test]
    fn addresses_of_one_subscriber_are_one_source() {
        let mut bans = Bans::new(BanRule { offences: 2, ..BanRule::default() });
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        bans.offended(Duration::ZERO, at("2001:db8::1"));
        bans.offended(Duration::ZERO, at("2001:db8::2"));
        bans.offended(Duration::ZERO, at("::ffff:192.0.2.1"));
        bans.offended(Duration::ZERO, at("192.0.2.1"));
        assert!(bans.is_banned(Duration::ZERO, at("2001:db8::3")));
        assert!(!bans.is_banned(Duration::ZERO, at("2001:db8:0:1::1")));
        assert!(bans.is_banned(Duration::ZERO, at("192.0.2.1")));
    }
}
