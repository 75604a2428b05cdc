//! What the system knows of this process, by the names that Prometheus clients use.

use std::fs;

use super::exposition::Page;

/// Clock ticks a second in /proc (USER_HZ), 100 on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

/// Writes memory, descriptors, threads and processor time; what cannot be read is left out.
pub(super) fn write(page: &mut Page) {
    if let Some(status) = read("/proc/self/status") {
        let kib = |name: &str| number(&status, name).map(|kib| kib * 1024);
        if let Some(bytes) = kib("VmRSS:") {
            page.gauge("process_resident_memory_bytes", "Memory in use.", bytes);
        }
        if let Some(bytes) = kib("VmSize:") {
            page.gauge("process_virtual_memory_bytes", "Addresses in use.", bytes);
        }
        if let Some(threads) = number(&status, "Threads:") {
            page.gauge("process_threads", "Threads.", threads);
        }
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open descriptors.", descriptors.count());
    }
    let limits = read("/proc/self/limits");
    if let Some(most) = limits.and_then(|limits| number(&limits, "Max open files")) {
        page.gauge("process_max_fds", "Descriptors that may be open.", most);
    }
    if let Some(seconds) = read("/proc/self/stat").and_then(|stat| cpu_s(&stat)) {
        page.total("process_cpu_seconds_total", "Processor time, user and system.", seconds);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The first number after a name at the begin of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// utime and stime (proc(5)): the 12th and 13th field after the name, which may have spaces.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_a_name_with_spaces_and_brackets() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 9 1 1";
        assert_eq!(cpu_s(stat), Some(2.0));
        assert_eq!(cpu_s("42 (a"), None);
    }
}
