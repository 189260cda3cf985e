//! A RESP-aware proxy in front of a server: it records every command and reply with its time, and can
//! hold, delay and cut them.
//!
//! Owns: the wire between a program and its server. One upstream connection per client connection, so
//! that SELECT, MULTI, WATCH, SUBSCRIBE and tracking state stay where they belong. Must not know: what
//! the program is for, who decides when a held command may go on.
//!
//! In [`Mode::Pass`] bytes go on as they come. In [`Mode::Controlled`] each command that can matter
//! to another client waits for [`Proxy::order`]; see [`Class`] for those that never wait.

mod classify;
mod connection;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::task::AbortOnDropHandle;

pub use classify::{Class, classify};

use crate::resp::Frame;

/// Where the server behind a proxy is, and the password that only the proxy knows.
#[derive(Clone)]
pub struct Upstream {
    /// How to reach it.
    pub address: UpstreamAddress,
    /// ACL user; `None` is the default user.
    pub username: Option<String>,
    /// Never given to the program.
    pub password: Option<String>,
}

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `host:port`.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Whether commands wait for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Everything goes on at once.
    Pass = 0,
    /// Commands wait, replies of blocking commands and published messages too.
    Controlled = 1,
}

/// Names one command, reply or push on any connection of a proxy.
pub type WireId = u64;

/// Something that was seen on the wire.
#[derive(Debug, Clone)]
pub struct Wire {
    /// When the proxy saw it.
    pub at: Instant,
    /// The tag the proxy was started with.
    pub instance: usize,
    /// Which connection of that proxy.
    pub connection: u32,
    /// What it was.
    pub kind: WireKind,
}

/// What was seen.
#[derive(Debug, Clone)]
pub enum WireKind {
    /// A client connected.
    Opened,
    /// It is gone.
    Closed,
    /// A whole command arrived.
    Command {
        /// Its name from now on; its reply bears it too.
        id: WireId,
        /// Name and arguments.
        argv: Vec<Bytes>,
        /// What kind of command.
        class: Class,
        /// It waits for an order.
        held: bool,
    },
    /// The reply to a command arrived from the server.
    Reply {
        /// The command's.
        id: WireId,
        /// As received.
        frame: Frame,
        /// It waits for [`Order::Deliver`].
        held: bool,
    },
    /// A message that is no reply (RESP3 push, pub/sub, MONITOR line).
    Push {
        /// Names it.
        id: WireId,
        /// As received.
        frame: Frame,
        /// It waits for [`Order::Deliver`].
        held: bool,
    },
}

/// What to do with something that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Send the command to the server.
    Release(WireId),
    /// Send it after a delay.
    Delay(WireId, Duration),
    /// Hand the held reply or push to the client.
    Deliver(WireId),
    /// Cut the connection; the command never reaches the server.
    CutBefore(WireId),
    /// Send the command to the server and cut the connection instead of delivering its reply.
    CutAfter(WireId),
    /// Let everything go that this connection holds.
    ReleaseAll,
}

/// Called for everything seen, in order, on the proxy's own task: must not block.
pub type Tap = Arc<dyn Fn(Wire) + Send + Sync>;

/// One listening port in front of one server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accept: AbortOnDropHandle<()>,
}

struct Shared {
    instance: usize,
    upstream: Upstream,
    tap: Tap,
    mode: AtomicU8,
    /// Added to every command in pass mode, in microseconds.
    latency: AtomicU64,
    ids: AtomicU64,
    connections: AtomicU32,
    orders: Mutex<HashMap<u32, mpsc::UnboundedSender<Order>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Shared {
    fn emit(&self, connection: u32, kind: WireKind) {
        (self.tap)(Wire { at: Instant::now(), instance: self.instance, connection, kind });
    }

    fn next_id(&self) -> WireId {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn controlled(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == Mode::Controlled as u8
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, HashMap<u32, mpsc::UnboundedSender<Order>>> {
        // A poisoned map is still a map: only inserts and removes happen under the lock.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// Opens a free loopback port in front of `upstream`; `instance` is a tag for [`Wire::instance`].
    pub async fn start(instance: usize, upstream: Upstream, tap: Tap) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            instance,
            upstream,
            tap,
            mode: AtomicU8::new(Mode::Pass as u8),
            latency: AtomicU64::new(0),
            ids: AtomicU64::new(1),
            connections: AtomicU32::new(1),
            orders: Mutex::default(),
        });
        let accept = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { port, shared, _accept: AbortOnDropHandle::new(accept) })
    }

    /// The port programs connect to, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What to give a program: without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Changes what happens to commands from now on; going back to [`Mode::Pass`] lets all held ones go.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::Relaxed);
        if mode == Mode::Pass {
            for sender in self.shared.orders().values() {
                let _ = sender.send(Order::ReleaseAll);
            }
        }
    }

    /// Time added to each command in pass mode.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.latency.store(latency.as_micros() as u64, Ordering::Relaxed);
    }

    /// Gives an order to a connection. False if it is gone.
    pub fn order(&self, connection: u32, order: Order) -> bool {
        self.shared.orders().get(&connection).is_some_and(|sender| sender.send(order).is_ok())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Owns the connections: dropping the task ends them all.
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else {
                    // Out of file descriptors: wait for some to come back.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let _ = client.set_nodelay(true);
                let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
                let (sender, orders) = mpsc::unbounded_channel();
                shared.orders().insert(connection, sender);
                let shared = shared.clone();
                tasks.spawn(async move {
                    shared.emit(connection, WireKind::Opened);
                    let outcome = connection::serve(client, connection, orders, &shared).await;
                    if let Err(error) = outcome {
                        tracing::debug!(connection, %error, "proxied connection ended");
                    }
                    shared.orders().remove(&connection);
                    shared.emit(connection, WireKind::Closed);
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}
