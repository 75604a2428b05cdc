//! A caller's phone: the scenario's sound out, the far end's in, 20 ms at a time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::codec::{Codec, Decoder};
use cordboard_audio::halfband::Halver;
use cordboard_audio::{MediaTime, SampleRate};

use super::super::mouth::{KEY_MS, Mouth};
use super::super::script::{Act, Script};
use super::end::{Came, LineEnd, Told};
use super::far::{Arrived, FarSound};
use super::scenario::Scenario;
use super::take::{Done, Ending, Take};
use super::weather::{Sky, Weather};

/// What is listened along to is this old, as in a phone with such a buffer: it has come by then.
const ALONG: Duration = super::far::BUFFER;
const TICK: Duration = Duration::from_millis(20);
/// After the last deed a caller listens on until the far end has been quiet for so long.
const LINGERS: Duration = Duration::from_millis(2_500);
/// Who is owed a human looks for one in what came so lately: a sentence of theirs and its pauses.
const LOOKS_BACK: Duration = Duration::from_secs(14);

/// A call under way.
pub(super) struct Caller {
    line: LineEnd,
    /// Where sound may go.
    allowed: Arc<[IpAddr]>,
    script: Script,
    decoder: Decoder,
    halver: Halver,
    sky: Sky,
    mouth: Mouth,
    placed: Duration,
    /// How long the answer is waited for.
    patience: Duration,
    answered: Option<Duration>,
    has_heard_human: bool,
    take: Take,
    over: bool,
}

impl Caller {
    pub(super) fn new(
        line: LineEnd,
        take: Take,
        weather: Arc<Weather>,
        (allowed, patience, placed): (Arc<[IpAddr]>, Duration, Duration),
    ) -> Self {
        let script = take.scenario.script();
        let sky = Sky::new(weather, take.number as u64);
        Self {
            line,
            allowed,
            script,
            decoder: Decoder::new(Codec::Pcmu),
            halver: Halver::new(),
            sky,
            mouth: Mouth::new(),
            placed,
            patience,
            answered: None,
            has_heard_human: false,
            take,
            over: false,
        }
    }

    /// What came of it, once it is over.
    pub(super) fn finish(&mut self) -> Option<Take> {
        if !self.over {
            return None;
        }
        let scenario = self.take.scenario.clone();
        let empty = unanswered(0, scenario, String::new(), 0, Ending::Stopped);
        Some(std::mem::replace(&mut self.take, empty))
    }

    /// Ends it with the run.
    pub(super) fn stop(&mut self, now: Duration) {
        self.end(now, Ending::Stopped);
    }

    /// 20 ms. `now` is monotonic; `wall` is how far wall time is ahead of it.
    pub(super) fn tick(&mut self, now: Duration, wall: Duration) {
        while let Some(told) = self.line.told(self.answered.is_some()) {
            match told {
                Told::Answered => self.begin(now),
                Told::Over(ending) => return self.close(now, ending),
                Told::Referred(to) => drop(self.take.referred.get_or_insert(to)),
            }
            if self.over {
                return;
            }
        }
        let Some(answered) = self.answered else {
            if now.saturating_sub(self.placed) > self.patience {
                self.end(now, Ending::NoAnswer);
            }
            return;
        };
        // Each time: a far end may move in the call.
        if let Some(address) = self.line.elsewhere(&self.allowed) {
            self.line.leave();
            return self.close(now, Ending::Elsewhere(address));
        }
        self.listen(now, answered, wall);
        let elapsed = now - answered;
        self.act(elapsed);
        if self.over {
            return;
        }
        self.speak(elapsed);
        if elapsed >= self.take.scenario.limit {
            self.end(now, Ending::Limit);
        }
    }

    fn begin(&mut self, now: Duration) {
        self.take.answered_after = Some(now - self.placed);
        self.answered = Some(now);
    }

    /// Takes what has come.
    fn listen(&mut self, now: Duration, answered: Duration, wall: Duration) {
        let Self { line, sky, take, decoder, halver, .. } = self;
        line.listen(MediaTime::ZERO + (now - self.placed), wall, |came| match came {
            Came::Sound { at, codec, ssrc, timestamp, payload } if !sky.loses() => {
                let at = at.unwrap_or(now).saturating_sub(answered);
                let ticks = codec.clock_hz() / 8_000;
                let arrived = Arrived { at, ssrc, timestamp, ticks };
                place(&mut take.far, decoder, halver, arrived, (codec, payload));
            }
            Came::Sound { .. } => {}
            Came::Key(key) => take.far_keys.push(key),
        });
    }

