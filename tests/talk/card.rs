//! A sound card and the room around it: what is played comes back softer and later, by the air.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cordboard::store::{Store, StoreOptions};
use cordboard_audio::{SampleRate, resample};
use cordboard_models::speech::{SpeechRequest, Synthesizer};
use cordboard_models::voice::Flite;

use super::{CORDBOARD, FLOW};

/// How long anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of 20 ms: 48 kHz, two channels of 32 bits.
const PIECE: usize = 960 * 2 * 4;
/// The way through the air: 60 ms, and 8 dB softer.
const AIR_PIECES: usize = 3;
const AIR: f32 = 0.4;

/// The room. Its clock is this machine's, as a card's is a crystal's.
struct Room {
    /// The power of each 20 ms that was played.
    played: Receiver<f32>,
    /// What is said in it, 48 kHz.
    voices: Sender<Vec<f32>>,
    /// How many pieces of 20 ms were not silent.
    loud: usize,
}

impl Room {
    /// A room in `folder`, and the settings of ALSA that make it the default card.
    fn new(folder: &Path) -> (Self, String) {
        let (play, hear) = (folder.join("play"), folder.join("hear"));
        for pipe in [&play, &hear] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let alsa = folder.join("asound.conf");
        let text = format!(
            "pcm.!default {{ type asym playback.pcm out capture.pcm in }}\n\
             pcm.out {{ type file slave.pcm {{ type null }} file {play:?} format raw }}\n\
             pcm.in {{ type file slave.pcm {{ type null }} file /dev/null infile {hear:?} \
             format raw }}\n"
        );
        std::fs::write(&alsa, text).unwrap();
        // Opened both ways, so that nobody waits for the other end.
        let open = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (loudspeaker, microphone) = (open(play), open(hear));
        let ((tell, played), (voices, say)) = (channel(), channel());
        std::thread::spawn(move || carry(loudspeaker, microphone, &tell, &say));
        (Self { played, voices, loud: 0 }, alsa.display().to_string())
    }

    /// Waits until the loudspeaker has spoken, from now on, and been silent for half a second.
    fn hear_out(&mut self) {
        let earlier = self.played.try_iter().filter(|power| *power > 1e-5);
        self.loud += earlier.count();
        let (mut has_spoken, mut silent) = (false, 0);
        while !has_spoken || silent < 25 {
            let power = self.played.recv_timeout(PATIENCE).expect("the card plays on");
            let is_loud = power > 1e-5;
            self.loud += usize::from(is_loud);
            has_spoken |= is_loud;
            silent = if is_loud { 0 } else { silent + 1 };
        }
    }

    /// Says something.
    fn say(&self, text: &str) {
        let rate = SampleRate::NARROW;
        let request = SpeechRequest { text: text.into(), rate, stretch: 1.1 };
        let speech = Flite::open("rms").unwrap().speak(&request).unwrap();
        self.voices.send(resample(&speech.samples, rate.hz(), 48_000)).unwrap();
    }
}

/// Carries sound until the room is not listened to any more.
fn carry(
    mut loudspeaker: File,
    mut microphone: File,
    tell: &Sender<f32>,
    say: &Receiver<Vec<f32>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut air = vec![vec![0; PIECE]; AIR_PIECES];
    let mut piece = vec![0; PIECE];
    let mut voice = Vec::new().into_iter();
    let mut tick = None;
    // Reading waits until somebody plays.
    while loudspeaker.read_exact(&mut piece).is_ok() {
        let samples = || piece.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it));
        let power = samples().map(|it| it * it).sum::<f32>() / (PIECE / 4) as f32;
        if let Ok(more) = say.try_recv() {
            voice = more.into_iter();
        }
        let mut both = samples().map(|it| it * AIR).collect::<Vec<f32>>();
        for pair in both.chunks_exact_mut(2) {
            let voice = voice.next().unwrap_or(0.0);
            pair.iter_mut().for_each(|it| *it += voice);
        }
        air.push(both.iter().flat_map(|it| it.to_le_bytes()).collect());
        let echo = air.remove(0);
        if tell.send(power).is_err() || microphone.write_all(&echo).is_err() {
            return;
        }
        runtime.block_on(async {
            let every = Duration::from_millis(20);
            tick.get_or_insert_with(|| tokio::time::interval(every)).tick().await;
        });
    }
}

/// The command at work.
struct Talk {
    child: Child,
    lines: Receiver<String>,
    told: Vec<String>,
}

impl Talk {
    fn begin(folder: &Path, alsa: &str) -> Self {
        let config = folder.join("c.toml");
        let text = format!(
            "[sip]\nlisten_udp = \"127.0.0.1:0\"\nlisten_tcp = \"127.0.0.1:0\"\n\
             [api]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nfolder = {:?}\n[log]\nfilter = \"warn\"\n\
             [models]\nvad = \"earshot\"\nrecognizer = \"pocketsphinx\"\nrecognizers = 1\n\
             voice_engine = \"flite\"\nsynthesizers = 1\n",
            folder.join("data").display().to_string(),
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(CORDBOARD)
            .args(["talk", "--flow", FLOW, "--config"])
            .arg(config)
            .env("ALSA_CONFIG_PATH", alsa)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(say.send(line)));
        });
        Self { child, lines, told: Vec::new() }
    }

    /// Waits for a line that has these words.
    fn said(&mut self, words: &str) {
        while !self.told.iter().any(|line| line.contains(words)) {
            let line = self.lines.recv_timeout(PATIENCE);
            self.told.push(line.unwrap_or_else(|_| panic!("no {words:?} in {:#?}", self.told)));
        }
    }

    fn press(&mut self, key: &str) {
        self.child.stdin.as_mut().unwrap().write_all(key.as_bytes()).unwrap();
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_call_on_the_sound_card_is_spoken_keyed_and_on_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (mut room, alsa) = Room::new(folder.path());
    let mut talk = Talk::begin(folder.path(), &alsa);
    talk.said("assistant  How can I help you?");
    room.hear_out();
    room.say("where is my order");
    talk.said("caller     where is my order");
    talk.said("assistant  What is your order number?");
    room.hear_out();
    talk.press("123");
    talk.said("caller     presses 3");
    talk.said("assistant  Your order is on its way.");
    talk.said("assistant  Is there anything else?");
    talk.press("2");
    talk.said("end        resolved");
    assert!(talk.child.wait().unwrap().success(), "{:#?}", talk.told);

    // The echo of the prompts was not taken for a caller.
    let spoken = talk.told.iter().filter(|line| line.contains("% sure")).count();
    assert_eq!(spoken, 1, "{:#?}", talk.told);
    println!("{:.1} s of sound\n{}", room.loud as f32 * 0.02, talk.told.join("\n"));
    assert!(room.loud > 150, "{} pieces of 20 ms", room.loud);

    let store = Store::open(StoreOptions {
        folder: folder.path().join("data"),
        recording: false,
        keep_inputs: false,
        retain_segments: 1,
    });
    let calls = store.await.unwrap().queries().calls(10, None).await.unwrap();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!((calls[0].leg.as_str(), calls[0].outcome.as_deref()), ("device", Some("resolved")));
}

#[test]
fn an_interrupt_hangs_up() {
    let folder = tempfile::tempdir().unwrap();
    let (_room, alsa) = Room::new(folder.path());
    let mut talk = Talk::begin(folder.path(), &alsa);
    talk.said("assistant  This is the automated assistant");
    let id = talk.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    talk.said("end        ");
    assert!(talk.told.last().unwrap().contains("(bye)"), "{:#?}", talk.told);
    assert!(talk.child.wait().unwrap().success());
}
