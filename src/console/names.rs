//! Key names for completion: those seen in commands and replies, and more from SCAN.
//!
//! Owns: the bounded set of names, and a search that never costs the server more than a small SCAN
//! at a time (never KEYS). Must not know: where names are put.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::mpsc};

use super::{
    event::ConsoleEvent,
    link::{Identity, Link, LinkError},
    session::lock,
    state::is,
};
use crate::{
    resp::{Frame, Value},
    server::Endpoint,
};

/// Names kept; beyond it nothing is added.
const KEPT: usize = 20_000;
/// Keys looked at by one SCAN: well under a millisecond of the server's time.
const STEP: &str = "200";
/// One search looks no longer than this, and stops at so many new names.
const SEARCH: (Duration, usize) = (Duration::from_millis(400), 200);
/// Longest name that is worth completing.
const LONGEST: usize = 200;

/// See the module.
#[derive(Debug)]
pub(super) struct Names {
    endpoint: Endpoint,
    database: AtomicU32,
    seen: Mutex<BTreeSet<Vec<u8>>>,
    /// What the last search was for, and the SCAN cursor it stopped at.
    last: Mutex<Option<(Vec<u8>, String)>>,
    searching: AtomicBool,
    runtime: Handle,
    events: mpsc::WeakSender<ConsoleEvent>,
}

impl Names {
    /// None known yet. To be called inside a tokio runtime, which later searches use.
    pub fn new(endpoint: Endpoint, events: mpsc::WeakSender<ConsoleEvent>) -> Self {
        Self {
            database: AtomicU32::new(endpoint.database),
            endpoint,
            seen: Mutex::default(),
            last: Mutex::default(),
            searching: AtomicBool::new(false),
            runtime: Handle::current(),
            events,
        }
    }

    /// The names of another database are other names.
    pub fn set_database(&self, database: u32) {
        if self.database.swap(database, Ordering::Relaxed) != database {
            lock(&self.seen).clear();
            *lock(&self.last) = None;
        }
    }

    /// A name was typed or received.
    pub fn saw(&self, name: &[u8]) -> bool {
        let mut seen = lock(&self.seen);
        let wanted = !name.is_empty() && name.len() <= LONGEST && seen.len() < KEPT;
        wanted && seen.insert(name.to_vec())
    }

    /// Replies that list names: SCAN, KEYS, RANDOMKEY.
    pub fn saw_reply(&self, arguments: &[Vec<u8>], reply: &Frame) {
        if is(arguments, 0, "scan") || is(arguments, 0, "keys") || is(arguments, 0, "randomkey") {
            // A reply of a million names would be copied for 20,000.
            if reply.raw().len() > 1 << 22 {
                return;
            }
            self.saw_value(&reply.value());
        }
    }

    fn saw_value(&self, value: &Value) {
        match value {
            Value::Bulk(name) if name.parse_cursor().is_none() => {
                self.saw(name);
            }
            Value::Array(items) => items.iter().for_each(|item| self.saw_value(item)),
            _ => {}
        }
    }

    /// Up to `limit` known names that begin with `prefix`, in order.
    pub fn matching(&self, prefix: &[u8], limit: usize) -> Vec<Vec<u8>> {
        let seen = lock(&self.seen);
        seen.range(prefix.to_vec()..).take_while(|name| name.starts_with(prefix)).take(limit).cloned().collect()
    }

    /// Looks for more names that begin with `prefix`, unless a search is under way.
    pub fn search(self: &Arc<Self>, prefix: &[u8]) {
        if self.searching.swap(true, Ordering::AcqRel) {
            return;
        }
        let cursor = match &*lock(&self.last) {
            Some((last, cursor)) if last == prefix && cursor == "0" => None,
            Some((last, cursor)) if last == prefix => Some(cursor.clone()),
            _ => Some("0".to_owned()),
        };
        let Some(cursor) = cursor else {
            // The whole key space was looked through for this prefix.
            self.searching.store(false, Ordering::Release);
            return;
        };
        let (names, prefix) = (Arc::clone(self), prefix.to_vec());
        self.runtime.spawn(async move {
            let found = names.scan(&prefix, cursor).await;
            names.searching.store(false, Ordering::Release);
            if let (Ok(true), Some(events)) = (found, names.events.upgrade()) {
                let _ = events.send(ConsoleEvent::NamesChanged).await;
            }
        });
    }

    async fn scan(&self, prefix: &[u8], mut cursor: String) -> Result<bool, LinkError> {
        let identity = Identity {
            username: self.endpoint.username.clone(),
            password: self.endpoint.password.clone(),
            database: self.database.load(Ordering::Relaxed),
            resp3: false,
        };
        let (mut link, _) = Link::open(&self.endpoint, &identity).await?;
        let pattern = [glob_escaped(prefix), b"*".to_vec()].concat();
        let begun = Instant::now();
        let mut found = 0;
        while begun.elapsed() < SEARCH.0 && found < SEARCH.1 {
            let reply = link.call(&[b"SCAN", cursor.as_bytes(), b"MATCH", &pattern, b"COUNT", STEP.as_bytes()]).await?;
            let value = reply.value();
            let Some([next, names]) = value.as_items() else { break };
            next.as_str().unwrap_or("0").clone_into(&mut cursor);
            let names = names.as_items().unwrap_or_default().iter().filter_map(Value::as_bytes);
            found += names.filter(|name| self.saw(name)).count();
            if cursor == "0" {
                break;
            }
        }
        *lock(&self.last) = Some((prefix.to_vec(), cursor));
        Ok(found > 0)
    }
}

trait Cursor {
    /// The word is a number, as SCAN's cursor is.
    fn parse_cursor(&self) -> Option<u64>;
}

impl Cursor for bytes::Bytes {
    fn parse_cursor(&self) -> Option<u64> {
        std::str::from_utf8(self).ok()?.parse().ok()
    }
}

/// Text that a glob pattern takes literally.
fn glob_escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if b"*?[]\\^".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}
