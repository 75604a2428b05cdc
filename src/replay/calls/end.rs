//! The caller's end of the line: a phone, or what a browser does.

use std::net::IpAddr;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_sip::dtmf::{Digit, KeyReceiver};
use cordboard_sip::endpoint::LegSignal;
use crossbeam_channel::Receiver;

use super::super::line::{self as sip, Fate, Signals};
use super::browser as web;
use super::take::Ending;
use super::whip::{News, Whip, WhipFault};
use crate::call::{EncodedFrame, LegCommand, LegEvent};
use crate::leg::PhoneLeg;

/// One end.
pub(super) enum LineEnd {
    /// SIP and RTP.
    Phone { leg: Box<PhoneLeg>, signals: Signals },
    /// WHIP.
    Browser(Browser),
}

/// A browser's end.
#[derive(Default)]
pub(super) struct Browser {
    whip: Option<Whip>,
    /// What comes, once it is connected.
    came: Option<Receiver<web::Came>>,
    /// Whether the far end takes keys, and those that it presses.
    takes_keys: bool,
    keys: KeyReceiver,
}

/// What has become of the call.
#[derive(Debug)]
pub(super) enum Told {
    /// The far end has answered.
    Answered,
    /// It is over, or has not come to be.
    Over(Ending),
    /// The far end asks for a transfer: to whom.
    Referred(String),
}

/// What has come.
pub(super) enum Came<'a> {
    /// A packet, with when it came (monotonic) where that is known.
    Sound { at: Option<Duration>, codec: Codec, ssrc: u32, timestamp: u32, payload: &'a [u8] },
    /// A key of the far end's.
    Key(char),
}

impl LineEnd {
    /// A browser's that has begun to call.
    pub(super) fn browser(whip: Whip) -> Self {
        Self::Browser(Browser { whip: Some(whip), ..Browser::default() })
    }

    /// What the signalling says next.
    pub(super) fn told(&mut self, answered: bool) -> Option<Told> {
        match self {
            Self::Phone { leg, signals } => {
                while let Ok(signal) = signals.try_recv() {
                    if let Some(told) = phone_told(leg, signal, answered) {
                        return Some(told);
                    }
                }
                None
            }
            Self::Browser(browser) => browser.told(),
        }
    }

    /// Where sound would go that may not, of those allowed.
    pub(super) fn elsewhere(&self, allowed: &[IpAddr]) -> Option<IpAddr> {
        match self {
            Self::Phone { leg, .. } => {
                leg.far_addresses().map(|it| it.ip()).find(|it| !allowed.contains(it))
            }
            // Told before the answer was taken.
            Self::Browser(_) => None,
        }
    }

