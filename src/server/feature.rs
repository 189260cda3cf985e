//! What a live server can and can't do of what labs may ask for. Only commands that change nothing
//! are sent, so this is safe on somebody's data.

use std::path::Path;

use redis::{Value, aio::ConnectionLike};

use super::{Endpoint, ServerError, info, local};

/// Something labs may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Short and stable: `hash-field-ttl`.
    pub id: &'static str,
    /// For a person: `expiry of single hash fields (HEXPIRE)`.
    pub title: &'static str,
    /// Whether this server has it; `None` where that can't be seen from outside.
    pub present: Option<bool>,
    /// What has it, if this one has not.
    pub remedy: &'static str,
}

/// Features that are there when a command is: id, title, command, what has it.
const BY_COMMAND: [(&str, &str, &str, &str); 6] = [
    ("functions", "functions (FCALL)", "FCALL", "Redis 7.0, any Valkey"),
    ("hash-field-ttl", "expiry of single hash fields (HEXPIRE)", "HEXPIRE", "Redis 7.4, Valkey 9.0"),
    ("waitaof", "waiting for the disk (WAITAOF)", "WAITAOF", "Redis 7.2, any Valkey"),
    ("commandlog", "log of large replies (COMMANDLOG)", "COMMANDLOG", "Valkey 8.1"),
    ("delete-if-equal", "delete if equal in one command (DELIFEQ)", "DELIFEQ", "Valkey 9.0"),
    ("bloom", "Bloom filters (BF.ADD)", "BF.ADD", "Redis 8.0"),
];

/// Asks the server.
pub(super) async fn ask(
    endpoint: &Endpoint,
    connection: &mut impl ConnectionLike,
) -> Result<Vec<Feature>, ServerError> {
    let mut ask = redis::cmd("COMMAND");
    ask.arg("INFO");
    for (_, _, command, _) in BY_COMMAND {
        ask.arg(command);
    }
    let known: Vec<Value> = ask.query_async(connection).await?;
    let mut found: Vec<Feature> = BY_COMMAND
        .into_iter()
        .zip(known)
        .map(|((id, title, _, remedy), answer)| {
            let absent = matches!(&answer, Value::Nil) || matches!(&answer, Value::Array(items) if items.is_empty());
            Feature { id, title, present: Some(!absent), remedy }
        })
        .collect();
    let memory: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let jemalloc = info::field(&memory, "mem_allocator").is_some_and(|name| name.starts_with("jemalloc"));
    found.push(Feature {
        id: "active-defrag",
        title: "active defragmentation",
        present: Some(jemalloc),
        remedy: "a build with jemalloc, as distributions and images have it",
    });
    found.push(Feature {
        id: "owned",
        title: "changing its configuration, killing and pausing it",
        present: Some(endpoint.is_private()),
        remedy: "a private server: leave out --redis",
    });
    Ok(found)
}

/// Whether the server can do TLS, which it does not say: known of a connection that uses it, and
/// found out from a binary.
pub(super) async fn tls(endpoint: &Endpoint, binary: Option<&Path>) -> Feature {
    let present = match binary {
        _ if endpoint.tls => Some(true),
        Some(binary) => local::has_tls(binary).await,
        None => None,
    };
    Feature { id: "tls", title: "TLS", present, remedy: "a build with TLS, as distributions and images have it" }
}
