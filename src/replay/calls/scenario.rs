//! What a caller does in one call, and what they are owed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_saphyr::Spanned;

use super::super::likeness::Print;
use super::super::script::{Act, Step, When};
use super::format::{
    self, AfterFile, ExpectFile, Faults, File, HumanFile, ScenarioFault, StepFile,
};
use super::studio::{self, CALLERS_VOICE, SoundFault, Studio};

/// Quiet after which a caller takes their turn, where the scenario does not say.
const QUIET: Duration = Duration::from_millis(600);
/// How long words are waited for.
const WITHIN: Duration = Duration::from_secs(15);
/// How long a call lasts at most, where the scenario does not say, and where it does.
const LIMIT: Duration = Duration::from_secs(120);
const LIMIT_MAX: Duration = Duration::from_secs(3_600);

/// One call as it is to be made.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, unique in a run.
    pub name: Arc<str>,
    /// What the caller does, in order.
    pub deeds: Vec<Deed>,
    /// What the far end owes.
    pub expect: Expect,
    /// The caller hangs up so long after the answer.
    pub limit: Duration,
}

/// A step, and how it is told.
#[derive(Clone, Debug)]
pub struct Deed {
    /// When and what.
    pub step: Step,
    /// Its words, its file, its keys.
    pub told: Arc<str>,
    /// What it means to the far end.
    pub kind: DeedKind,
}

/// What a deed means to the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeedKind {
    /// Words meant for it: they want an answer, and stop it where it speaks.
    Words,
    /// A cough, an "mm-hm": nothing is to come of it.
    Aside,
    /// Keys: they want an answer and stop it.
    Keys,
    /// Silence, or the end.
    Other,
}

/// What the far end owes.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// What it says, in order: the words, and how they sound where that is known.
    pub says: Vec<(Arc<str>, Option<Arc<Print>>)>,
    /// Who ends it.
    pub ends: Option<End>,
    /// It refuses the call with this SIP status.
    pub refused: Option<u16>,
    /// A human comes to be heard.
    pub human: Option<ExpectHuman>,
}

/// A human who is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectHuman {
    /// From the answer on; any time will do where none.
    pub within: Option<Duration>,
}

/// Who ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Whom we rang.
    Far,
    /// The caller.
    Caller,
}

impl Scenario {
    /// Its steps.
    #[must_use]
    pub fn script(&self) -> super::super::Script {
        super::super::Script::new(self.deeds.iter().map(|it| it.step.clone()))
    }

    /// Reads a scenario's YAML; files that it names are beside it.
    ///
    /// # Errors
    /// The first [`ScenarioFault`].
    pub fn read(path: &Path, text: &str, studio: &mut Studio) -> Result<Self, ScenarioFault> {
        let file = format::read(path, text)?;
        Maker {
            faults: Faults(path),
            base: path.parent().unwrap_or_else(|| Path::new(".")),
            studio,
        }
        .scenario(&file)
    }
}

struct Maker<'a> {
    faults: Faults<'a>,
    base: &'a Path,
    studio: &'a mut Studio,
}

