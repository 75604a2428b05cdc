//! CPU, memory, descriptors and threads of a process, as Linux tells them under `/proc`.

use std::fmt;
use std::io::{self, Write};

/// Clock ticks a second of `/proc/PID/stat`: 100 on every Linux that Debian ships.
const TICKS_A_SECOND: f64 = 100.0;

/// What a process has used and holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    cpu_s: f64,
    rss_kib: u64,
    /// The most that it ever held.
    peak_kib: u64,
    descriptors: usize,
    threads: u64,
}

impl Usage {
    /// Reads it; none where no process is asked for, or there is none of that number.
    pub(crate) fn of(pid: Option<u32>) -> Option<Self> {
        let pid = pid?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold blanks: fields are counted behind it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            cpu_s: ticks / TICKS_A_SECOND,
            rss_kib: number("VmRSS:")?,
            peak_kib: number("VmHWM:")?,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
            threads: number("Threads:")?,
        })
    }

    /// Prints what was used since.
    pub(crate) fn print_since(
        &self,
        before: &Self,
        call_minutes: f64,
        calls: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let cpu_s = self.cpu_s - before.cpu_s;
        writeln!(
            out,
            "server: {cpu_s:.1} CPU s, {:.3} CPU s per minute of a call; {:.0} KiB a call at most",
            cpu_s / call_minutes.max(f64::MIN_POSITIVE),
            self.peak_kib.saturating_sub(before.rss_kib) as f64 / calls.max(1) as f64,
        )?;
        writeln!(out, "before: {before}\nafter:  {self}")
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} CPU s, {} KiB resident ({} at most), {} descriptors, {} threads",
            self.cpu_s, self.rss_kib, self.peak_kib, self.descriptors, self.threads
        )
    }
}
