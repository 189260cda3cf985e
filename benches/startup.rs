//! From `exec` to the first frame of the real binary in a pseudo-terminal, beside `redis-cli`'s first
//! prompt where it is installed.

#[path = "../tests/support/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use pty::{Start, Terminal};

/// Time until `wanted` is on the screen of `binary`, over `times` starts.
fn until(binary: &str, args: &[&str], wanted: &str, times: u64) -> Duration {
    (0..times)
        .map(|_| {
            let home = tempfile::tempdir().expect("a temporary folder");
            let begun = Instant::now();
            let start = Start {
                binary: PathBuf::from(binary),
                args,
                env: &[],
                home: home.path().into(),
                dir: None,
                rows: 24,
                cols: 80,
            };
            let terminal = Terminal::start(&start);
            terminal.wait_for(wanted);
            begun.elapsed()
        })
        .sum()
}

fn first_frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("startup");
    group.sample_size(20);
    group.bench_function("cachelab, first frame", |bencher| {
        bencher.iter_custom(|times| until(env!("CARGO_BIN_EXE_cachelab"), &[], "Distributed locks", times));
    });
    group.bench_function("cachelab list", |bencher| {
        bencher.iter_custom(|times| until(env!("CARGO_BIN_EXE_cachelab"), &["list"], "Distributed locks", times));
    });
    let cli = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("redis-cli").is_file()));
    if cli {
        // Nothing listens on port 1: its prompt says so at once.
        group.bench_function("redis-cli, first prompt", |bencher| {
            bencher.iter_custom(|times| until("redis-cli", &["-p", "1"], "not connected>", times));
        });
    }
    group.finish();
}

criterion_group!(benches, first_frame);
criterion_main!(benches);
