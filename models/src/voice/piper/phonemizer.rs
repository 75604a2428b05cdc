//! Phonemes by espeak-ng: one long-lived process, a line in, lines out.
//!
//! espeak-ng is GPL: it runs as a program of its own and is never linked. What callers are told
//! goes to its standard input and stands in no list of processes. A process that has ended is
//! started anew, once a text; one that hangs is killed, and that text is given up. Deliberately
//! absent: reading text; what comes here is plain (see `words`).

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How long espeak-ng may take for a line, which it does in 1 to 3 ms.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// Lines that may wait to be read; where it is full, espeak-ng waits.
const LINES: usize = 64;
/// The most lines that one line becomes; espeak-ng itself cuts what it finds too long.
const LINES_MAX: usize = 32;

/// Why there are no phonemes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PhonemeFault {
    #[error("espeak-ng does not start: {0}")]
    NotStarted(String),
    #[error("espeak-ng has ended; see whether `espeak-ng -q --ipa hello` works")]
    Ended,
    #[error("espeak-ng gave nothing within {} ms, and was killed", ANSWER_WITHIN.as_millis())]
    Hangs,
    #[error("espeak-ng said something else than phonemes")]
    Odd,
}

/// A phonemizer in one of espeak-ng's voices.
#[derive(Debug)]
pub(super) struct Phonemizer {
    program: PathBuf,
    voice: String,
    running: Option<Running>,
}

impl Phonemizer {
    /// None that runs yet; the first line starts it.
    pub(super) const fn new(program: PathBuf, voice: String) -> Self {
        Self { program, voice, running: None }
    }

    /// Another one like this, with a process of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.program.clone(), self.voice.clone())
    }

    /// The phonemes of each line, in the International Phonetic Alphabet, words apart by spaces.
    pub(super) fn phonemes(&mut self, lines: &[String]) -> Result<Vec<String>, PhonemeFault> {
        let was_running = self.running.is_some();
        match self.ask(lines) {
            // It ended since the last text.
            Err(PhonemeFault::Ended) if was_running => self.ask(lines),
            answer => answer,
        }
    }

    fn ask(&mut self, lines: &[String]) -> Result<Vec<String>, PhonemeFault> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.program, &self.voice)?,
        };
        let answer = lines.iter().map(|line| running.ask(line)).collect::<Result<_, _>>()?;
        // After a fault it is dropped instead, and killed: what it says next would be out of step.
        self.running = Some(running);
        Ok(answer)
    }
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Running {
    fn start(program: &PathBuf, voice: &str) -> Result<Self, PhonemeFault> {
        let failed = |why: std::io::Error| PhonemeFault::NotStarted(why.to_string());
        let mut child = Command::new(program)
            .args(["-q", "--ipa", "-b", "1", "-v", voice])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(PhonemeFault::Ended)?;
        let (give, lines) = sync_channel(LINES);
        let read = move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for line in lines {
                if give.send(line).is_err() {
                    break;
                }
            }
        };
        let running = Self { child, input, lines };
        // It ends with the process.
        std::thread::Builder::new().name("espeak".to_owned()).spawn(read).map_err(failed)?;
        Ok(running)
    }

    /// Asks for one line, and for an empty one, whose empty answer ends the line's.
    fn ask(&mut self, line: &str) -> Result<String, PhonemeFault> {
        let asked = format!("{}\n\n", line.replace('\n', " "));
        self.input
            .write_all(asked.as_bytes())
            .and_then(|()| self.input.flush())
            .map_err(|_| PhonemeFault::Ended)?;
        let mut phonemes = String::new();
        for _ in 0..LINES_MAX {
            let said = self.lines.recv_timeout(ANSWER_WITHIN).map_err(|why| match why {
                RecvTimeoutError::Timeout => PhonemeFault::Hangs,
                RecvTimeoutError::Disconnected => PhonemeFault::Ended,
            })?;
            let said = said.trim();
            match (said.is_empty(), phonemes.is_empty()) {
                (true, false) => return Ok(phonemes),
                // Every line here has a sound.
                (true, true) => return Err(PhonemeFault::Odd),
                (false, is_first) => {
                    if !is_first {
                        phonemes.push(' ');
                    }
                    phonemes.push_str(said);
                }
            }
        }
        Err(PhonemeFault::Odd)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::super::words::written_words;
    use super::super::clauses::runs;
    use super::*;

    #[test]
    fn whatever_is_written_has_phonemes_and_the_answers_stay_in_step() {
        if Command::new("espeak-ng").arg("--version").output().is_err() {
            eprintln!("skipped: espeak-ng is not here; install the Debian package espeak-ng");
            return;
        }
        let phonemizer = RefCell::new(Phonemizer::new("espeak-ng".into(), "en-us".to_owned()));
        let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
            cases: 100,
            ..Default::default()
        });
        let any = "([ -~]|\\PC){0,60}|([$£0-9.,:'-]|[a-zA-Z ]){0,60}";
        let known = ["seven".to_owned()];
        let seven = phonemizer.borrow_mut().phonemes(&known).unwrap();
        let outcome = runner.run(&any, |text| {
            for clause in runs(&written_words(&text)).iter().flat_map(|run| &run.clauses) {
                let words = clause.spoken.iter().map(|(_, word)| word.clone());
                let lines: Vec<String> = words.chain([clause.line()]).collect();
                let phonemes =
                    phonemizer.borrow_mut().phonemes(&lines).expect("each line has a sound");
                assert_eq!(phonemes.len(), lines.len());
            }
            assert_eq!(phonemizer.borrow_mut().phonemes(&known).unwrap(), seven);
            Ok(())
        });
        outcome.unwrap();
    }
}
