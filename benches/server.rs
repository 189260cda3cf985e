//! How long a live server takes: the bare program from spawn to PONG, beside ours from asking the
//! ladder to PONG. The difference is what cachelab costs: its checks, guardian, shim and polling.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::{
    hint::black_box,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cachelab::{
    process,
    server::{self, Options, Rung},
};
use criterion::{Criterion, criterion_group, criterion_main};

/// Spawn to PONG of the server on PATH, without anything of ours.
fn bare(program: &std::path::Path) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(&socket)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stream = loop {
        if let Ok(stream) = UnixStream::connect(&socket) {
            break stream;
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    stream.write_all(b"PING\r\n").unwrap();
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).unwrap();
    let taken = begun.elapsed();
    assert_eq!(&pong, b"+PONG\r\n");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
    child.wait().unwrap();
    taken
}

/// The whole ladder, on the same program.
async fn ours() -> Duration {
    let options = Options { rung: Rung::Path, ..Options::default() };
    let begun = Instant::now();
    let server = server::start(&options, &mut |_| ()).await.unwrap();
    let mut connection = server.endpoint().client().unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("PING").exec_async(&mut connection).await.unwrap();
    let taken = begun.elapsed();
    server.stop().await;
    taken
}

fn benches(criterion: &mut Criterion) {
    let Some(program) = ["valkey-server", "redis-server"].into_iter().find_map(process::find_on_path) else {
        eprintln!("skipped: no server on PATH");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("server");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    group.bench_function("bare, spawn to PONG", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| bare(black_box(&program))).sum());
    });
    group.bench_function("ladder to PONG", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(ours())).sum());
    });
    group.finish();
}

criterion_group!(server_start, benches);
criterion_main!(server_start);
