//! Which recordings the material is made of, what each is good for, and to which half it belongs.
//!
//! A row names a file, and a window of it where the file holds more than one utterance. Rows of one
//! file, and files of one speaker or noise, are all in one half. Only an utterance that is whole
//! has the role [`Role::Turn`]: its end is a true end. Windows were set by level and by what the
//! references of the recordings say. Recordings in MP3 and FLAC are left out: nothing here reads
//! them.

use super::label::Half::{self, Report, Settings};

/// What a row may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A whole utterance.
    Turn,
    /// Digits as they were spoken, so many.
    Number(u32),
    /// A yes or a no.
    YesNo,
    /// Speech whose end is not sure: good for speaking over the assistant.
    Over,
    /// An acknowledgement.
    Backchannel,
    /// A voiced sound without words: hums are made of it.
    Hum,
    /// Digits one by one: `{digit}`, `{word}` and `{take}` in the path; so many takes.
    Digits(u32),
    /// What the assistant says.
    Assistant,
    /// Many voices.
    Babble,
    /// A noise that begins and ends.
    Burst,
    /// A noise that goes on.
    Background,
    /// An impulse response.
    Place,
}

/// One use of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) half: Half,
    pub(super) role: Role,
    /// Under the folder of sources.
    pub(super) path: &'static str,
    /// Begin and end of what is used, ms; the whole file without it.
    pub(super) window: Option<(u32, u32)>,
    /// Its words, where the window is not the file or no reference has them.
    pub(super) text: Option<&'static str>,
}

/// The rows.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    pub(super) rows: Vec<Row>,
}

const fn file(half: Half, role: Role, path: &'static str) -> Row {
    Row { half, role, path, window: None, text: None }
}

const fn part(half: Half, role: Role, path: &'static str, from_ms: u32, to_ms: u32) -> Row {
    Row { half, role, path, window: Some((from_ms, to_ms)), text: None }
}

impl Row {
    const fn says(mut self, text: &'static str) -> Self {
        self.text = Some(text);
        self
    }
}

impl Catalogue {
    /// That of the recordings in `data/audio`.
    pub(super) fn builtin() -> Self {
        Self { rows: [settings(), report()].concat() }
    }

    pub(super) fn of(&self, half: Half, role: Role) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.half == half && row.role == role).collect()
    }
}

const CHROMECAST: &str = "calls/commercial_mono.wav";
const JFK: &str = "and so my fellow americans ask not what your country can do for you ask what \
                   you can do for your country";
const SAMPLE: &str = "conversation/pyannote_sample.wav";
const KATIE: &str = "calls/az_katiesteve.wav";
const HARVARD: &str = "asr8k/OSR_us_000_0034_8k.wav";
const CITIES: &str = "asr16k/two_cities_16k.wav";

