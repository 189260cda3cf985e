//! The filter as a bitmap in Redis, shared by a fleet and built anew without a gap.

use std::sync::LazyLock;

use redis::{RedisResult, Script, aio::ConnectionLike};

use super::Size;

/// Sets an item's bits, in the filter under construction too if there is one. `SETBIT` on a missing filter makes one of
/// one item, which is told from a whole one by its last bit.
static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local building = redis.call('EXISTS', KEYS[2]) == 1
for _, bit in ipairs(ARGV) do
  redis.call('SETBIT', KEYS[1], bit, 1)
  if building then redis.call('SETBIT', KEYS[2], bit, 1) end
end
",
    )
});

static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[3]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('SETBIT', KEYS[2], ARGV[2], 1)
redis.call('RENAME', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[3])
",
    )
});

/// What the gate says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never added: answer "not found" at once.
    Absent,
    /// Added, or a false positive: go on.
    Maybe,
    /// There is no complete filter (not built yet, flushed, evicted): go on. A missing filter knows nothing.
    Unknown,
}

/// A filter in a Redis bitmap. One bit past its size says that it is complete.
#[derive(Debug, Clone)]
pub struct BloomGate<C> {
    connection: C,
    key: String,
    size: Size,
}

impl<C: ConnectionLike + Clone + Send + Sync> BloomGate<C> {
    /// The filter at `key`; a rebuild goes on at `key:next` and is noted at `key:builder` (in a cluster the key needs a
    /// hash tag).
    pub fn new(connection: C, key: impl Into<String>, size: Size) -> Self {
        Self { connection, key: key.into(), size }
    }

    /// Adds an item: after it exists at the origin, or at the latest before anybody is told of it. It goes into a
    /// filter that is being built as well: the list that one is built from may be older.
    pub async fn add(&self, item: &[u8]) -> RedisResult<()> {
        let mut call = ADD.key(&self.key);
        call.key(self.next()).arg(self.size.positions(item).collect::<Vec<_>>());
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Asks for an item, in one round trip.
    pub async fn check(&self, item: &[u8]) -> RedisResult<Verdict> {
        let mut pipe = redis::pipe();
        pipe.cmd("GETBIT").arg(&self.key).arg(self.size.bits);
        for bit in self.size.positions(item) {
            pipe.cmd("GETBIT").arg(&self.key).arg(bit);
        }
        // In MULTI: a rebuilt filter put in place between two questions can't mix its answers with the old one's.
        let bits: Vec<bool> = pipe.atomic().query_async(&mut self.connection.clone()).await?;
        Ok(match bits.split_first() {
            Some((true, bits)) if bits.iter().all(|bit| *bit) => Verdict::Maybe,
            Some((true, _)) => Verdict::Absent,
            _ => Verdict::Unknown,
        })
    }

    /// Begins a new filter beside the old one. Read the list of items only after this: what is added from now on goes
    /// into both. A rebuild still under way is given up.
    pub async fn rebuild(&self) -> RedisResult<Rebuild<C>> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("UNLINK").arg(self.next()).ignore();
        pipe.cmd("SETBIT").arg(self.next()).arg(self.size.bits).arg(0).ignore();
        pipe.cmd("SET").arg(self.builder()).arg(&token).ignore();
        pipe.query_async::<()>(&mut self.connection.clone()).await?;
        Ok(Rebuild { gate: self.clone(), token })
    }

    fn builder(&self) -> String {
        format!("{}:builder", self.key)
    }

    fn next(&self) -> String {
        format!("{}:next", self.key)
    }
}

/// A filter under construction.
#[derive(Debug)]
pub struct Rebuild<C> {
    gate: BloomGate<C>,
    token: String,
}

impl<C: ConnectionLike + Clone + Send + Sync> Rebuild<C> {
    /// Adds items, in one round trip: some hundreds at a time.
    pub async fn add<'a>(&self, items: impl IntoIterator<Item = &'a [u8]>) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for item in items {
            for bit in self.gate.size.positions(item) {
                pipe.cmd("SETBIT").arg(self.gate.next()).arg(bit).arg(1).ignore();
            }
        }
        if pipe.is_empty() {
            return Ok(());
        }
        pipe.query_async(&mut self.gate.connection.clone()).await
    }

    /// Puts it in the place of the old one, in one step. `false`: another rebuild began meanwhile, and it is that
    /// one's turn; half a filter never takes the place.
    pub async fn finish(self) -> RedisResult<bool> {
        let mut call = FINISH.key(&self.gate.key);
        call.key(self.gate.next()).key(self.gate.builder()).arg(&self.token).arg(self.gate.size.bits);
        call.invoke_async(&mut self.gate.connection.clone()).await
    }
}
