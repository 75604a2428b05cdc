//! The processes of the demo: the service and the company's order service.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Fault;

/// Both processes, ended with the demo.
pub(super) struct Children {
    processes: Vec<Child>,
    /// Where the service takes calls.
    pub(super) sip: String,
    /// Where it answers HTTP.
    pub(super) api: String,
}

impl Children {
    /// Starts both, the service with settings of its own in `folder`.
    pub(super) fn start(folder: &Path, agent: &str, token: &str) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        let mut children = Self { processes: Vec::new(), sip: String::new(), api: String::new() };
        let orders = children.spawn(
            Command::new(beside("examples/order_service")?).args(["--listen", "127.0.0.1:0"]),
        )?;
        let orders = first_after(orders, "listening on ")?;
        let settings = folder.join("cordboard.toml");
        for address in ["127.0.0.1:5060", "127.0.0.1:0"] {
            fs::write(&settings, text(address, folder, agent, token, &orders))?;
            let service = beside("cordboard")?;
            let output =
                children.spawn(Command::new(service).arg("serve").arg("-c").arg(&settings))?;
            if children.read_addresses(output) {
                return Ok(children);
            }
        }
        Err("the service did not start: its own words are above".into())
    }

    fn spawn(&mut self, command: &mut Command) -> Result<impl BufRead + use<>, Fault> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("a child without output")?;
        self.processes.push(child);
        Ok(BufReader::new(output))
    }

    fn read_addresses(&mut self, output: impl BufRead) -> bool {
        for line in output.lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("sip", rest)) => {
                    if let Some(address) = rest.strip_prefix("udp ") {
                        self.sip = address.to_owned();
                    }
                }
                Some(("http", address)) => self.api = address.to_owned(),
                _ if line == "ready" => return true,
                _ => {}
            }
        }
        false
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.processes {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A program that was built beside this one.
fn beside(name: &str) -> Result<PathBuf, Fault> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).ok_or("no folder of built programs")?;
    let path = folder.join(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

fn first_after(mut output: impl BufRead, mark: &str) -> Result<String, Fault> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let (_, address) = line.trim().split_once(mark).ok_or("the order service did not start")?;
    Ok(address.to_owned())
}

fn text(sip: &str, folder: &Path, agent: &str, token: &str, orders: &str) -> String {
    let orders = orders.trim_start_matches("http://");
    let data = folder.join("data");
    format!(
        r#"# Made by `make demo`.
[sip]
listen_udp = "{sip}"
listen_tcp = "{sip}"
destinations = ["127.0.0.1"]

[[route]]
to = "*"
flow = "flows/parcel.yaml"
variables = {{ service = "http://{orders}" }}

[[queue]]
name = "service"

[[agent]]
name = "Ada"
uri = "{agent}"
queues = ["service"]
token = "{token}"

[models]
recognizers = 2
# Its prompts are made in a moment, so that the demo begins at once.
voice_engine = "flite"

[store]
folder = "{data}"
recording = true
keep_inputs = true

[api]
listen = "127.0.0.1:0"

[log]
filter = "warn"
"#,
        data = data.display()
    )
}
