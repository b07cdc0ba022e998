//! Hot functions, one at a time.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use relaybench::load::{Outcome, Record, Sample, Unsent, Window};
use relaybench::stats::Histogram;

fn stats(criterion: &mut Criterion) {
    let mut histogram = Histogram::default();
    let mut value = Duration::from_micros(1);
    criterion.bench_function("histogram/record", |bencher| {
        bencher.iter(|| {
            value = Duration::from_nanos((value.as_nanos() as u64).wrapping_mul(6_364_136_223_846_793_005) >> 24);
            histogram.record(value);
        });
    });
    criterion.bench_function("histogram/summary", |bencher| bencher.iter(|| histogram.summary()));
}

fn records(criterion: &mut Criterion) {
    let sample = Record::Sample(Sample {
        outcome: Outcome::Succeeded,
        window: Some(Window::Steady),
        sent: Some(Duration::from_nanos(1_234_567_890)),
        ended: Some(Duration::from_nanos(1_657_567_890)),
        service: Some(Duration::from_nanos(423_000_000)),
        attempts: 1,
        prompt_tokens: Some(14),
        completion_tokens: Some(53),
        ..Sample::unsent(0, 17, Unsent::Interrupted)
    });
    let mut line = Vec::new();
    criterion.bench_function("sample/write", |bencher| {
        bencher.iter(|| {
            line.clear();
            serde_json::to_writer(&mut line, &sample).expect("it is only numbers and names");
            line.len()
        });
    });
    criterion.bench_function("sample/read", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Record>(&line).is_ok());
    });
}

fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1)).sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = stats, records }
criterion_main!(benches);
