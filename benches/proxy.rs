//! What the proxy costs: PING beside a live server, directly and through it, at 1 connection (time of
//! one) and at 20 connections (rate of all). Commands are recorded, as in a check.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cachelab::{
    proxy::{Proxy, Tap, Upstream, UpstreamAddress},
    server::{self, Address, Listen, Options},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

const COMMAND: &[u8] = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
const REPLY: usize = b"$-1\r\n".len();

async fn connect(port: u16, password: Option<&str>) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if let Some(password) = password {
        stream.write_all(format!("AUTH {password}\r\n").as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
    }
    stream
}

/// The time that `times` round trips take on each of `connections`.
async fn round_trips(port: u16, password: Option<&str>, connections: usize, times: u64) -> Duration {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(connect(port, password).await);
    }
    let begun = Instant::now();
    let clients = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            for _ in 0..times {
                stream.write_all(COMMAND).await.unwrap();
                stream.read_exact(&mut [0; REPLY]).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    begun.elapsed()
}

fn proxy(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let options = Options { listen: Listen::Tcp, ..Options::default() };
    let server = runtime.block_on(server::start(&options, &mut |_| {})).unwrap();
    let Address::Tcp { host, port } = server.endpoint().address.clone() else { panic!("asked for TCP") };
    let password = server.endpoint().password.clone();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let tap: Tap = Arc::new(move |wire| {
        std::hint::black_box(&wire);
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let upstream = Upstream { address: UpstreamAddress::Tcp(host, port), username: None, password: password.clone() };
    // As in a check: a reactor of its own with one thread.
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        reactor.block_on(async move {
            let proxy = Proxy::start(0, upstream, tap).await.unwrap();
            sender.send(proxy.port()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let proxied = receiver.recv().unwrap();
    for connections in [1_usize, 20] {
        let mut group = c.benchmark_group(format!("get/{connections}-connections"));
        group.throughput(Throughput::Elements(connections as u64)).measurement_time(Duration::from_secs(4));
        for (name, port, password) in [("direct", port, password.as_deref()), ("proxy", proxied, None)] {
            group.bench_function(name, |b| {
                b.iter_custom(|times| runtime.block_on(round_trips(port, password, connections, times)));
            });
        }
        group.finish();
    }
    assert!(seen.load(Ordering::Relaxed) > 0);
    runtime.block_on(server.stop());
}

criterion_group!(benches, proxy);
criterion_main!(benches);
