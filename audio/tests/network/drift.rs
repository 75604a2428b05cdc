//! Two hours with clocks that differ: the delay stays, and nothing is heard of it.

use cordboard_audio::{Codec, Pulled};

use crate::simulation::{Arrival, play};

const TICKS: u64 = 2 * 3_600 * 50;

#[test]
fn two_hours_of_drift_neither_starve_nor_flood_nor_move_the_delay() {
    println!("{:>8} {:>6} {:>9} {:>10} {:>11}", "drift", "made", "discarded", "delay", "steepest");
    for ppm in [-300_i64, -100, 100, 300] {
        let arrivals = (0..TICKS + 200).map(|number| Arrival {
            number,
            at_ns: (number as i64 * 20 * (1_000_000 + ppm)) as u64,
        });
        let (mut made_up, mut discarded, mut steepest) = (0, 0, 0.0_f32);
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        play(Codec::Pcmu, arrivals, TICKS, |tick, it| {
            if tick < 500 {
                return;
            }
            made_up += u32::from(it.pulled == Pulled::Concealed);
            discarded = it.counters.discarded + it.counters.late + it.counters.lost;
            steepest = steepest.max(it.steepest);
            if let Some(added) = it.added_ms {
                (least, most) = (least.min(added), most.max(added));
            }
        });
        println!("{ppm:>4} ppm {made_up:>6} {discarded:>9} {least:>4} to {most} {steepest:>8.3}");
        assert_eq!((made_up, discarded), (0, 0), "{ppm} ppm");
        assert!(most - least <= 35, "{ppm} ppm: {least} to {most} ms");
        assert!(steepest < 0.3, "{ppm} ppm: a step of {steepest}");
    }
}
