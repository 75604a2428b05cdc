//! What is laid over a call: level and noise on the voice, loss and jitter on the way.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::call::EncodedFrame;

/// What is laid over each call.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// Gain of the caller's voice, dB.
    pub gain_db: f32,
    /// Noise at the caller's end, 8 kHz, over and over.
    pub noise: Option<Arc<[f32]>>,
    /// Share of packets that are lost, each way, 0 to 1.
    pub loss: f32,
    /// A packet of the caller's comes so much later at most, ms.
    pub jitter_ms: u32,
}

/// The weather of one call.
#[derive(Debug)]
pub(super) struct Sky {
    weather: Arc<Weather>,
    chance: StdRng,
    gain: f32,
    at: usize,
    held: VecDeque<(u64, Option<EncodedFrame>)>,
    tick: u64,
}

impl Sky {
    pub(super) fn new(weather: Arc<Weather>, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let gain = 10.0_f32.powf(weather.gain_db / 20.0);
        let long = weather.noise.as_ref().map_or(1, |noise| noise.len());
        let at = chance.random_range(0..long.max(1));
        Self { weather, chance, gain, at, held: VecDeque::new(), tick: 0 }
    }

    /// The caller's 20 ms as they reach the phone.
    pub(super) fn air(&mut self, voice: &mut [f32]) {
        if self.weather.gain_db != 0.0 {
            voice.iter_mut().for_each(|sample| *sample *= self.gain);
        }
        if let Some(noise) = self.weather.noise.as_ref().filter(|it| !it.is_empty()) {
            for sample in voice {
                *sample = (*sample + noise[self.at % noise.len()]).clamp(-1.0, 1.0);
                self.at += 1;
            }
        }
    }

    /// Whether a packet of the far end's is lost.
    pub(super) fn loses(&mut self) -> bool {
        self.weather.loss > 0.0 && self.chance.random::<f32>() < self.weather.loss
    }

    /// Takes a packet of the caller's and gives those that go now; none is one that is lost.
    pub(super) fn way(&mut self, frame: EncodedFrame, mut go: impl FnMut(Option<&EncodedFrame>)) {
        let frame = if self.loses() { None } else { Some(frame) };
        if self.weather.jitter_ms == 0 {
            return go(frame.as_ref());
        }
        self.tick += 1;
        let late = self.chance.random_range(0..=u64::from(self.weather.jitter_ms / 20));
        let last = self.held.back().map_or(0, |(due, _)| *due);
        self.held.push_back(((self.tick + late).max(last), frame));
        while let Some((_, frame)) = self.held.pop_front_if(|(due, _)| *due <= self.tick) {
            go(frame.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_goes_once_or_is_lost_and_none_overtakes_another() {
        let weather = Weather { loss: 0.1, jitter_ms: 80, ..Weather::default() };
        let mut sky = Sky::new(Arc::new(weather), 3);
        let (mut went, mut lost) = (Vec::new(), 0);
        for number in 0..1_000_u32 {
            let mut frame = EncodedFrame { len: 4, payload: [0; 320] };
            frame.payload[..4].copy_from_slice(&number.to_be_bytes());
            sky.way(frame, |frame| match frame {
                Some(frame) => {
                    went.push(u32::from_be_bytes(frame.payload[..4].try_into().unwrap()));
                }
                None => lost += 1,
            });
        }
        assert!(went.is_sorted(), "in order");
        assert!((990..=1_000).contains(&(went.len() + lost)), "{} and {lost}", went.len());
        assert!((50..200).contains(&lost), "{lost}");
    }

    #[test]
    fn noise_is_added_and_the_voice_is_as_loud_as_asked() {
        let noise: Arc<[f32]> = vec![0.01; 10].into();
        let weather = Weather { gain_db: -20.0, noise: Some(noise), ..Weather::default() };
        let mut voice = [0.5; 160];
        Sky::new(Arc::new(weather), 1).air(&mut voice);
        assert!(voice.iter().all(|it| (it - 0.06).abs() < 1e-4), "{:?}", &voice[..3]);
    }
}