impl Maker<'_> {
    fn scenario(&mut self, file: &File) -> Result<Scenario, ScenarioFault> {
        let faults = self.faults;
        let voice = file.voice.as_ref();
        let name = voice.map_or(CALLERS_VOICE, |it| &it.value);
        if let Some(voice) = voice {
            let opened = self.studio.say(name, 1.0, &["yes"]);
            opened.map_err(|why| sounds(faults, voice, &why))?;
        }
        let stretch = match &file.stretch {
            Some(it) if !(0.5..=2.0).contains(&it.value) => {
                let what = format!("`stretch` is {}", it.value);
                return Err(faults.at(it.referenced, what, "0.5, twice as fast, to 2, half"));
            }
            other => other.as_ref().map_or(1.1, |it| it.value),
        };
        let limit = match &file.limit {
            None => LIMIT,
            Some(it) => match faults.time(it)? {
                long if long > LIMIT_MAX => {
                    let remedy = "an hour is the longest: `1h`";
                    return Err(faults.at(it.referenced, "`limit` is too long", remedy));
                }
                long => long,
            },
        };
        let name = file.scenario.value.trim();
        if name.is_empty() {
            let remedy = "name it by what its caller does";
            return Err(faults.at(file.scenario.referenced, "`scenario` is empty", remedy));
        }
        let voice = (voice.map_or(CALLERS_VOICE, |it| it.value.as_str()), stretch);
        let mut deeds = Vec::new();
        for step in &file.steps {
            deeds.push(self.deed(step, voice, deeds.len())?);
        }
        Ok(Scenario { name: name.into(), deeds, expect: self.expect(&file.expect)?, limit })
    }

    fn deed(
        &mut self,
        step: &Spanned<StepFile>,
        (voice, stretch): (&str, f32),
        number: usize,
    ) -> Result<Deed, ScenarioFault> {
        let (faults, it) = (self.faults, &step.value);
        let acts = [
            it.say.is_some(),
            it.aside.is_some(),
            it.play.is_some(),
            it.cough.as_ref().is_some_and(|it| it.value),
            it.keys.is_some(),
            it.silent.is_some(),
            it.hang_up.as_ref().is_some_and(|it| it.value),
        ];
        if acts.iter().filter(|it| **it).count() != 1 {
            let remedy = "a step has one of say, aside, play, cough, keys, silent, hang_up";
            return Err(faults.at(step.referenced, "not one thing to do", remedy));
        }
        let when = self.when(it.after.as_ref())?;
        let make =
            |act, told: &str, kind| Deed { step: Step { when, act }, told: told.into(), kind };
        if let Some(say) = &it.say {
            let parts = say.value.parts();
            let sound = self.studio.say(voice, stretch, &parts);
            let sound = sound.map_err(|why| sounds(faults, say, &why))?;
            let words = parts.iter().filter(|part| format::duration(part).is_none()).copied();
            let told = words.collect::<Vec<_>>().join(" ");
            return Ok(make(Act::Say(sound), &told, DeedKind::Words));
        }
        if let Some(aside) = &it.aside {
            let sound = self.studio.say(voice, stretch, &[&aside.value]);
            let sound = sound.map_err(|why| sounds(faults, aside, &why))?;
            return Ok(make(Act::Say(sound), &aside.value, DeedKind::Aside));
        }
        if let Some(file) = &it.play {
            let sound = studio::wav(&self.base.join(&file.value));
            let sound = sound.map_err(|why| sounds(faults, file, &why))?;
            let told = file.value.display().to_string();
            return Ok(make(Act::Say(sound), &told, DeedKind::Words));
        }
        if let Some(keys) = &it.keys {
            let is_key = |key: char| key.is_ascii_digit() || "*#ABCD".contains(key);
            if keys.value.is_empty() || !keys.value.chars().all(is_key) {
                let what = format!("`{}` is not on the keypad", keys.value);
                return Err(faults.at(
                    keys.referenced,
                    what,
                    "keys are 0 to 9, * and #, in quotes",
                ));
            }
            return Ok(make(Act::Key(keys.value.clone()), &keys.value, DeedKind::Keys));
        }
        if let Some(silent) = &it.silent {
            let long = faults.time(silent)?;
            return Ok(make(Act::Stay(long), &silent.value, DeedKind::Other));
        }
        if it.cough.is_some() {
            let sound = studio::cough(number as u64);
            return Ok(make(Act::Say(sound), "(a cough)", DeedKind::Aside));
        }
        Ok(make(Act::HangUp, "(hangs up)", DeedKind::Other))
    }

    fn when(&mut self, after: Option<&Spanned<AfterFile>>) -> Result<When, ScenarioFault> {
        let Some(after) = after else { return Ok(When::Quiet(QUIET)) };
        let (faults, it) = (self.faults, &after.value);
        let quiet = it.quiet.as_ref().map(|it| faults.time(it)).transpose()?;
        if let Some(says) = &it.says {
            let print = self.studio.far(&says.value, self.base);
            let print = print.map_err(|why| sounds(faults, says, &why))?.ok_or_else(|| {
                let remedy = "name a recording of it (*.wav), or its voice with --far-voice; where \
                              it is recognized, that is after the call";
                faults.at(says.referenced, "nobody knows how the far end says this", remedy)
            })?;
            let within = it.within.as_ref().map(|it| faults.time(it)).transpose()?;
            let (quiet, within) = (quiet.unwrap_or(QUIET), within.unwrap_or(WITHIN));
            return Ok(When::Says { sound: print, quiet, within, or_not: it.or_not });
        }
        let speaking = it.speaking.as_ref().map(|it| faults.time(it)).transpose()?;
        let at = it.at.as_ref().map(|it| faults.time(it)).transpose()?;
        let waited = it.waited.as_ref().map(|it| faults.time(it)).transpose()?;
        match (quiet, speaking, waited, at) {
            (Some(quiet), None, None, None) => Ok(When::Quiet(quiet)),
            (None, Some(speaking), None, None) => Ok(When::Speaking(speaking)),
            (None, None, Some(waited), None) => Ok(When::Waited(waited)),
            (None, None, None, Some(at)) => Ok(When::Answered(at)),
            _ => {
                let remedy = "`after` has one of quiet, speaking, waited, at; or says, with quiet \
                              and within";
                Err(faults.at(after.referenced, "not one time to do it", remedy))
            }
        }
    }

    fn expect(&mut self, file: &ExpectFile) -> Result<Expect, ScenarioFault> {
        let faults = self.faults;
        let mut says = Vec::new();
        for one in &file.says {
            let print = self.studio.far(&one.value, self.base);
            let print = print.map_err(|why| sounds(faults, one, &why))?;
            says.push((one.value.as_str().into(), print));
        }
        let ends = match file.ends.as_ref().map(|it| (it.value.as_str(), it)) {
            None => None,
            Some(("far", _)) => Some(End::Far),
            Some(("caller", _)) => Some(End::Caller),
            Some((other, it)) => {
                let what = format!("`{other}` ends no call");
                return Err(faults.at(it.referenced, what, "`ends` is far or caller"));
            }
        };
        let refused = match &file.refused {
            Some(it) if !(300..=699).contains(&it.value) => {
                let what = format!("`{}` refuses no call", it.value);
                return Err(faults.at(it.referenced, what, "a SIP status from 300 to 699"));
            }
            other => other.as_ref().map(|it| it.value),
        };
        let human = match file.human.as_ref().map(|it| (&it.value, it.referenced)) {
            None | Some((HumanFile::Owed(false), _)) => None,
            Some((HumanFile::Owed(true), _)) => Some(ExpectHuman { within: None }),
            Some((HumanFile::Within(time), at)) => {
                let within = format::duration(time).ok_or_else(|| {
                    let what = format!("`{time}` is no time for a human");
                    faults.at(at, what, "`human` is true, or a time such as 30s")
                })?;
                Some(ExpectHuman { within: Some(within) })
            }
        };
        Ok(Expect { says, ends, refused, human })
    }
}

/// A fault of what stands there, as a sound.
fn sounds<T: std::fmt::Debug>(
    faults: Faults<'_>,
    written: &Spanned<T>,
    why: &SoundFault,
) -> ScenarioFault {
    let what = match why {
        SoundFault::Voice(_) | SoundFault::Engine(_) => why.to_string(),
        _ => format!("{:?} {why}", written.value),
    };
    let remedy = match why {
        SoundFault::Voice(_) => "name one of these voices, or none",
        SoundFault::Engine(_) => "write it in words that the voice can say",
        SoundFault::Disk(_) => "the path is relative to this file",
        SoundFault::Wav(_) => "a WAV file, PCM, with one channel, 8 to 48 kHz",
        SoundFault::Empty => "give it a sound, or leave the step out",
        SoundFault::Long => "cut it into steps",
    };
    faults.at(written.referenced, what, remedy)
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
