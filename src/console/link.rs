//! One connection: bytes out, frames in, and the handshake that restores who and where we were.
//!
//! Owns: connecting, AUTH, HELLO 3, SELECT. Must not know: what a user typed, prompts.

use std::{io, time::Duration};

use bytes::Bytes;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    resp::{DecodeError, Decoder, Frame, encode_command},
    server::{Address, Endpoint, Stream},
};

/// Longest wait for a connection with its handshake.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a connection could not be made, or ended.
#[derive(Debug, Error)]
pub enum LinkError {
    /// No connection; worded like redis-cli's.
    #[error("Could not connect to Redis at {place}: {why}")]
    Connect {
        /// `127.0.0.1:6379` or a socket's path.
        place: String,
        /// The system's words.
        why: String,
    },
    /// The other side went away.
    #[error("Server closed the connection")]
    Closed,
    /// The system said so.
    #[error("{}", system_text(.0))]
    Io(#[from] io::Error),
    /// The other side does not speak RESP.
    #[error("{0}")]
    Protocol(#[from] DecodeError),
    /// The command needs a link, and there is none.
    #[error("not connected")]
    NotConnected,
}

/// The system's words without Rust's `(os error 111)`.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Who we are and where, to be restored on every new connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    pub username: Option<String>,
    pub password: Option<String>,
    pub database: u32,
    pub resp3: bool,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    decoder: Decoder,
}

impl Link {
    /// Connects and restores `identity`. What the server refused of it (a wrong password leaves a
    /// connection all the same, as in redis-cli) comes as sentences.
    pub async fn open(endpoint: &Endpoint, identity: &Identity) -> Result<(Self, Vec<String>), LinkError> {
        let opening = async {
            let stream = endpoint
                .connect()
                .await
                .map_err(|error| LinkError::Connect { place: place(endpoint), why: system_text(&error) })?;
            let mut link = Self { stream, decoder: Decoder::new() };
            let refused = link.shake_hands(identity).await?;
            Ok((link, refused))
        };
        match timeout(CONNECT, opening).await {
            Ok(result) => result,
            Err(_) => Err(LinkError::Connect { place: place(endpoint), why: "no answer within 5 s".into() }),
        }
    }

    async fn shake_hands(&mut self, identity: &Identity) -> Result<Vec<String>, LinkError> {
        let mut calls: Vec<(&str, Bytes)> = Vec::new();
        if let Some(password) = &identity.password {
            let call = match &identity.username {
                Some(user) => encode_command(&["AUTH", user, password]),
                None => encode_command(&["AUTH", password]),
            };
            calls.push(("AUTH", call));
        }
        if identity.resp3 {
            calls.push(("HELLO 3", encode_command(&["HELLO", "3"])));
        }
        let select = format!("SELECT {}", identity.database);
        if identity.database > 0 {
            calls.push((&select, encode_command(&["SELECT", &identity.database.to_string()])));
        }
        let all: Vec<u8> = calls.iter().flat_map(|(_, call)| call.iter().copied()).collect();
        self.send(&all).await?;
        let mut refused = Vec::new();
        for (name, _) in calls {
            let reply = self.reply().await?;
            if let Some(error) = reply.error() {
                refused.push(format!("{name} failed: {}", String::from_utf8_lossy(error)));
            }
        }
        Ok(refused)
    }

    /// Writes bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next frame, push or reply. Nothing is lost when the future is dropped.
    pub async fn frame(&mut self) -> Result<Frame, LinkError> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(frame);
            }
            if self.stream.read_buf(self.decoder.buffer_mut()).await? == 0 {
                return Err(LinkError::Closed);
            }
        }
    }

    /// The next frame that is no push.
    pub async fn reply(&mut self) -> Result<Frame, LinkError> {
        loop {
            let frame = self.frame().await?;
            if !frame.is_push() {
                return Ok(frame);
            }
        }
    }

    /// A command and its reply; for our own questions on a link nobody else uses.
    pub async fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Frame, LinkError> {
        self.send(&encode_command(arguments)).await?;
        self.reply().await
    }
}

/// `127.0.0.1:6379`, or a socket's path.
pub(super) fn place(endpoint: &Endpoint) -> String {
    match &endpoint.address {
        Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Unix(path) => path.display().to_string(),
    }
}
