//! baresip, a telephone of Debian's package baresip-core, as an agent's phone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::sound::{read_wav, write_wav};
use super::{Companion, until};

/// A telephone that answers by itself, says a sound from the answer on, and keeps both sides.
#[derive(Debug)]
pub(crate) struct Baresip {
    _program: Companion,
    control: TcpStream,
    folder: TempDir,
    pub(crate) uri: String,
    pub(crate) tls_uri: String,
}

impl Baresip {
    /// Starts one for a user who will say this, 8 kHz.
    pub(crate) async fn start(user: &str, says: &[f32]) -> Self {
        Self::start_with(user, says, "", "").await
    }

    /// The same, taking secured media alone (SDES).
    pub(crate) async fn secured(user: &str, says: &[f32]) -> Self {
        Self::start_with(user, says, ";mediaenc=srtp-mand", "module srtp.so\n").await
    }

    /// Starts one that can be rung over TLS too, at the port after the other: with this
    /// certificate and key, in one file of PEM.
    pub(crate) async fn start_with_tls(user: &str, says: &[f32], certificate: &Path) -> Self {
        let more = format!("sip_certificate {}\n", certificate.display());
        Self::start_with(user, says, "", &more).await
    }

    /// The same, taking secured media alone.
    pub(crate) async fn secured_with_tls(user: &str, says: &[f32], certificate: &Path) -> Self {
        let more = format!("module srtp.so\nsip_certificate {}\n", certificate.display());
        Self::start_with(user, says, ";mediaenc=srtp-mand", &more).await
    }

    async fn start_with(user: &str, says: &[f32], account: &str, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        write_wav(&folder.path().join("says.wav"), says);
        let log = folder.path().join("baresip.log");
        let started = async || {
            let (sip, control) = next_addresses();
            write_files(folder.path(), (user, account), more, sip, control);
            let mut command = Command::new("baresip");
            command.arg("-f").arg(folder.path()).current_dir(folder.path());
            let mut program = Companion::start(&mut command, &log);
            let control =
                until("baresip's control port", async || match TcpStream::connect(control).await {
                    Ok(control) => Some(Some(control)),
                    Err(_) => program.ended().map(|_| None),
                });
            control.await.map(|control| (program, sip, control))
        };
        // It ends where a port of its own is somebody else's: others are tried.
        let mut tries = 0;
        let (program, sip, control) = loop {
            match started().await {
                Some(started) => break started,
                None if tries < 10 => tries += 1,
                None => panic!("baresip ends: {}", std::fs::read_to_string(&log).unwrap()),
            }
        };
        let tls_uri = format!("sip:{user}@{}:{};transport=tls", sip.ip(), sip.port() + 1);
        let uri = format!("sip:{user}@{sip}");
        Self { _program: program, control, folder, uri, tls_uri }
    }

    /// Whether it has heard some sound in its first call.
    pub(crate) fn is_talking(&self) -> bool {
        let mut files = std::fs::read_dir(self.folder.path()).unwrap();
        files.any(|it| {
            let it = it.unwrap();
            let is_heard = it.path().to_string_lossy().ends_with("-dec.wav");
            // Half a second, beyond any header.
            is_heard && it.metadata().is_ok_and(|it| it.len() > 8_000)
        })
    }

    /// Gives a command of its menu: a netstring of JSON.
    pub(crate) async fn command(&mut self, name: &str, parameters: &str) {
        let text = json!({ "command": name, "params": parameters }).to_string();
        let netstring = format!("{}:{text},", text.len());
        self.control.write_all(netstring.as_bytes()).await.unwrap();
    }

    /// What it has said or heard in its first call: "enc" or "dec".
    pub(crate) fn recording(&self, side: &str) -> Vec<f32> {
        let first: Option<PathBuf> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(&format!("-{side}.wav")))
            .min();
        read_wav(&first.expect("baresip recorded no call"))
    }
}

/// Addresses for SIP, with the port after it for TLS, and for control. None is of those that the
/// system gives away by itself: baresip takes no port on which a connection of somebody else was
/// closed a minute ago, and the tests leave thousands of those.
fn next_addresses() -> (SocketAddr, SocketAddr) {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let turn = std::process::id().wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
    let port = 22_000 + 4 * u16::try_from(turn % 2_000).unwrap();
    ((Ipv4Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port + 2).into())
}

/// Whether Debian's baresip can do SRTP; if not, that is told.
pub(crate) fn has_srtp() -> bool {
    let module = "/usr/lib/baresip/modules/srtp.so";
    let there = Path::new(module).exists();
    if !there {
        eprintln!("skipped: {module} is not there");
    }
    there
}

fn write_files(
    folder: &Path,
    (user, account): (&str, &str),
    more: &str,
    sip: SocketAddr,
    control: SocketAddr,
) {
    let shown = folder.display();
    let config = format!(
        "sip_listen {sip}\n\
         audio_source aufile,{shown}/says.wav\n\
         audio_player aubridge,nowhere\n\
         audio_alert aubridge,nobody\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
         rtp_ports 31000-31999\n\
         snd_path {shown}\n\
         ctrl_tcp_listen {control}\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
         {more}module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
    );
    let account = format!(
        "<sip:{user}@{sip}>;regint=0;answermode=auto;audio_codecs=PCMU,PCMA;ptime=20{account}\n"
    );
    std::fs::write(folder.join("config"), config).unwrap();
    std::fs::write(folder.join("accounts"), account).unwrap();
    std::fs::write(folder.join("contacts"), "").unwrap();
}