/// Turns of a telephone order, of a telephone talk, and read sentences.
fn settings() -> Vec<Row> {
    use Role::*;
    let s = |role, path| file(Settings, role, path);
    let p = |role, path, from, to| part(Settings, role, path, from, to);
    let mut rows = vec![
        p(Turn, CHROMECAST, 4_450, 8_900).says(
            "hi i'd like to buy a chromecast and i was wondering whether you could help me with \
             that",
        ),
        p(Turn, CHROMECAST, 10_200, 14_100)
            .says("certainly which color would you like we have blue black and red"),
        p(Turn, CHROMECAST, 15_200, 16_900).says("let's go with the black one"),
        p(Turn, CHROMECAST, 18_100, 23_500)
            .says("would you like the new chromecast ultra model or the regular chromecast"),
        p(Turn, CHROMECAST, 24_400, 27_400).says("regular chromecast is fine thank you"),
        p(Turn, CHROMECAST, 28_700, 32_600)
            .says("okay sure would you like to ship it regular or express"),
        p(Turn, CHROMECAST, 33_700, 35_000).says("express please"),
        p(Turn, SAMPLE, 10_450, 14_480),
        p(Turn, SAMPLE, 14_800, 18_020),
        p(Turn, SAMPLE, 18_620, 21_700),
        p(Over, SAMPLE, 21_700, 27_800),
        p(Turn, "asr16k/jfk.wav", 0, 10_500).says(JFK),
        s(Over, "asr16k/numbers.raw"),
        s(Turn, "asr16k/something.raw").says("go somewhere and do something"),
        s(YesNo, "turns/tau2_ulaw/yes.ulaw"),
        s(YesNo, "turns/tau2_ulaw/no.ulaw"),
        s(Backchannel, "turns/tau2_ulaw/yes.ulaw"),
        p(Backchannel, CHROMECAST, 28_800, 29_550),
        p(Backchannel, CHROMECAST, 29_750, 30_420),
        // Acknowledgements of a meeting, far from the microphone (AMI).
        p(Backchannel, "conversation/trn01.wav", 2_950, 3_420),
        p(Backchannel, "conversation/trn01.wav", 22_220, 22_760),
        p(Backchannel, "conversation/trn01.wav", 18_780, 19_300),
        p(Hum, CHROMECAST, 39_770, 40_160),
        s(Digits(8), "fsdd8k/{digit}_george_{take}.wav"),
        s(Digits(8), "fsdd8k/{digit}_jackson_{take}.wav"),
        s(Digits(4), "alnum/{word}/petewarden_nohash_{take}.wav"),
        p(Assistant, CITIES, 1_150, 4_420),
        p(Assistant, CITIES, 4_980, 8_020),
        p(Assistant, CITIES, 8_780, 12_800),
        p(Assistant, CITIES, 13_440, 16_500),
        p(Assistant, CITIES, 17_530, 20_480),
        p(Assistant, CITIES, 21_210, 23_820),
        p(Assistant, CITIES, 24_610, 28_300),
        p(Assistant, CITIES, 29_070, 36_520),
        s(Babble, "noise/tau2_people_talking.wav"),
        s(Burst, "noise/tau2_dog_bark.wav"),
        s(Burst, "noise/tau2_ringing_phone.wav"),
        s(Burst, "noise/tau2_engine_idling.wav"),
        p(Burst, "noise/sb_noise2.wav", 0, 1_500),
        p(Burst, "noise/sb_noise4.wav", 1_000, 3_400),
        s(Background, "noise/office-ambience-8000-mono.wav"),
        s(Place, "rir/rir1.wav"),
        s(Place, "rir/rir4.wav"),
    ];
    rows.extend(SETTINGS_WHOLE.map(|path| s(Turn, path)));
    rows
}

const SETTINGS_WHOLE: [&str; 23] = [
    "asr16k/goforward.raw",
    "asr16k/cards/001.wav",
    "asr16k/cards/002.wav",
    "asr16k/cards/003.wav",
    "asr16k/cards/004.wav",
    "asr16k/cards/005.wav",
    "asr16k/sb/spk1_snt1.wav",
    "asr16k/sb/spk1_snt2.wav",
    "asr16k/sb/spk1_snt3.wav",
    "asr16k/sb/spk1_snt4.wav",
    "asr16k/sb/spk1_snt5.wav",
    "asr16k/sb/spk1_snt6.wav",
    "turns/tau2_ulaw/hello.ulaw",
    "turns/tau2_ulaw/thank_you.ulaw",
    "turns/tau2_ulaw/hi_how_are_you.ulaw",
    "turns/tau2_ulaw/order_status.ulaw",
    "turns/tau2_ulaw/help_me.ulaw",
    "turns/tau2_ulaw/check_order_12345.ulaw",
    "asr16k/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    "asr16k/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    "asr16k/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    "asr16k/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    "asr16k/librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
];

