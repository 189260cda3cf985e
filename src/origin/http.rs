//! A slow HTTP origin on loopback whose every request can be held: the window through which a program
//! is watched from outside while it is in its critical section.
//!
//! Owns: listening, parsing, holding, time taken. Must not know: what is stored behind it ([`App`]),
//! who decides when a held request may go on.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::oneshot};
use tokio_util::task::AbortOnDropHandle;

/// The largest body a program may send.
const MAX_BODY: usize = 1 << 20;

/// What is behind the origin. Called on the reactor: must not block.
pub trait App: Send + Sync {
    /// Does what the request asks, at once, and answers. This is the instant of its effect.
    fn handle(&self, call: &Call) -> Answer;
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`.
    pub method: String,
    /// Path and query, still percent-encoded.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// An answer with a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// JSON text.
    pub body: String,
}

/// Something seen at the origin.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// The tag the port was opened with.
    pub instance: usize,
    /// Names the request.
    pub id: u64,
    /// What happened to it.
    pub kind: SeenKind,
}

/// What happened to a request.
#[derive(Debug, Clone)]
pub enum SeenKind {
    /// It arrived.
    Arrived {
        /// What it asks.
        call: Call,
        /// It waits for [`Origin::release`].
        held: bool,
    },
    /// It took effect, and the answer goes back.
    Answered {
        /// The answer.
        answer: Answer,
    },
    /// The client went away before that; nothing took effect.
    Gone,
}

/// Called for everything seen, in order, on the reactor: must not block.
pub type SeenTap = Arc<dyn Fn(Seen) + Send + Sync>;

/// Decides which requests wait for an order.
pub type HoldRule = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

struct Shared {
    app: Arc<dyn App>,
    tap: SeenTap,
    latency_us: AtomicU64,
    ids: AtomicU64,
    hold: Mutex<Option<HoldRule>>,
    held: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

/// The origin: one store behind any number of ports. Dropping it closes them.
pub struct Origin {
    shared: Arc<Shared>,
    ports: Vec<(u16, AbortOnDropHandle<()>)>,
}

impl Origin {
    /// An origin without a port yet.
    pub fn new(app: Arc<dyn App>, tap: SeenTap) -> Self {
        let shared = Shared {
            app,
            tap,
            latency_us: AtomicU64::new(0),
            ids: AtomicU64::new(1),
            hold: Mutex::new(None),
            held: Mutex::default(),
        };
        Self { shared: Arc::new(shared), ports: Vec::new() }
    }

    /// Opens a free loopback port; `instance` is a tag for [`Seen::instance`].
    pub async fn open(&mut self, instance: usize) -> io::Result<u16> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(accept(listener, instance, self.shared.clone()));
        self.ports.push((port, AbortOnDropHandle::new(task)));
        Ok(port)
    }

    /// How long each request takes; its effect is in the middle. Held requests take no longer than they are held.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.latency_us.store(latency.as_micros() as u64, Ordering::Relaxed);
    }

    /// Requests for which `rule` holds wait from now on. `None` lets all go, those that wait already too.
    pub fn hold(&self, rule: Option<HoldRule>) {
        let free = rule.is_none();
        *self.shared.hold.lock().unwrap_or_else(PoisonError::into_inner) = rule;
        if free {
            self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Lets one held request take effect and be answered. False if it is gone.
    pub fn release(&self, id: u64) -> bool {
        let sender = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        sender.is_some_and(|s| s.send(()).is_ok())
    }
}

async fn accept(listener: TcpListener, instance: usize, shared: Arc<Shared>) {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let shared = shared.clone();
                tasks.spawn(async move {
                    let service = service_fn(|request| respond(request, instance, shared.clone()));
                    let mut server = hyper::server::conn::http1::Builder::new();
                    server.half_close(false);
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Says that a request is gone unless it was answered, also when hyper drops the future.
struct Ticket<'a> {
    shared: &'a Shared,
    instance: usize,
    id: u64,
    answered: bool,
}

impl Ticket<'_> {
    fn emit(&self, kind: SeenKind) {
        (self.shared.tap)(Seen { at: Instant::now(), instance: self.instance, id: self.id, kind });
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
            self.emit(SeenKind::Gone);
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    instance: usize,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(json(&Answer { status: 413, body: r#"{"error":"the body is cut or over 1 MB"}"#.to_owned() }));
    };
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let call = Call {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), |p| p.as_str().to_owned()),
        headers: parts.headers.iter().map(header).collect(),
        body: body.to_bytes(),
    };
    let id = shared.ids.fetch_add(1, Ordering::Relaxed);
    let held = shared.hold.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|rule| rule(&call));
    let mut ticket = Ticket { shared: &shared, instance, id, answered: false };
    let half = Duration::from_micros(shared.latency_us.load(Ordering::Relaxed) / 2);
    let waiting = held.then(|| {
        let (sender, receiver) = oneshot::channel();
        shared.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        receiver
    });
    ticket.emit(SeenKind::Arrived { call: call.clone(), held });
    match waiting {
        // A dropped sender lets go too.
        Some(receiver) => drop(receiver.await),
        None if half.is_zero() => {}
        None => tokio::time::sleep(half).await,
    }
    let answer = shared.app.handle(&call);
    ticket.answered = true;
    ticket.emit(SeenKind::Answered { answer: answer.clone() });
    if !held && !half.is_zero() {
        tokio::time::sleep(half).await;
    }
    Ok(json(&answer))
}

fn json(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body.clone())));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
