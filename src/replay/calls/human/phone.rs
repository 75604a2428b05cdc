//! A human's phone at work: rings, is picked up, listens and speaks, 20 ms at a time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_audio::codec::{Codec, Decoder};
use cordboard_sip::endpoint::Incoming;
use tokio::sync::mpsc;

use super::super::super::line::PhoneLine;
use super::super::super::mouth::{KEY_MS, Mouth};
use super::super::super::script::is_speech;
use super::super::end::{Came, LineEnd, Told};
use super::manner::{Manner, Next};
use super::{HumanTally, HumanWords, Humans};

/// One phone, and the call that it is in.
pub(in super::super) struct HumanPhone {
    line: PhoneLine,
    incoming: mpsc::Receiver<Incoming>,
    call: Option<Call>,
    /// Where sound may go.
    allowed: Arc<[IpAddr]>,
    rings_for: Duration,
    keys: String,
    words: Arc<HumanWords>,
    tally: HumanTally,
}

impl HumanPhone {
    pub(super) fn new(
        (line, incoming): (PhoneLine, mpsc::Receiver<Incoming>),
        humans: &Humans,
        allowed: Arc<[IpAddr]>,
    ) -> Self {
        Self {
            line,
            incoming,
            call: None,
            allowed,
            rings_for: humans.rings_for,
            keys: humans.keys.clone(),
            words: humans.words.clone(),
            tally: HumanTally::default(),
        }
    }

    pub(super) const fn line(&self) -> &PhoneLine {
        &self.line
    }

    /// What has come to it so far.
    pub(in super::super) const fn tally(&self) -> HumanTally {
        self.tally
    }

    /// Whether it is in a call.
    pub(in super::super) const fn is_busy(&self) -> bool {
        self.call.is_some()
    }

    /// Hangs up.
    pub(in super::super) fn hang_up(&mut self) {
        if let Some(mut call) = self.call.take() {
            call.line.hang_up();
        }
    }

    /// 20 ms; `now` is monotonic.
    pub(in super::super) fn tick(&mut self, now: Duration) {
        while let Ok(incoming) = self.incoming.try_recv() {
            self.rung(incoming, now);
        }
        let Some(call) = self.call.as_mut() else { return };
        let was_answered = call.manner.is_some();
        let goes_on = call.tick(now, self.rings_for, (&self.keys, &self.words), &self.allowed);
        self.tally.answered += u64::from(!was_answered && call.manner.is_some());
        if !goes_on {
            self.call = None;
        }
    }

    fn rung(&mut self, incoming: Incoming, now: Duration) {
        self.tally.rung += 1;
        if self.call.is_some() {
            self.tally.busy += 1;
            incoming.leg.line.refuse(486, None);
            return;
        }
        // What speaks none of our codecs has been refused with 488.
        let Ok((leg, signals)) = self.line.take(incoming) else { return };
        let mut line = LineEnd::Phone { leg: Box::new(leg), signals };
        if let Some(address) = line.elsewhere(&self.allowed) {
            self.tally.elsewhere = Some(address);
            line.leave();
            return;
        }
        self.call = Some(Call {
            line,
            rang: now,
            is_picked_up: false,
            manner: None,
            decoder: Decoder::new(Codec::Pcmu),
            mouth: Mouth::new(),
        });
    }
}

/// A call that rings or is talked in.
struct Call {
    line: LineEnd,
    rang: Duration,
    is_picked_up: bool,
    /// From the answer on.
    manner: Option<Manner>,
    decoder: Decoder,
    mouth: Mouth,
}

impl Call {
    /// Whether the call goes on.
    fn tick(
        &mut self,
        now: Duration,
        rings_for: Duration,
        (keys, words): (&str, &HumanWords),
        allowed: &[IpAddr],
    ) -> bool {
        while let Some(told) = self.line.told(self.manner.is_some()) {
            match told {
                Told::Answered => self.manner = Some(Manner::new(now, !keys.is_empty())),
                Told::Over(_) => return false,
                Told::Referred(_) => {}
            }
        }
        // Each time: a far end may move in the call.
        if self.line.elsewhere(allowed).is_some() {
            self.line.leave();
            return false;
        }
        if !self.is_picked_up && now.saturating_sub(self.rang) >= rings_for {
            self.is_picked_up = true;
            self.line.answer();
        }
        let Some(mut manner) = self.manner else { return true };
        let speaks = self.listen(now);
        match manner.tick(now, speaks, self.mouth.is_busy()) {
            Some(Next::Keys) => self.mouth.key(keys),
            Some(Next::Greeting) => self.mouth.say(words.greeting.clone()),
            Some(Next::Sentence(number)) => {
                let sentences = &words.sentences;
                self.mouth.say(sentences[number % sentences.len()].clone());
            }
            None => {}
        }
        self.manner = Some(manner);
        self.speak();
        true
    }

    /// Whether there is speech in what has come.
    fn listen(&mut self, now: Duration) -> bool {
        let Self { line, decoder, rang, .. } = self;
        let mut speaks = false;
        line.listen(MediaTime::ZERO + (now - *rang), Duration::ZERO, |came| {
            let Came::Sound { codec, payload, .. } = came else { return };
            if decoder.codec() != codec {
                *decoder = Decoder::new(codec);
            }
            let mut sound = [0.0; cordboard_audio::FRAME_SAMPLES_MAX * 3];
            let count = decoder.decode_into(payload, &mut sound).min(sound.len());
            speaks |= is_speech(&sound[..count]);
        });
        speaks
    }

    fn speak(&mut self) {
        let (frame, _) = self.mouth.speak();
        let encoded = self.mouth.encode(&frame, self.line.codec());
        self.line.send(&encoded, false);
        if let Some(digit) = self.mouth.press() {
            self.line.press(digit, KEY_MS);
        }
    }
}
