//! What a call pays for being written down, and how fast it is on the disk.

use std::hint::black_box;
use std::time::Duration;

use cordboard::store::{Store, StoreOptions};
use cordboard::timeline::{CallId, ENTRY_VERSION, Entry, What};
use criterion::{Criterion, criterion_group, criterion_main};

fn store(bench: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder of our own");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(Store::open(StoreOptions {
        folder: folder.path().to_owned(),
        recording: false,
        keep_inputs: false,
        retain_segments: 2,
    }));
    let store = store.expect("an empty folder opens");
    let call = CallId("01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned());
    let text = "Order 1 2 3 4 5 6 is out for delivery.".to_owned();
    let what = What::PromptBegan { prompt: 7, text };
    let entry = Entry { v: ENTRY_VERSION, at_ms: 12_345, what };
    let mut group = bench.benchmark_group("store");
    // The worker's share: what is after it is the writing thread's.
    group.bench_function("append_entry", |it| {
        it.iter(|| store.append(black_box(&call), black_box(&entry)));
    });
    assert!(store.flush(Duration::from_secs(60)), "the disk takes all of it");
    group.bench_function("append_20_and_flush_to_disk", |it| {
        it.iter(|| {
            (0..20).for_each(|_| store.append(&call, &entry));
            store.flush(Duration::from_secs(10))
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = store
}
criterion_main!(benches);
