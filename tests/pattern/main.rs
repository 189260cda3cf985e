//! The patterns on a live private server, each guarantee with the race that would break it.

#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests fail by panicking")]
#![allow(clippy::type_complexity, clippy::unnecessary_wraps, reason = "tables of cases read better in one piece")]

mod bloom;
mod events;
mod invalidation;
mod limits;
mod redlock;
mod sessions;
mod stampede;
mod writes;

use std::time::Duration;

use cachelab::server::{self, Options, Server};
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};

/// A private server and a connection to it.
struct Live {
    server: Server,
    connection: MultiplexedConnection,
}

impl Live {
    async fn start() -> Self {
        let server = server::start(&Options::default(), &mut |_| ()).await.unwrap();
        let connection = connect(&server).await;
        Self { server, connection }
    }

    /// One more connection, for a rival.
    async fn connect(&self) -> MultiplexedConnection {
        connect(&self.server).await
    }

    /// Sends a command given as words.
    async fn ask<T: redis::FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query_async(&mut self.connection.clone()).await.unwrap()
    }
}

async fn connect(server: &Server) -> MultiplexedConnection {
    // On a busy machine the usual half second is too short.
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    server.endpoint().client().unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// No test hangs: what takes longer than this is a failure.
async fn bounded<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("within a minute")
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
