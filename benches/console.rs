//! The console's costs: decoding, the first page of a large reply, completion while typing, and a
//! command from the shell beside redis-cli.

use std::{hint::black_box, process::Command};

use cachelab::{
    console::{
        format::{Printer, Repr, exact},
        grammar::{Docs, hint, walk},
    },
    resp::{Decoder, Frame},
    server::{self, Listen},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A reply of 100,000 short strings, as LRANGE gives.
fn reply() -> Vec<u8> {
    let mut wire = b"*100000\r\n".to_vec();
    for number in 0..100_000 {
        let element = format!("element:{number}");
        wire.extend_from_slice(format!("${}\r\n{element}\r\n", element.len()).as_bytes());
    }
    wire
}

fn decoded(wire: &[u8]) -> Frame {
    let mut decoder = Decoder::new();
    // As reads come from a socket.
    for chunk in wire.chunks(16 * 1024) {
        decoder.feed(chunk);
        if let Some(frame) = decoder.next().expect("RESP") {
            return frame;
        }
    }
    unreachable!("the reply is whole")
}

fn replies(criterion: &mut Criterion) {
    let wire = reply();
    let frame = decoded(&wire);
    let mut group = criterion.benchmark_group("reply of 100,000 elements");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(|| decoded(black_box(&wire))));
    group.bench_function("first page of 1,000 lines", |bencher| {
        bencher.iter(|| Printer::new(frame.clone(), Repr { utf8: true, clip: Some(16_384) }).take_lines(1_000));
    });
    group.bench_function("all as text", |bencher| bencher.iter(|| exact(black_box(&frame))));
    group.bench_function("as an owned tree", |bencher| bencher.iter(|| frame.value()));
    group.finish();
}

fn typing(criterion: &mut Criterion) {
    let docs = Docs::built_in();
    let words: Vec<Vec<u8>> = "lock token NX PX 30000".split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let set = docs.get("SET").expect("SET is known");
    let mut group = criterion.benchmark_group("typing");
    group.bench_function("hint", |bencher| bencher.iter(|| hint(docs, black_box("SET lock token NX PX "))));
    group.bench_function("walk", |bencher| bencher.iter(|| walk(&set.arguments, black_box(&words))));
    group.finish();
}

/// From the shell to the reply and back; redis-cli beside it where it is installed.
fn from_the_shell(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = server::Options { listen: Listen::Unix, ..server::Options::default() };
    let server = runtime.block_on(server::start(&options, &mut |_| {})).expect("a server");
    let server::Address::Unix(socket) = server.endpoint().address.clone() else { unreachable!("a unix socket") };
    let url = server.endpoint().url();
    let mut group = criterion.benchmark_group("PING from the shell");
    group.sample_size(30);
    group.bench_function("cachelab console", |bencher| {
        bencher
            .iter(|| Command::new(env!("CARGO_BIN_EXE_cachelab")).args(["console", "--redis", &url, "PING"]).output());
    });
    if Command::new("redis-cli").arg("--version").output().is_ok() {
        group.bench_function("redis-cli", |bencher| {
            bencher.iter(|| Command::new("redis-cli").arg("-s").arg(&socket).arg("PING").output());
        });
    }
    group.finish();
    runtime.block_on(server.stop());
}

criterion_group!(console, replies, typing, from_the_shell);
criterion_main!(console);
