//! Deleting by pattern without stopping the server.

use redis::{RedisResult, aio::ConnectionLike};

/// What a pattern delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Keys deleted.
    pub keys: u64,
    /// Rounds of `SCAN` it took: the whole keyspace, however few keys match.
    pub scans: u64,
}

/// Deletes what matches the glob `pattern`, in batches: `SCAN` and `UNLINK`, each short, so that others are served
/// in between. The Redis documentation's page on `SCAN`.
///
/// Guarantees: every key that exists from beginning to end and matches is deleted; no command takes long (`KEYS`
/// would hold up everybody while it walks the keyspace, `DEL` while it frees a large value).
/// Does **not** guarantee: that a key written meanwhile is found. Nor cheapness: it costs the keyspace, not the
/// matches. On a cluster it sees one node. Tags do the same in one step.
pub async fn delete_matching<C: ConnectionLike>(
    connection: &mut C,
    pattern: &str,
    batch: usize,
) -> RedisResult<Deleted> {
    let mut deleted = Deleted::default();
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(batch.max(1));
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        deleted.scans += 1;
        if !keys.is_empty() {
            // SCAN may name a key twice; it is counted once.
            deleted.keys += redis::cmd("UNLINK").arg(keys).query_async::<u64>(connection).await?;
        }
        if next == 0 {
            return Ok(deleted);
        }
        cursor = next;
    }
}

/// Text as part of a pattern that matches nothing but itself: a user's `*` must not delete everything.
pub fn escape_glob(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}
