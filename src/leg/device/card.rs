//! Opening this machine's microphone and loudspeaker (cpal).

use std::time::Duration;

use alsa::Output;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig,
};

use super::{CardRates, Ears, Loudspeaker, Microphone};

/// Why there is nothing to talk with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NoCard {
    /// There is no microphone.
    #[error(
        "no microphone on this machine: {0}; plug one in, or name one as ALSA's default \
         in ~/.asoundrc (arecord -l lists them)"
    )]
    Microphone(cpal::Error),
    /// There is no loudspeaker.
    #[error(
        "no loudspeaker on this machine: {0}; plug one in, or name one as ALSA's default \
         in ~/.asoundrc (aplay -l lists them)"
    )]
    Loudspeaker(cpal::Error),
    /// There is no thread for the microphone's sound.
    #[error("no thread for the microphone's sound: {0}; end something else, and try again")]
    Thread(std::io::Error),
    /// A card that gives no form of sound that we take.
    #[error(
        "the {end} has no form of sound that is taken here ({form}); name it as ALSA's default \
         through a plug (pcm.!default {{ type plug slave.pcm \"hw:0\" }} in ~/.asoundrc)"
    )]
    Form {
        /// "microphone" or "loudspeaker".
        end: &'static str,
        /// What it offers.
        form: String,
    },
}

/// A card that is there.
pub(crate) struct Card {
    microphone: (Device, SupportedStreamConfig),
    loudspeaker: (Device, SupportedStreamConfig),
}

/// A card at work; stops when dropped.
pub(crate) struct Streams {
    _microphone: Stream,
    _loudspeaker: Stream,
}

impl Card {
    /// Finds the default microphone and loudspeaker.
    ///
    /// # Errors
    /// [`NoCard`], whose text says what to do.
    pub(crate) fn find() -> Result<Self, NoCard> {
        // ALSA's library would write its own lines to the terminal, a dozen for one fault.
        drop(Output::local_error_handler());
        let host = cpal::default_host();
        let absent = || cpal::Error::from(ErrorKind::DeviceNotAvailable);
        let microphone =
            host.default_input_device().ok_or_else(absent).map_err(NoCard::Microphone)?;
        let heard = microphone.default_input_config().map_err(NoCard::Microphone)?;
        let loudspeaker =
            host.default_output_device().ok_or_else(absent).map_err(NoCard::Loudspeaker)?;
        let spoken = loudspeaker.default_output_config().map_err(NoCard::Loudspeaker)?;
        Ok(Self { microphone: (microphone, heard), loudspeaker: (loudspeaker, spoken) })
    }

    /// Its rates.
    pub(crate) fn rates(&self) -> CardRates {
        CardRates {
            microphone_hz: self.microphone.1.sample_rate(),
            loudspeaker_hz: self.loudspeaker.1.sample_rate(),
        }
    }

    /// What a fault says of a card whose rates have no whole frames.
    pub(crate) fn unfit(&self) -> NoCard {
        let (heard, spoken) = (&self.microphone.1, &self.loudspeaker.1);
        if heard.sample_rate().is_multiple_of(50) {
            NoCard::Form { end: "loudspeaker", form: format!("{} Hz", spoken.sample_rate()) }
        } else {
            NoCard::Form { end: "microphone", form: format!("{} Hz", heard.sample_rate()) }
        }
    }

    /// Starts both, and the thread that works on what the microphone brings.
    ///
    /// # Errors
    /// [`NoCard`], where the card is taken by somebody else or speaks no form that we do.
    pub(crate) fn start(
        self,
        ears: Ears,
        microphone: Microphone,
        loudspeaker: Loudspeaker,
    ) -> Result<Streams, NoCard> {
        let thread = std::thread::Builder::new().name("microphone".to_owned());
        thread.spawn(move || ears.run()).map_err(NoCard::Thread)?;
        let speaking = speak(&self.loudspeaker.0, &self.loudspeaker.1, loudspeaker)?;
        let hearing = listen(&self.microphone.0, &self.microphone.1, microphone)?;
        speaking.play().map_err(NoCard::Loudspeaker)?;
        hearing.play().map_err(NoCard::Microphone)?;
        Ok(Streams { _microphone: hearing, _loudspeaker: speaking })
    }
}

fn listen(
    device: &Device,
    form: &SupportedStreamConfig,
    microphone: Microphone,
) -> Result<Stream, NoCard> {
    match form.sample_format() {
        SampleFormat::F32 => listen_as::<f32>(device, form, microphone),
        SampleFormat::I16 => listen_as::<i16>(device, form, microphone),
        SampleFormat::I32 => listen_as::<i32>(device, form, microphone),
        SampleFormat::U8 => listen_as::<u8>(device, form, microphone),
        other => Err(NoCard::Form { end: "microphone", form: other.to_string() }),
    }
}

fn listen_as<T>(
    device: &Device,
    form: &SupportedStreamConfig,
    mut microphone: Microphone,
) -> Result<Stream, NoCard>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(form.channels().max(1));
    let shared = microphone.sign_of_loss();
    let hear = move |data: &[T], _: &cpal::InputCallbackInfo| {
        // The first channel: a second one is mostly the same microphone, or none.
        microphone.hear(data.iter().step_by(channels).map(|it| f32::from_sample_(*it)));
    };
    let fault = move |error: cpal::Error| {
        if is_fatal(error.kind()) {
            shared.raise();
        }
    };
    device.build_input_stream(settings(form), hear, fault, None).map_err(NoCard::Microphone)
}

fn speak(
    device: &Device,
    form: &SupportedStreamConfig,
    loudspeaker: Loudspeaker,
) -> Result<Stream, NoCard> {
    match form.sample_format() {
        SampleFormat::F32 => speak_as::<f32>(device, form, loudspeaker),
        SampleFormat::I16 => speak_as::<i16>(device, form, loudspeaker),
        SampleFormat::I32 => speak_as::<i32>(device, form, loudspeaker),
        SampleFormat::U8 => speak_as::<u8>(device, form, loudspeaker),
        other => Err(NoCard::Form { end: "loudspeaker", form: other.to_string() }),
    }
}

fn speak_as<T>(
    device: &Device,
    form: &SupportedStreamConfig,
    mut loudspeaker: Loudspeaker,
) -> Result<Stream, NoCard>
where
    T: SizedSample + FromSample<f32>,
{
    let channels = usize::from(form.channels().max(1));
    let shared = loudspeaker.sign_of_loss();
    let play = move |data: &mut [T], info: &cpal::OutputCallbackInfo| {
        let at = info.timestamp();
        let held = at.playback.checked_duration_since(at.callback).unwrap_or(Duration::ZERO);
        let mut places = data.chunks_exact_mut(channels);
        loudspeaker.play(places.len(), held, |sample| {
            if let Some(place) = places.next() {
                place.fill(T::from_sample_(sample));
            }
        });
    };
    let fault = move |error: cpal::Error| {
        if is_fatal(error.kind()) {
            shared.raise();
        }
    };
    device.build_output_stream(settings(form), play, fault, None).map_err(NoCard::Loudspeaker)
}

/// Faults after which no sound comes; a gap or another route is none.
const fn is_fatal(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied)
}

/// Asks for 20 ms at a time, where the card lets us choose.
fn settings(form: &SupportedStreamConfig) -> StreamConfig {
    let frame = form.sample_rate() / 50;
    let buffer_size = match form.buffer_size() {
        SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&frame) => {
            BufferSize::Fixed(frame)
        }
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => BufferSize::Default,
    };
    StreamConfig { buffer_size, ..form.config() }
}
