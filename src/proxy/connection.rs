//! One client connection and its upstream connection: cuts the bytes into commands and replies,
//! pairs them, holds what has to wait.

use std::{collections::VecDeque, io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpStream, UnixStream},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Class, Order, Shared, UpstreamAddress, WireId, WireKind,
    classify::{classify, hello_without_auth, local_reply},
};
use crate::resp::{Decoder, Frame, Node, encode_command};

/// Stop reading from one side while the other has this much to swallow.
const HIGH_WATER: usize = 8 << 20;
/// A server on this machine that does not take a connection in this time never will.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    client: TcpStream,
    connection: u32,
    orders: mpsc::UnboundedReceiver<Order>,
    shared: &Shared,
) -> io::Result<()> {
    let connect = async {
        match &shared.upstream.address {
            UpstreamAddress::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok::<_, io::Error>(Box::new(stream) as Box<dyn Duplex>)
            }
            UpstreamAddress::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?) as Box<dyn Duplex>),
        }
    };
    let mut upstream = tokio::time::timeout(CONNECT_TIMEOUT, connect).await.map_err(io::Error::other)??;
    tokio::time::timeout(CONNECT_TIMEOUT, authenticate(&mut upstream, shared)).await.map_err(io::Error::other)??;
    Connection::new(connection, shared).run(client, upstream, orders).await
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

