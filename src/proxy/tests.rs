//! The proxy in front of a real server from the ladder of rungs is tested through `check`; here its own
//! duties, against a server end that the test plays byte by byte.

use std::sync::mpsc as sync_mpsc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;

struct Bench {
    proxy: Proxy,
    server: TcpListener,
    seen: sync_mpsc::Receiver<Wire>,
}

async fn bench(password: Option<&str>) -> Bench {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let (sender, seen) = sync_mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let tap: Tap = Arc::new(move |wire| drop(sender.lock().unwrap().send(wire)));
    let address = UpstreamAddress::Tcp("127.0.0.1".into(), port);
    let upstream = Upstream { address, username: None, password: password.map(str::to_owned) };
    Bench { proxy: Proxy::start(0, upstream, tap).await.unwrap(), server, seen }
}

impl Bench {
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(("127.0.0.1", self.proxy.port())).await.unwrap();
        let (server, _) = self.server.accept().await.unwrap();
        (client, server)
    }

    async fn next_id(&self, name: &str) -> (u32, WireId) {
        for _ in 0..200 {
            while let Ok(wire) = self.seen.try_recv() {
                if let WireKind::Command { id, argv, .. } = &wire.kind
                    && argv[0].eq_ignore_ascii_case(name.as_bytes())
                {
                    return (wire.connection, *id);
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no {name} was seen");
    }
}

async fn expect(stream: &mut TcpStream, wanted: &str) {
    let mut got = vec![0; wanted.len()];
    let read = timeout(Duration::from_secs(2), stream.read_exact(&mut got)).await;
    assert!(matches!(read, Ok(Ok(_))), "waiting for {wanted:?}: {:?}", String::from_utf8_lossy(&got));
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}

async fn silent(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(Duration::from_millis(60), stream.read(&mut byte)).await;
    assert!(read.is_err(), "nothing was to come: {read:?}");
}

#[tokio::test]
async fn passes_pipelines_split_anywhere_and_answers_auth_itself_in_order() {
    let bench = bench(None).await;
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"PING\r\n*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$3\r\nG").await.unwrap();
    expect(&mut server, "PING\r\n").await;
    client.write_all(b"ET\r\n$1\r\nk\r\n").await.unwrap();
    expect(&mut server, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await;
    silent(&mut client).await;
    server.write_all(b"+PONG\r\n$-1\r\n").await.unwrap();
    expect(&mut client, "+PONG\r\n+OK\r\n$-1\r\n").await;
}

#[tokio::test]
async fn knows_the_password_and_takes_the_clients_away() {
    let bench = bench(Some("secret")).await;
    let mut client = TcpStream::connect(("127.0.0.1", bench.proxy.port())).await.unwrap();
    let (mut server, _) = bench.server.accept().await.unwrap();
    expect(&mut server, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n").await;
    server.write_all(b"+OK\r\n").await.unwrap();
    client.write_all(b"HELLO 3 AUTH default wrong\r\n").await.unwrap();
    expect(&mut server, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n").await;
    assert!(!format!("{bench:?}", bench = bench.proxy).contains("secret"));
}

#[tokio::test]
async fn holds_what_matters_and_nothing_else() {
    let bench = bench(None).await;
    bench.proxy.set_mode(Mode::Controlled);
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"HELLO 3\r\nMULTI\r\nINCR k\r\nEXEC\r\nGET k\r\n").await.unwrap();
    expect(&mut server, "HELLO 3\r\nMULTI\r\nINCR k\r\n").await;
    silent(&mut server).await;
    let (connection, exec) = bench.next_id("EXEC").await;
    bench.proxy.order(connection, Order::Release(exec));
    expect(&mut server, "EXEC\r\n").await;
    silent(&mut server).await;
    bench.proxy.set_mode(Mode::Pass);
    expect(&mut server, "GET k\r\n").await;
}

#[tokio::test]
async fn a_blocking_reply_and_a_published_message_wait_again() {
    let bench = bench(None).await;
    bench.proxy.set_mode(Mode::Controlled);
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"BLPOP q 0\r\n").await.unwrap();
    let (connection, pop) = bench.next_id("BLPOP").await;
    bench.proxy.order(connection, Order::Release(pop));
    expect(&mut server, "BLPOP q 0\r\n").await;
    server.write_all(b"*2\r\n$1\r\nq\r\n$1\r\n1\r\n").await.unwrap();
    silent(&mut client).await;
    bench.proxy.order(connection, Order::Deliver(pop));
    expect(&mut client, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n").await;
    client.write_all(b"SUBSCRIBE c\r\n").await.unwrap();
    expect(&mut server, "SUBSCRIBE c\r\n").await;
    server
        .write_all(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n")
        .await
        .unwrap();
    expect(&mut client, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").await;
    silent(&mut client).await;
    bench.proxy.set_mode(Mode::Pass);
    expect(&mut client, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n").await;
}

#[tokio::test]
async fn cuts_before_the_command_or_instead_of_the_reply() {
    let bench = bench(None).await;
    bench.proxy.set_mode(Mode::Controlled);
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"DECR stock\r\n").await.unwrap();
    let (connection, decr) = bench.next_id("DECR").await;
    bench.proxy.order(connection, Order::CutAfter(decr));
    expect(&mut server, "DECR stock\r\n").await;
    server.write_all(b":4\r\n").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0, "the effect stays, the reply is lost");

    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"DECR stock\r\n").await.unwrap();
    let (connection, decr) = bench.next_id("DECR").await;
    bench.proxy.order(connection, Order::CutBefore(decr));
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(server.read(&mut [0]).await.unwrap_or(0), 0, "the server never saw it");
}

#[tokio::test]
async fn delays() {
    let bench = bench(None).await;
    bench.proxy.set_latency(Duration::from_millis(80));
    let (mut client, mut server) = bench.connect().await;
    let begun = Instant::now();
    client.write_all(b"GET k\r\n").await.unwrap();
    expect(&mut server, "GET k\r\n").await;
    assert!(begun.elapsed() >= Duration::from_millis(79), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_no_resp_ends_the_connection_and_not_the_proxy() {
    let bench = bench(None).await;
    let (mut client, _server) = bench.connect().await;
    client.write_all(b"*1\r\n$999999999999\r\n").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    let (mut client, mut server) = bench.connect().await;
    client.write_all(b"PING\r\n").await.unwrap();
    expect(&mut server, "PING\r\n").await;
}
