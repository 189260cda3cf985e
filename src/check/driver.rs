//! The clients of a program under test: one HTTP/1.1 request on a connection of its own.
//!
//! `Connection: close` always: a single-threaded server that keeps a connection open would serve
//! nobody else, and a right program may well be one.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const MAX_ANSWER: usize = 1 << 20;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `200`.
    pub status: u16,
    /// The body, at most 1 MB.
    pub body: Bytes,
    /// From the first byte sent to the last received.
    pub took: Duration,
}

impl Reply {
    /// The body for people: one line, cut.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        let cut: String = text.chars().take(200).collect();
        let cut = if cut.len() < text.len() { format!("{cut}…") } else { cut };
        crate::process::visible(cut.as_bytes())
    }
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// Nobody listens.
    #[error("cannot connect to 127.0.0.1:{0}: {1}")]
    Connect(u16, String),
    /// The connection ended, or what came is no HTTP.
    #[error("no valid HTTP answer: {0}")]
    Http(String),
    /// Too late.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Sends one request without a body and waits for the whole answer.
pub async fn request(address: SocketAddr, method: &str, path: &str, limit: Duration) -> Result<Reply, DriveError> {
    tokio::time::timeout(limit, exchange(address, method, path)).await.unwrap_or(Err(DriveError::Timeout(limit)))
}

async fn exchange(address: SocketAddr, method: &str, path: &str) -> Result<Reply, DriveError> {
    let begun = Instant::now();
    let stream =
        TcpStream::connect(address).await.map_err(|e| DriveError::Connect(address.port(), e.kind().to_string()))?;
    let _ = stream.set_nodelay(true);
    let http = |error: hyper::Error| DriveError::Http(explain(&error));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .header(header::CONTENT_LENGTH, "0")
        .body(Empty::<Bytes>::new())
        .map_err(|e| DriveError::Http(e.to_string()))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(http)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|e| DriveError::Http(format!("the body: {e}")))?.to_bytes();
        Ok(Reply { status, body, took: begun.elapsed() })
    };
    tokio::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            done = &mut answer => return done,
            _ = &mut connection, if open => open = false,
        }
    }
}

fn explain(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "the connection was closed before the answer was complete".to_owned();
    }
    if error.is_parse() {
        return format!("not HTTP/1.1: {error}");
    }
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
