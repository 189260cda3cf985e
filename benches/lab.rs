//! What the lab engine costs: per request, per wait, and as a whole on a live server.
//!
//! `cargo bench --bench lab`. The last group starts a private server; figures and targets: benches/README.md.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use cachelab::{
    clock::{Timer, Waiter},
    course::{Experiment, UnitId, claim::Comparison},
    lab::{self, LabEvent, RunOptions},
    server::{self, Server},
    stats::{Collector, Durations},
    workload::{Pacer, Popularity, Requests},
};
use criterion::{Criterion, criterion_group, criterion_main};

/// Parts that every request pays for.
fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("lab/part");
    let mut collector = Collector::default();
    let recorder = collector.recorder();
    group.bench_function("record a latency", |b| b.iter(|| recorder.record(black_box(Duration::from_micros(137)))));
    let mut window = Durations::default();
    group.bench_function("merge a window", |b| {
        b.iter(|| {
            recorder.record(Duration::from_micros(137));
            collector.drain(black_box(&mut window));
        });
    });
    for (name, popularity) in [("uniform", Popularity::Uniform), ("zipf 0.99", Popularity::Zipf(0.99))] {
        let mut requests = Requests::new(10_000, popularity, 0.05, 1, 0);
        group.bench_function(format!("next request, {name}"), |b| b.iter(|| black_box(requests.next_request())));
    }
    group.bench_function("parse a claim", |b| {
        b.iter(|| Comparison::parse(black_box("a.stale_writes / a.updates > 2 * b.p99 + 5ms")));
    });
    group.finish();
}

/// How late waits end. The figure is the mean lateness, not the wait.
fn waits(c: &mut Criterion) {
    let mut group = c.benchmark_group("lab/lateness");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    group.bench_function("thread, 1 ms", |b| {
        let mut waiter = Waiter::default();
        b.iter_custom(|times| {
            let late = |_| {
                let due = Instant::now() + Duration::from_millis(1);
                waiter.until(due);
                due.elapsed()
            };
            (0..times).map(late).sum()
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let timer = Timer::start().expect("a thread");
    group.bench_function("task, 1 ms", |b| {
        b.iter_custom(|times| {
            runtime.block_on(async {
                let mut late = Duration::ZERO;
                for _ in 0..times {
                    let due = Instant::now() + Duration::from_millis(1);
                    timer.sleep_until(due).await;
                    late += due.elapsed();
                }
                late
            })
        });
    });
    for rate in [1_000.0, 10_000.0, 20_000.0] {
        group.bench_function(format!("open loop, {rate}/s"), |b| {
            b.iter_custom(|times| runtime.block_on(pacing_lateness(rate, times)));
        });
    }
    group.finish();
}

/// Sum of how late `count` requests reached the task that sends them.
async fn pacing_lateness(rate: f64, count: u64) -> Duration {
    let requests = Requests::new(100, Popularity::Uniform, 0.0, 1, 0);
    let (pacer, mut batches) = Pacer::start(rate, requests, 1).expect("a thread");
    pacer.resume();
    let (mut late, mut seen) = (Duration::ZERO, 0);
    while seen < count {
        let Some(batch) = batches.recv().await else { break };
        let now = Instant::now();
        for (due, _) in batch.into_iter().take((count - seen) as usize) {
            late += now.saturating_duration_since(due);
            seen += 1;
        }
    }
    late
}

/// Wall time per request of the whole engine, recording and samples on: closed loop, cache-aside, all hits but few.
fn engine(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(server::start(&server::Options::default(), &mut |_| {})).expect("a server");
    let mut group = c.benchmark_group("lab/engine");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (clients, connections) in [(1, "own"), (20, "own"), (50, "own"), (50, "multiplexed")] {
        group.bench_function(format!("{clients} clients, {connections}"), |b| {
            b.iter_custom(|times| {
                let per_request = runtime.block_on(per_request(&server, clients, connections));
                per_request.mul_f64(times as f64)
            });
        });
    }
    group.finish();
    runtime.block_on(server.stop());
}

async fn per_request(server: &Server, clients: u32, connections: &str) -> Duration {
    let text = format!(
        r#"
title = "t"
question = "q"
origin = {{ latency = {{ fixed = 1 }}, payload = 64 }}
workload = {{ load = {{ closed = {{ clients = {clients} }} }}, keys = 1000, distribution = {{ zipf = 0.99 }}, duration = 0.5, prefill = true, connections = "{connections}" }}
variants = [ {{ name = "cache", label = "cache", pattern = {{ cache-aside = {{ ttl = 600000 }} }} }} ]
"#
    );
    let experiment: Experiment = toml::from_str(&text).expect("parses");
    let unit: UnitId = "week1/bench".parse().expect("an id");
    let endpoint = server.endpoint().clone();
    let mut run = lab::start(&unit, &experiment, endpoint, Some(server.control()), RunOptions::default());
    let mut rate = 0.0;
    while let Some(event) = run.events.recv().await {
        if let LabEvent::VariantFinished { totals, .. } = event {
            rate = totals.iter().find(|(name, _)| name == "rate").map_or(0.0, |(_, rate)| *rate);
        }
    }
    Duration::from_secs_f64(1.0 / f64::max(rate, 1.0))
}

criterion_group!(benches, parts, waits, engine);
criterion_main!(benches);
