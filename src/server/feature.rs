//! What a live server can and can't do of what labs may ask for. Only commands that change nothing
//! are sent, so this is safe on somebody's data.

use redis::{Value, aio::ConnectionLike};

use super::{Endpoint, ServerError, info};

/// Something labs may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Short and stable: `hash-field-ttl`.
    pub id: &'static str,
    /// For a person: `expiry of single hash fields (HEXPIRE)`.
    pub title: &'static str,
    /// Whether this server has it.
    pub present: bool,
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
pub async fn features(endpoint: &Endpoint, connection: &mut impl ConnectionLike) -> Result<Vec<Feature>, ServerError> {
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
            let present = !matches!(&answer, Value::Nil) && !matches!(&answer, Value::Array(items) if items.is_empty());
            Feature { id, title, present, remedy }
        })
        .collect();
    let memory: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let jemalloc = info::field(&memory, "mem_allocator").is_some_and(|name| name.starts_with("jemalloc"));
    found.push(Feature {
        id: "active-defrag",
        title: "active defragmentation",
        present: jemalloc,
        remedy: "a build with jemalloc, as distributions and images have it",
    });
    found.push(Feature {
        id: "tls",
        title: "TLS",
        present: endpoint.tls || knows_tls(connection).await,
        remedy: "a build with TLS, as distributions and images have it",
    });
    found.push(Feature {
        id: "owned",
        title: "changing its configuration, killing and pausing it",
        present: endpoint.is_private(),
        remedy: "a private server: leave out --redis",
    });
    Ok(found)
}

/// A server built with TLS has options for it. A refusal (an ACL) counts as none.
async fn knows_tls(connection: &mut impl ConnectionLike) -> bool {
    let options: Vec<String> =
        redis::cmd("CONFIG").arg("GET").arg("tls-port").query_async(connection).await.unwrap_or_default();
    !options.is_empty()
}