/// Turns of two who talk about their work, of a tester at a telephone, and read sentences.
fn report() -> Vec<Row> {
    use Role::*;
    let r = |role, path| file(Report, role, path);
    let p = |role, path, from, to| part(Report, role, path, from, to);
    let mut rows = vec![
        p(Turn, KATIE, 0, 1_300),
        p(Turn, KATIE, 1_700, 3_200),
        p(Turn, KATIE, 3_600, 11_700),
        p(Turn, KATIE, 12_100, 20_700),
        p(Turn, KATIE, 21_000, 24_000),
        p(Turn, KATIE, 24_400, 25_800),
        p(Turn, KATIE, 26_200, 28_900),
        p(Turn, "turns/vad.wav", 2_300, 12_400)
            .says("this is something that i am testing to make sure that that is working properly"),
        p(Turn, "turns/billing_department.wav", 300, 2_300).says("billing department"),
        p(Turn, "turns/not_so_sure.wav", 550, 2_700).says("i don't know i'm not so sure"),
        p(YesNo, "turns/yes.wav", 400, 2_000).says("yes"),
        p(YesNo, "turns/nope.wav", 600, 2_200).says("nope"),
        p(Backchannel, "turns/yes.wav", 400, 2_000),
        p(Turn, "conversation/dev00.wav", 1_440, 13_140),
        p(Turn, "conversation/dev00.wav", 13_320, 17_400),
        p(Over, "conversation/trn07.wav", 15_560, 18_500),
        p(Over, "calls/gc_two_channel_16k.wav", 0, 4_800),
        p(Over, "calls/az_callcenter_sample.wav", 2_150, 4_700),
        p(Over, "calls/az_callcenter_sample.wav", 5_100, 8_000),
        // Acknowledgements of meetings (AMI); the last by two at once.
        p(Backchannel, "conversation/trn07.wav", 19_900, 20_270),
        p(Backchannel, "conversation/dev00.wav", 18_060, 18_210),
        p(Backchannel, "conversation/trn08.wav", 10_080, 10_980),
        p(Hum, "turns/vad.wav", 1_040, 2_000),
        r(Number(15), "asr16k/10001-90210-01803.wav"),
        r(Number(5), "asr16k/dhd.2934z.raw"),
        r(Number(3), "utterances/uberi_english.wav"),
        r(Digits(8), "fsdd8k/{digit}_lucas_{take}.wav"),
        r(Digits(8), "fsdd8k/{digit}_theo_{take}.wav"),
        p(Assistant, HARVARD, 1_200, 3_820),
        p(Assistant, HARVARD, 4_730, 6_880),
        p(Assistant, HARVARD, 7_750, 10_060),
        p(Assistant, HARVARD, 10_770, 13_930),
        p(Assistant, HARVARD, 15_190, 17_030),
        p(Assistant, HARVARD, 17_760, 20_420),
        r(Babble, "noise/coffee-shop.wav"),
        r(Burst, "noise/tau2_car_horn.wav"),
        r(Burst, "noise/tau2_siren.wav"),
        r(Burst, "noise/transfer_hold_ring_8000.wav"),
        p(Burst, "noise/sb_noise1.wav", 500, 2_300),
        p(Burst, "noise/sb_noise3.wav", 0, 2_000),
        r(Background, "noise/sb_noise5.wav"),
        r(Place, "rir/rir2.wav"),
        r(Place, "rir/rir3.wav"),
    ];
    let harvard = [
        (21_000, 24_150, "the blind man counted his old coins"),
        (25_100, 28_500, "a severe storm tore down the barn"),
        (29_200, 31_600, "she called his name many times"),
        (32_300, 35_100, "when you hear the bell come quickly"),
    ];
    rows.extend(harvard.map(|(from, to, text)| p(Turn, HARVARD, from, to).says(text)));
    rows.extend(REPORT_WHOLE.map(|path| r(Turn, path)));
    rows
}

const REPORT_WHOLE: [&str; 12] = [
    "utterances/230pm.wav",
    "utterances/book_a_room.wav",
    "utterances/half_an_hour.wav",
    "utterances/two_people.wav",
    "utterances/today.wav",
    "utterances/mountain_view.wav",
    "utterances/gc_brooklyn.wav",
    "utterances/gc_hello.wav",
    "utterances/lk_hello_world.wav",
    "utterances/lk_weather_question.wav",
    "utterances/whatstheweatherlike.wav",
    "utterances/wreck-a-nice-beach.wav",
];