    fn act(&mut self, elapsed: Duration) {
        let heard = elapsed.saturating_sub(ALONG + TICK);
        let far = self.take.far.frame(heard);
        let busy = self.mouth.is_busy();
        let Some(act) = self.script.hear(&far, busy) else {
            let nothing_left = self.script.is_over() && !busy;
            let is_quiet = self.script.quiet_for() >= LINGERS;
            if nothing_left && is_quiet && self.ends_itself(elapsed) {
                self.end_at(elapsed, Ending::Done);
            }
            return;
        };
        let deed = self.script.taken() - 1;
        self.take.done.push(Done { deed, began: elapsed, ended: elapsed });
        match act {
            Act::Say(samples) => self.mouth.say(samples),
            Act::Key(keys) => self.mouth.key(&keys),
            Act::Stay(long) => self.done(elapsed + long),
            Act::HangUp => self.end_at(elapsed, Ending::Done),
        }
    }

    /// Whether a caller who has done all hangs up; who is owed the far end's goodbye, or a human,
    /// waits for it.
    fn ends_itself(&mut self, elapsed: Duration) -> bool {
        let expect = &self.take.scenario.expect;
        if expect.ends == Some(super::scenario::End::Far) {
            return false;
        }
        let (Some(human), Some(words)) = (expect.human, &self.take.human) else { return true };
        if human.within.is_some_and(|it| elapsed > it) || self.has_heard_human {
            return true;
        }
        // To look takes milliseconds: once a silence, and once more as it goes on.
        if self.script.quiet_for().as_millis().is_multiple_of(LINGERS.as_millis()) {
            let from = elapsed.saturating_sub(LOOKS_BACK).as_millis() as usize * 8;
            let late = self.take.far.samples.get(from..).unwrap_or_default();
            self.has_heard_human = words.first_in(late).is_some();
        }
        self.has_heard_human
    }

    fn done(&mut self, at: Duration) {
        if let Some(last) = self.take.done.last_mut() {
            last.ended = at;
        }
    }

    fn speak(&mut self, elapsed: Duration) {
        let (mut frame, ended) = self.mouth.speak();
        if let Some(count) = ended {
            self.done(elapsed + Duration::from_millis(count as u64 / 8));
        }
        self.sky.air(&mut frame);
        let encoded = self.mouth.encode(&frame, self.line.codec());
        let line = &mut self.line;
        self.sky.way(encoded, |frame| match frame {
            Some(frame) => line.send(frame, false),
            None => line.send(&encoded, true),
        });
        if let Some(digit) = self.mouth.press() {
            if !self.line.press(digit, KEY_MS) {
                return self.end_at(elapsed, Ending::TakesNoKeys);
            }
            self.done(elapsed + Duration::from_millis(u64::from(KEY_MS)));
        }
    }

    fn end(&mut self, now: Duration, ending: Ending) {
        self.line.hang_up();
        self.close(now, ending);
    }

    fn end_at(&mut self, elapsed: Duration, ending: Ending) {
        let answered = self.answered.unwrap_or(self.placed);
        self.end(answered + elapsed, ending);
    }

    fn close(&mut self, now: Duration, ending: Ending) {
        if self.over {
            return;
        }
        self.over = true;
        self.take.taken = self.script.taken();
        self.take.lasted = self.answered.map_or(Duration::ZERO, |it| now.saturating_sub(it));
        self.take.ending = ending;
    }
}

/// A call of which nothing is known yet, or which never came to be.
pub(super) fn unanswered(
    number: usize,
    scenario: Arc<Scenario>,
    from: String,
    wall_unix_ms: u64,
    ending: Ending,
) -> Take {
    Take {
        number,
        scenario,
        from,
        wall_unix_ms,
        answered_after: None,
        lasted: Duration::ZERO,
        done: Vec::new(),
        taken: 0,
        far: FarSound::default(),
        far_keys: String::new(),
        referred: None,
        human: None,
        ending,
    }
}

fn place(
    far: &mut FarSound,
    decoder: &mut Decoder,
    halver: &mut Halver,
    arrived: Arrived,
    (codec, payload): (Codec, &[u8]),
) {
    if decoder.codec() != codec {
        *decoder = Decoder::new(codec);
    }
    let mut sound = [0.0; cordboard_audio::FRAME_SAMPLES_MAX * 3];
    let count = decoder.decode_into(payload, &mut sound).min(sound.len());
    if codec.rate() == SampleRate::NARROW {
        return far.place(arrived, &sound[..count]);
    }
    let mut narrow = [0.0; cordboard_audio::FRAME_SAMPLES_MAX * 2];
    let mut halved = 0;
    for part in sound[..count & !1].chunks(320) {
        halved += halver.push_into(part, &mut narrow[halved..]);
    }
    far.place(arrived, &narrow[..halved]);
}
