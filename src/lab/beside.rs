//! What the server itself says, beside what the patterns count.

use std::time::Duration;

use super::{ServerSample, link::Link};

/// Reads `INFO` and `DBSIZE` on a connection of its own.
pub(super) struct Beside {
    link: Link,
    last: Option<(u64, u64)>,
    /// Sum of the deltas since [`Beside::begin`].
    pub hits: u64,
    /// As `hits`.
    pub misses: u64,
}

/// A paused or dead server must not hold up the samples.
const TIMEOUT: Duration = Duration::from_millis(50);

impl Beside {
    pub fn new(link: Link) -> Self {
        Self { link, last: None, hits: 0, misses: 0 }
    }

    /// Counting starts here.
    pub async fn begin(&mut self) {
        self.last = None;
        self.sample(Duration::from_secs(2)).await;
        (self.hits, self.misses) = (0, 0);
    }

    /// The window since the last time.
    pub async fn window(&mut self) -> ServerSample {
        self.sample(TIMEOUT).await
    }

    /// The last window: worth waiting for.
    pub async fn end(&mut self) {
        self.sample(Duration::from_secs(2)).await;
    }

    async fn sample(&mut self, timeout: Duration) -> ServerSample {
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").arg("stats").cmd("INFO").arg("memory").cmd("DBSIZE");
        let reply = pipeline.query_async::<(String, String, u64)>(&mut self.link);
        let Ok(Ok((stats, memory, keys))) = tokio::time::timeout(timeout, reply).await else {
            return ServerSample::default();
        };
        let now = (field(&stats, "keyspace_hits"), field(&stats, "keyspace_misses"));
        // Lower than before: the server was restarted and counts from 0.
        let since = match self.last {
            Some(last) if last.0 <= now.0 && last.1 <= now.1 => last,
            Some(_) => (0, 0),
            None => now,
        };
        self.last = Some(now);
        let (keyspace_hits, keyspace_misses) = (now.0 - since.0, now.1 - since.1);
        self.hits += keyspace_hits;
        self.misses += keyspace_misses;
        ServerSample { keyspace_hits, keyspace_misses, keys, used_memory: field(&memory, "used_memory") }
    }
}

fn field(info: &str, name: &str) -> u64 {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = "# Memory\r\nused_memory_peak:9\r\nused_memory:17\r\nused_memory_human:1K\r\n";
        assert_eq!(field(info, "used_memory"), 17);
        assert_eq!(field(info, "keyspace_hits"), 0);
    }
}