    /// Gives what has come; `wall` is how far wall time is ahead of the monotonic clock.
    pub(super) fn listen(
        &mut self,
        time: MediaTime,
        wall: Duration,
        mut give: impl FnMut(Came<'_>),
    ) {
        match self {
            Self::Phone { leg, .. } => {
                let mut buffer = [0; 1_500];
                leg.refill(time);
                loop {
                    // The stamp is that of the datagram which the event is of.
                    let event = leg.poll(time, &mut buffer);
                    match event {
                        Some(LegEvent::Packet(packet)) => {
                            let (codec, ssrc, timestamp) =
                                (packet.codec, packet.ssrc, packet.timestamp);
                            let payload = packet.payload;
                            let at = leg.arrived().map(|it| it.saturating_sub(wall));
                            give(Came::Sound { at, codec, ssrc, timestamp, payload });
                        }
                        Some(LegEvent::Digit { digit, .. }) => give(Came::Key(digit)),
                        Some(_) => {}
                        None => return,
                    }
                }
            }
            Self::Browser(browser) => browser.listen(time, give),
        }
    }

    /// Picks up.
    pub(super) fn answer(&mut self) {
        if let Self::Phone { leg, .. } = self {
            leg.command(&LegCommand::Answer);
        }
    }

    /// What is sent.
    pub(super) fn codec(&self) -> Codec {
        match self {
            Self::Phone { leg, .. } => leg.codec().unwrap_or(Codec::Pcmu),
            Self::Browser(_) => Codec::Opus,
        }
    }

    /// Sends 20 ms, or lets them be lost on the way.
    pub(super) fn send(&mut self, frame: &EncodedFrame, is_lost: bool) {
        match self {
            Self::Phone { leg, .. } if is_lost => leg.lose(frame),
            Self::Phone { leg, .. } => leg.command(&LegCommand::Send(*frame)),
            Self::Browser(Browser { whip: Some(whip), .. }) if is_lost => whip.lose(),
            Self::Browser(Browser { whip: Some(whip), .. }) => {
                whip.send(&frame.payload[..frame.len]);
            }
            Self::Browser(Browser { whip: None, .. }) => {}
        }
    }

    /// Presses a key; whether the far end takes any.
    pub(super) fn press(&mut self, digit: char, duration_ms: u32) -> bool {
        match self {
            Self::Phone { leg, .. } => {
                leg.command(&LegCommand::SendDigit { digit, duration_ms });
                true
            }
            Self::Browser(browser) => {
                if let Some(whip) = browser.whip.as_ref().filter(|_| browser.takes_keys) {
                    whip.press(digit, duration_ms);
                }
                browser.takes_keys
            }
        }
    }

    /// Hangs up, and sends nothing to where the sound would go.
    pub(super) fn leave(&mut self) {
        match self {
            Self::Phone { leg, .. } => leg.leave(),
            Self::Browser(browser) => browser.whip = None,
        }
    }

    /// Hangs up.
    pub(super) fn hang_up(&mut self) {
        match self {
            Self::Phone { leg, .. } => leg.command(&LegCommand::Hangup),
            Self::Browser(browser) => browser.whip = None,
        }
    }
}

impl Browser {
    fn told(&mut self) -> Option<Told> {
        let news = self.whip.as_ref()?.news.try_recv().ok()?;
        Some(match news {
            News::Connected { came, takes_keys } => {
                (self.came, self.takes_keys) = (Some(came), takes_keys);
                Told::Answered
            }
            News::Ended => Told::Over(Ending::Far),
            News::Failed(WhipFault::Elsewhere(address)) => Told::Over(Ending::Elsewhere(address)),
            News::Failed(WhipFault::Refused { code, .. }) => Told::Over(Ending::Refused(code)),
            News::Failed(fault) => Told::Over(Ending::Unplaced(fault.to_string())),
        })
    }

    fn listen(&mut self, time: MediaTime, mut give: impl FnMut(Came<'_>)) {
        let Some(came) = &self.came else { return };
        let now = time.since(MediaTime::ZERO);
        for web::Came { at, keys_hz, timestamp, ssrc, payload, .. } in came.try_iter() {
            if let Some(hz) = keys_hz {
                self.keys.set_clock(hz);
                let pressed = |it: Digit| give(Came::Key(it.key.sign()));
                self.keys.packet(now, timestamp, &payload, pressed);
                continue;
            }
            let (at, codec) = (Some(at), Codec::Opus);
            give(Came::Sound { at, codec, ssrc, timestamp, payload: &payload });
        }
        if let Some(pressed) = self.keys.poll(now) {
            give(Came::Key(pressed.key.sign()));
        }
    }
}

fn phone_told(leg: &mut PhoneLeg, signal: LegSignal, answered: bool) -> Option<Told> {
    Some(match sip::told(leg, signal, answered)? {
        Fate::Answered => Told::Answered,
        Fate::Over => Told::Over(Ending::Far),
        Fate::Referred(to) => Told::Referred(to),
        Fate::Refused(code @ 300..=399) => Told::Over(Ending::Redirected(code)),
        // Our own word for silence (RFC 3261 §8.1.3.1).
        Fate::Refused(408) => Told::Over(Ending::NoAnswer),
        Fate::Refused(code) => Told::Over(Ending::Refused(code)),
    })
}