async fn authenticate(upstream: &mut Box<dyn Duplex>, shared: &Shared) -> io::Result<()> {
    let Some(password) = &shared.upstream.password else { return Ok(()) };
    let mut argv = vec!["AUTH"];
    argv.extend(shared.upstream.username.as_deref());
    argv.push(password);
    upstream.write_all(&encode_command(&argv)).await?;
    let mut decoder = Decoder::new();
    loop {
        if let Some(frame) = decoder.next().map_err(io::Error::other)? {
            return match frame.error() {
                Some(text) => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
                None => Ok(()),
            };
        }
        if upstream.read_buf(decoder.buffer_mut()).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A command that has not been sent to the server yet.
struct Queued {
    id: WireId,
    raw: Bytes,
    class: Class,
    /// The proxy's own answer instead of the server's.
    local: Option<&'static [u8]>,
    held: bool,
    not_before: Option<Instant>,
    cut_after: bool,
}

/// A command whose reply is awaited, in the order sent.
struct InFlight {
    id: WireId,
    hold_reply: bool,
    cut: bool,
    /// The proxy's own answer; the server never saw the command.
    local: Option<&'static [u8]>,
}

/// A reply or push that waits, or stands behind one that waits.
struct Outgoing {
    id: WireId,
    raw: Bytes,
    held: bool,
}

struct Connection<'a> {
    number: u32,
    shared: &'a Shared,
    queue: VecDeque<Queued>,
    in_flight: VecDeque<InFlight>,
    outgoing: VecDeque<Outgoing>,
    to_client: BytesMut,
    to_upstream: BytesMut,
    /// Between MULTI and EXEC, as the commands arrive.
    in_multi: bool,
    /// RESP2 sends published messages as plain arrays.
    subscribed: bool,
    cut: bool,
}

impl<'a> Connection<'a> {
    fn new(number: u32, shared: &'a Shared) -> Self {
        Self {
            number,
            shared,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            outgoing: VecDeque::new(),
            to_client: BytesMut::new(),
            to_upstream: BytesMut::new(),
            in_multi: false,
            subscribed: false,
            cut: false,
        }
    }

    async fn run(
        mut self,
        client: TcpStream,
        upstream: Box<dyn Duplex>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> io::Result<()> {
        let (mut client_in, mut client_out) = client.into_split();
        let (mut upstream_in, mut upstream_out) = split(upstream);
        let (mut commands, mut replies) = (Decoder::commands(), Decoder::new());
        loop {
            let due = self.queue.front().and_then(|q| q.not_before);
            tokio::select! {
                biased;
                Some(order) = orders.recv() => self.obey(order),
                sent = client_out.write_buf(&mut self.to_client), if !self.to_client.is_empty() => { sent?; }
                sent = upstream_out.write_buf(&mut self.to_upstream), if !self.to_upstream.is_empty() => { sent?; }
                read = upstream_in.read_buf(replies.buffer_mut()), if self.to_client.len() < HIGH_WATER => {
                    if read? == 0 {
                        return client_out.write_all(&self.to_client).await;
                    }
                    while let Some(frame) = replies.next().map_err(io::Error::other)? {
                        self.on_reply(frame);
                    }
                }
                read = client_in.read_buf(commands.buffer_mut()), if self.to_upstream.len() < HIGH_WATER => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(frame) = commands.next().map_err(io::Error::other)? {
                        self.on_command(&frame);
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            self.forward();
            self.deliver();
            if self.cut {
                return Ok(());
            }
        }
    }

    fn on_command(&mut self, frame: &Frame) {
        let argv = frame.arguments().unwrap_or_default();
        if argv.is_empty() {
            return;
        }
        let mut class = classify(&argv);
        if class == Class::Exec || argv[0].eq_ignore_ascii_case(b"DISCARD") {
            self.in_multi = false;
        } else if self.in_multi && class != Class::Local {
            class = Class::Queued;
        } else if argv[0].eq_ignore_ascii_case(b"MULTI") {
            self.in_multi = true;
        }
        let raw = hello_without_auth(&argv).map_or_else(|| frame.raw().clone(), |argv| encode_command(&argv));
        let held = self.shared.controlled() && matches!(class, Class::Exec | Class::Blocking | Class::Normal);
        let latency = self.shared.latency.load(std::sync::atomic::Ordering::Relaxed);
        let not_before = (latency > 0 && !held).then(|| Instant::now() + Duration::from_micros(latency));
        let id = self.shared.next_id();
        let local = (class == Class::Local).then(|| local_reply(&argv));
        self.queue.push_back(Queued { id, raw, class, local, held, not_before, cut_after: false });
        self.shared.emit(self.number, WireKind::Command { id, argv, class, held });
    }

    /// Sends what may go, in order: a held command holds all behind it.
    fn forward(&mut self) {
        while let Some(front) = self.queue.front() {
            if front.held || front.not_before.is_some_and(|at| at > Instant::now()) {
                return;
            }
            let Some(command) = self.queue.pop_front() else { return };
            let mut entry =
                InFlight { id: command.id, hold_reply: false, cut: command.cut_after, local: command.local };
            match command.class {
                Class::Local => {}
                Class::Subscribe => {
                    self.subscribed = true;
                    self.to_upstream.extend_from_slice(&command.raw);
                    continue;
                }
                _ => {
                    entry.hold_reply = command.class == Class::Blocking && self.shared.controlled();
                    self.to_upstream.extend_from_slice(&command.raw);
                }
            }
            self.in_flight.push_back(entry);
            self.answer_locally();
        }
    }

    /// The proxy's own answers keep their place among the server's.
    fn answer_locally(&mut self) {
        while let Some(text) = self.in_flight.front().and_then(|f| f.local) {
            if let Some(entry) = self.in_flight.pop_front() {
                self.outgoing.push_back(Outgoing { id: entry.id, raw: Bytes::from_static(text), held: false });
            }
        }
    }

    fn on_reply(&mut self, frame: Frame) {
        let raw = frame.raw().clone();
        let push = frame.is_push() || self.in_flight.is_empty() || (self.subscribed && is_message(&frame));
        if push {
            let id = self.shared.next_id();
            let held = self.shared.controlled() && is_published(&frame);
            self.outgoing.push_back(Outgoing { id, raw, held });
            self.shared.emit(self.number, WireKind::Push { id, frame, held });
            return;
        }
        let Some(entry) = self.in_flight.pop_front() else { return };
        if entry.cut {
            self.cut = true;
        } else {
            self.outgoing.push_back(Outgoing { id: entry.id, raw, held: entry.hold_reply });
        }
        self.shared.emit(self.number, WireKind::Reply { id: entry.id, frame, held: entry.hold_reply });
        self.answer_locally();
    }

    fn deliver(&mut self) {
        while self.outgoing.front().is_some_and(|o| !o.held) {
            if let Some(out) = self.outgoing.pop_front() {
                self.to_client.extend_from_slice(&out.raw);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Release(id) => self.with_queued(id, |q| q.held = false),
            Order::Delay(id, by) => self.with_queued(id, |q| {
                q.held = false;
                q.not_before = Some(Instant::now() + by);
            }),
            Order::CutAfter(id) => self.with_queued(id, |q| {
                q.held = false;
                q.cut_after = true;
            }),
            Order::CutBefore(_) => self.cut = true,
            Order::Deliver(id) => self.outgoing.iter_mut().filter(|o| o.id == id).for_each(|o| o.held = false),
            Order::ReleaseAll => {
                self.queue.iter_mut().for_each(|q| q.held = false);
                self.in_flight.iter_mut().for_each(|f| f.hold_reply = false);
                self.outgoing.iter_mut().for_each(|o| o.held = false);
            }
        }
    }

    fn with_queued(&mut self, id: WireId, change: impl FnOnce(&mut Queued)) {
        if let Some(queued) = self.queue.iter_mut().find(|q| q.id == id) {
            change(queued);
        }
    }
}

fn first_word(frame: &Frame) -> Option<Vec<u8>> {
    match frame.node().without_attributes() {
        Node::Push(mut items) | Node::Array(mut items) => match items.next() {
            Some(Node::Bulk(text) | Node::Simple(text)) => Some(text.to_ascii_lowercase()),
            _ => None,
        },
        _ => None,
    }
}

/// An array that RESP2 sends to a subscriber.
fn is_message(frame: &Frame) -> bool {
    first_word(frame).is_some_and(|word| word.ends_with(b"message") || word.ends_with(b"subscribe"))
}

/// A push that wakes somebody: a published message or an invalidation, not a confirmation.
fn is_published(frame: &Frame) -> bool {
    first_word(frame).is_some_and(|word| word.ends_with(b"message") || word == b"invalidate")
}
