//! The recorded networks of `../shared`: late loss and added delay of each, as a table.

use std::path::Path;

use cordboard_audio::{Codec, Pulled};

use crate::simulation::{Arrival, play};

/// From here on the receiver has learnt its network.
const LEARNT_TICKS: u64 = 150;
/// Added where the network is even: a tick, by which a stream may begin late, and the least target.
const BASE_MS: f64 = 40.0;
/// The player's own grain: a packet waits half a tick on the average.
const GRAIN_MS: f64 = 10.0;

struct Trace {
    name: String,
    arrivals: Vec<Arrival>,
    sent: u64,
    /// 95th percentile of the delay over the least, ms.
    p95_ms: f64,
}

struct Outcome {
    late_percent: f64,
    lost_percent: f64,
    made_up_percent: f64,
    mean_ms: f64,
    most_ms: i64,
}

fn traces() -> Vec<Trace> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../../shared/data/sip/net-traces/synthetic");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("left out: {} is not there", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "csv"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// `seq,send_ms,recv_ms_or_empty_if_lost,src_port_index,is_dup`
fn read(path: &Path) -> Trace {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut arrivals, mut delays, mut sent) = (Vec::new(), Vec::new(), 0);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number: u64 = fields[0].parse().unwrap();
        sent = sent.max(number + 1);
        let Ok(came_ms) = fields[2].parse::<f64>() else { continue };
        arrivals.push(Arrival { number, at_ns: (came_ms * 1e6) as u64 });
        delays.push(came_ms - fields[1].parse::<f64>().unwrap());
    }
    arrivals.sort_by_key(|arrival| arrival.at_ns);
    delays.sort_by(f64::total_cmp);
    let p95_ms = delays[delays.len() * 95 / 100] - delays[0];
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    Trace { name, arrivals, sent, p95_ms }
}

fn outcome(trace: &Trace, codec: Codec) -> Outcome {
    let ticks = trace.sent + 100;
    let (mut before, mut after) = (None, None);
    let (mut made_up, mut sum, mut count, mut most_ms) = (0, 0, 0, 0);
    play(codec, trace.arrivals.iter().copied(), ticks, |tick, it| {
        if tick == LEARNT_TICKS {
            before = Some(it.counters);
        }
        if tick < LEARNT_TICKS || tick >= trace.sent {
            return;
        }
        made_up += u32::from(it.pulled == Pulled::Concealed);
        if let Some(added) = it.added_ms {
            (sum, count, most_ms) = (sum + added, count + 1, most_ms.max(added));
        }
        after = Some(it.counters);
    });
    let (before, after) = (before.unwrap(), after.unwrap());
    let sent = (trace.sent - LEARNT_TICKS) as f64;
    Outcome {
        late_percent: (after.late - before.late) as f64 * 100.0 / sent,
        lost_percent: (after.lost - before.lost) as f64 * 100.0 / sent,
        made_up_percent: f64::from(made_up) * 100.0 / sent,
        mean_ms: sum as f64 / f64::from(count.max(1)),
        most_ms,
    }
}

#[test]
fn every_trace_is_played_with_little_late_loss_and_little_delay() {
    let columns = ["codec", "p95 ms", "late %", "lost %", "made %", "added ms", "at most"];
    println!("{:<18}{}", "trace", columns.map(|it| format!("{it:>9}")).concat());
    let mut failed = Vec::new();
    for trace in traces() {
        for codec in [Codec::Pcmu, Codec::Opus] {
            let it = outcome(&trace, codec);
            println!(
                "{:<18}{:>9}{:>9.0}{:>9.2}{:>9.2}{:>9.2}{:>9.0}{:>9}",
                trace.name,
                codec.name(),
                trace.p95_ms,
                it.late_percent,
                it.lost_percent,
                it.made_up_percent,
                it.mean_ms,
                it.most_ms
            );
            let allowed_ms = (2.0 * trace.p95_ms + GRAIN_MS).max(BASE_MS);
            if it.late_percent > 1.0 || it.mean_ms > allowed_ms {
                failed.push(format!("{} {}", trace.name, codec.name()));
            }
        }
    }
    assert!(failed.is_empty(), "late loss over 1 % or delay over twice p95: {failed:?}");
}

#[test]
fn after_a_storm_the_delay_is_back_within_ten_seconds() {
    let trace = traces().into_iter().find(|trace| trace.name == "jitter200");
    let Some(trace) = trace else { return };
    let storm = 1_000;
    let calm =
        (storm..2_000).map(|number| Arrival { number, at_ns: (number * 20 + 40) * 1_000_000 });
    let stormy = trace.arrivals.iter().copied().filter(|it| it.number < storm);
    let mut arrivals: Vec<_> = stormy.chain(calm).collect();
    arrivals.sort_by_key(|arrival| arrival.at_ns);
    let (mut worst, mut back) = (0, 0);
    play(Codec::Pcmu, arrivals.into_iter(), 2_000, |tick, it| {
        let added = it.added_ms.unwrap_or(0);
        worst = worst.max(added);
        if added as f64 > BASE_MS + 10.0 {
            back = tick + 1;
        }
    });
    let took_s = (back as f64 - storm as f64) / 50.0;
    println!("after a storm with {worst} ms of delay it is back in {took_s:.1} s");
    assert!(worst > 300 && took_s <= 10.0, "{worst} ms, {took_s} s");
}
