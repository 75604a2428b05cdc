//! What an offer costs to be read and to be answered.

use std::hint::black_box;

use cordboard_sip::negotiation::Negotiation;
use cordboard_sip::sdp::Description;
use criterion::{Criterion, criterion_group, criterion_main};

/// As desk phones send it.
const OFFER: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.9\r\ns=-\r\n\
    c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 49172 RTP/AVP 9 8 0 18 101\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";

fn sdp(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("sdp");
    let size = OFFER.len();
    group.bench_function(format!("parse_{size}b"), |it| {
        it.iter(|| Description::parse(black_box(OFFER)).is_ok());
    });
    let local = "192.0.2.1:20000".parse().expect("an address");
    let mut negotiation = Negotiation::new(local, 1);
    group.bench_function(format!("answer_{size}b"), |it| {
        it.iter(|| negotiation.answer(black_box(OFFER)).is_ok());
    });
    group.finish();
}

criterion_group!(benches, sdp);
criterion_main!(benches);
