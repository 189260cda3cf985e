//! Events by pub/sub: fast, and lost to whoever is not there.

use std::{fmt, time::Duration};

use futures_util::StreamExt;
use redis::{Client, RedisResult, aio::ConnectionLike};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Changed, LocalCache};

/// How often the connection is tried, and how long an answer may take, before it counts as cut. A peer that is
/// gone without a word is noticed after twice this.
const HEARTBEAT: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_millis(50);

/// Carries events over a pub/sub channel into a [`LocalCache`], and connects again when cut.
///
/// Guarantees: while connected every event arrives, in order; the cache answers nothing from the moment a cut is
/// noticed until the subscription stands again, and begins empty then, for nobody knows what was missed.
/// Does **not** guarantee: that a cut is noticed at once: a silent one takes up to a second, in which old values are
/// answered. Nor that anybody hears of an event published by a writer who dies before it (see
/// [`Outbox`](super::Outbox)).
#[derive(Debug)]
pub struct Broadcast {
    task: JoinHandle<()>,
}

impl Broadcast {
    /// Subscribes in the background, until dropped.
    pub fn listen(client: Client, channel: impl Into<String>, cache: LocalCache) -> Self {
        let channel = channel.into();
        let task = tokio::spawn(async move {
            loop {
                // However it ended: from here on events may be missed.
                let _ = session(&client, &channel, &cache).await;
                cache.cut();
                sleep(RETRY).await;
            }
        });
        Self { task }
    }

    /// Tells everybody, after the commit. Says how many heard it.
    pub async fn publish<C: ConnectionLike>(
        connection: &mut C,
        channel: &str,
        changed: &Changed,
    ) -> RedisResult<usize> {
        redis::cmd("PUBLISH").arg(channel).arg(changed.encode()).query_async(connection).await
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// From subscribing to the cut.
async fn session(client: &Client, channel: &str, cache: &LocalCache) -> Result<(), Cut> {
    let connect = async {
        let pubsub = client.get_async_pubsub().await?;
        let (mut sink, stream) = pubsub.split();
        sink.subscribe(channel).await?;
        RedisResult::Ok((sink, stream))
    };
    let (mut sink, mut stream) = within(connect).await?;
    // Only now: what changes from here on is heard of.
    cache.connected();
    loop {
        match timeout(HEARTBEAT, stream.next()).await {
            Ok(Some(message)) => {
                let text: String = message.get_payload()?;
                match Changed::decode(&text) {
                    Some(changed) => cache.apply(&changed),
                    // Not one of ours, but it may have meant something.
                    None => return Err(Cut),
                }
            }
            Ok(None) => return Err(Cut),
            Err(_) => within(sink.ping::<redis::Value>()).await.map(drop)?,
        }
    }
}

async fn within<T>(reply: impl Future<Output = RedisResult<T>>) -> Result<T, Cut> {
    timeout(HEARTBEAT, reply).await.map_err(|_| Cut)?.map_err(Cut::from)
}

/// Why does not matter.
struct Cut;

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cut")
    }
}

impl From<redis::RedisError> for Cut {
    fn from(_: redis::RedisError) -> Self {
        Self
    }
}
