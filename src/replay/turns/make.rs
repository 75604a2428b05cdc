//! Making the material: which recordings, in which order, and writing them.

use std::io::BufWriter;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use cordboard_audio::{Frame, MediaTime, SampleRate, StereoWriter};

use super::catalogue::{Catalogue, Role, Row};
use super::compose::{self, Made};
use super::draw::Draw;
use super::label::{Half, Kind, Label};
use super::library::Library;
use super::{LABELS, MakeError, over};

/// How many recordings of each kind there are in each half.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts(pub(super) [(Kind, usize); 9]);

impl Default for Counts {
    fn default() -> Self {
        Self([
            (Kind::Talk, 100),
            (Kind::Digits, 60),
            (Kind::YesNo, 14),
            (Kind::Interruption, 40),
            (Kind::EchoInterruption, 20),
            (Kind::Backchannel, 30),
            (Kind::Cough, 24),
            (Kind::Babble, 20),
            (Kind::Echo, 30),
        ])
    }
}

/// One recording to be made.
#[derive(Clone, Copy, Debug)]
struct Job<'a> {
    kind: Kind,
    half: Half,
    number: usize,
    row: &'a Row,
}

/// Makes labelled recordings of those under `from` and writes them into `folder`, which must be new
/// or empty: two-channel WAV at 8 kHz (left the caller, right the assistant), coded as G.711
/// μ-law, and `labels.jsonl`. The same seed gives the same bytes. Gives the labels.
///
/// # Errors
/// [`MakeError`], whose text says what to do.
pub fn make(from: &Path, folder: &Path, seed: u64) -> Result<Vec<Label>, MakeError> {
    make_of(from, folder, seed, (Catalogue::builtin(), Counts::default()))
}

/// The same of another catalogue.
pub(super) fn make_of(
    from: &Path,
    folder: &Path,
    seed: u64,
    (catalogue, counts): (Catalogue, Counts),
) -> Result<Vec<Label>, MakeError> {
    let unwritten = |path: &Path, why: &dyn ToString| MakeError::Unwritten {
        path: path.to_owned(),
        why: why.to_string(),
    };
    if folder.exists() {
        let mut entries = std::fs::read_dir(folder).map_err(|why| unwritten(folder, &why))?;
        if entries.next().is_some() {
            return Err(MakeError::NotEmpty { path: folder.to_owned() });
        }
    }
    let library = Library::open(from, catalogue)?;
    std::fs::create_dir_all(folder).map_err(|why| unwritten(folder, &why))?;
    let jobs = jobs(&library, counts);
    let labels = at_once(&jobs, |job| {
        let made = compose(&library, *job, seed)?;
        let path = folder.join(&made.label.file);
        write(&path, &made).map_err(|why| unwritten(&path, &why))?;
        Ok(made.label)
    })?;
    let lines: String = labels.iter().map(|label| label.line() + "\n").collect();
    let path = folder.join(LABELS);
    std::fs::write(&path, lines).map_err(|why| unwritten(&path, &why))?;
    Ok(labels)
}

/// Does each of `all`, by as many threads as there are cores; the results are in order.
pub(super) fn at_once<T: Sync, R: Send, E: Send>(
    all: &[T],
    act: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(16);
    let act = &act;
    let mut shares: Vec<std::vec::IntoIter<Result<R, E>>> = thread::scope(|scope| {
        let share = |first: usize| {
            let mine = all.iter().skip(first).step_by(threads);
            scope.spawn(move || mine.map(act).collect::<Vec<_>>())
        };
        let working: Vec<_> = (0..threads).map(share).collect();
        let done = working.into_iter().map(|it| match it.join() {
            Ok(results) => results.into_iter(),
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect()
    });
    (0..all.len()).filter_map(|at| shares[at % threads].next()).collect()
}

fn jobs(library: &Library, Counts(counts): Counts) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for half in [Half::Settings, Half::Report] {
        for (kind, count) in counts {
            let rows = rows(library, half, kind);
            if rows.is_empty() {
                continue;
            }
            let numbered = (0..count).map(|number| (number, rows[number % rows.len()]));
            jobs.extend(numbered.map(|(number, row)| Job { kind, half, number, row }));
        }
    }
    jobs
}

/// The rows of which recordings of a kind are made, in turn.
fn rows(library: &Library, half: Half, kind: Kind) -> Vec<&Row> {
    let of = |role: Role| library.catalogue.of(half, role);
    match kind {
        Kind::Talk => of(Role::Turn),
        Kind::Digits => {
            let rows = library.catalogue.rows.iter().filter(|row| row.half == half);
            let (spoken, single): (Vec<&Row>, Vec<&Row>) = rows
                .filter(|row| matches!(row.role, Role::Digits(_) | Role::Number(_)))
                .partition(|row| matches!(row.role, Role::Number(_)));
            // Few numbers were recorded as they are spoken: each twice, at two levels.
            let groups = single.iter().cycle().take(60 * single.len().min(1));
            spoken.iter().chain(&spoken).chain(groups).copied().collect()
        }
        Kind::YesNo => of(Role::YesNo),
        Kind::Interruption | Kind::EchoInterruption => over::interrupting(library, half),
        // Each as it was said, softer and loud before the next.
        Kind::Backchannel => {
            let mut rows = of(Role::Backchannel);
            let hums = of(Role::Hum);
            rows.extend(hums.iter().cycle().take(4 * hums.len().min(1)));
            thrice(&rows)
        }
        Kind::Cough => {
            let mut rows = of(Role::Burst);
            rows.extend(over::interrupting(library, half).into_iter().take(3));
            thrice(&rows)
        }
        Kind::Babble => of(Role::Babble),
        Kind::Echo => of(Role::Place),
    }
}

fn thrice<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    rows.iter().flat_map(|row| [*row; 3]).collect()
}

fn compose(library: &Library, job: Job<'_>, seed: u64) -> Result<Made, MakeError> {
    let Job { kind, half, number, row } = job;
    let file = format!("{half}-{}-{number:03}.wav", kind.name());
    let draw = &mut Draw::new(seed, &file);
    let numbered = (file.as_str(), number);
    let made = match kind {
        Kind::Talk => compose::talk(library, row, &file, draw),
        Kind::Digits if matches!(row.role, Role::Number(_)) => {
            compose::number(library, row, &file, draw)
        }
        Kind::Digits => compose::digits(library, row, &file, draw),
        Kind::YesNo => compose::yes_no(library, row, &file, draw),
        Kind::Interruption => over::interruption(library, row, (&file, false), draw),
        Kind::EchoInterruption => over::interruption(library, row, (&file, true), draw),
        Kind::Backchannel => over::backchannel(library, row, numbered, draw),
        Kind::Cough => over::cough(library, row, numbered, draw),
        Kind::Babble => over::babble(library, row, numbered, draw),
        Kind::Echo => over::echo_alone(library, half, numbered, draw),
    };
    made.ok_or_else(|| MakeError::Silent { kind: kind.name(), path: PathBuf::from(row.path) })
}

fn write(path: &Path, made: &Made) -> Result<(), String> {
    let file = std::fs::File::create(path).map_err(|why| why.to_string())?;
    let written = || {
        let mut writer = StereoWriter::new(BufWriter::new(file), SampleRate::NARROW)?;
        let mut left = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
        let mut right = left;
        for (near, far) in made.uplink.chunks_exact(160).zip(made.downlink.chunks_exact(160)) {
            left.samples_mut().copy_from_slice(near);
            right.samples_mut().copy_from_slice(far);
            writer.write(&left, &right)?;
        }
        writer.finish()
    };
    written().map_err(|why| why.to_string())
}
