//! Every frame through the rooms that a frame of a call goes through, and back: jitter buffer and
//! concealment, voice activity, ear and floor, encoder, packets. One thread, each call at its own
//! phase of the tick, as at a media worker.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use cordboard::clock;
use cordboard::settings::Settings;
use cordboard::turn::{Ear, Floor, FloorEvent, Meanwhile, TurnSettings};
use cordboard_audio::vad::{SileroWeights, SpeechMeter};
use cordboard_audio::{Codec, Encoder, Frame, MediaTime, Packet, Receiver, SampleRate};
use cordboard_sip::rtp;
use cordboard_sip::sender::Sender;
use crossbeam_channel::{Receiver as Mailbox, never};

use super::{Failure, OURS, Options, lasting, ready};

/// Phases of a tick, 2 ms apart.
const PHASES: usize = 10;
const PHASE: Duration = Duration::from_millis(2);

/// Serves the bench's echo mode.
pub(crate) fn serve(options: &Options) -> Result<(), Failure> {
    let weights = std::fs::read(Settings::default().models.silero_weights).ok();
    let weights = weights.map(|bytes| SileroWeights::from_onnx(&bytes).map(std::sync::Arc::new));
    let weights = weights.transpose()?;
    let meter = || weights.clone().map_or_else(SpeechMeter::earshot, SpeechMeter::silero);
    let calls = (0..options.calls).map(|call| Call::open(call, meter()));
    let mut calls = calls.collect::<Result<Vec<_>, _>>()?;
    ready(options.calls)?;
    let began = clock::monotonic();
    let nothing: Mailbox<()> = never();
    for phase in 0_u32.. {
        let due = PHASE * phase;
        let now = clock::monotonic() - began;
        if now > lasting(options) {
            break;
        }
        if due > now {
            // Nothing ever comes: what is waited for is the time.
            let _ = nothing.recv_timeout(due - now);
        }
        let at = MediaTime::ZERO + (clock::monotonic() - began);
        let turn = phase as usize % PHASES;
        calls.iter_mut().skip(turn).step_by(PHASES).for_each(|call| call.tick(at));
    }
    Ok(())
}

/// One call's way through the rooms.
struct Call {
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    receiver: Receiver,
    meter: SpeechMeter,
    ear: Ear,
    floor: Floor,
    encoder: Encoder,
    sender: Sender,
    turns: u32,
}

impl Call {
    fn open(call: u16, meter: SpeechMeter) -> Result<Self, Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, OURS + 2 * call))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            peer: None,
            receiver: Receiver::new(Codec::Pcmu),
            meter,
            ear: Ear::default(),
            floor: Floor::new(TurnSettings::default()),
            encoder: Encoder::new(Codec::Pcmu),
            sender: Sender::new(0, 20, u64::from(call)),
            turns: 0,
        })
    }

    fn tick(&mut self, now: MediaTime) {
        let mut buffer = [0; 1_500];
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            let Ok(packet) = rtp::Packet::parse(&buffer[..len]) else { continue };
            self.peer = Some(from);
            self.receiver.insert(Packet {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                payload: packet.payload,
                arrived: now,
            });
        }
        let mut frame = Frame::silence(now, SampleRate::NARROW);
        self.receiver.pull_into(now, &mut frame);
        let probability = self.meter.hear(frame.samples()).unwrap_or(0.0);
        let heard = self.ear.hear(frame.samples(), &[0.0; 160], probability);
        for event in self.floor.hear(now, &heard, Meanwhile::Listens).into_iter().flatten() {
            self.turns += u32::from(matches!(event, FloorEvent::Yielded { .. }));
        }
        let mut payload = [0; 160];
        let len = self.encoder.encode_into(frame.samples(), &mut payload);
        let Some(peer) = self.peer else { return };
        let socket = &self.socket;
        self.sender.push(&payload[..len], |packet| {
            // What the system does not take is lost, as any packet may be on its way.
            drop(socket.send_to(packet, peer));
        });
    }
}
