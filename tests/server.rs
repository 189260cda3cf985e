//! The server ladder on real servers.

use cachelab::server::{self, Listen, Options, Rung};

fn on_path() -> Options {
    Options { rung: Rung::Path, ..Options::default() }
}

#[tokio::test]
async fn a_private_server_answers_and_stops() {
    for listen in [Listen::Unix, Listen::Tcp] {
        let options = Options { listen, ..on_path() };
        let start = std::time::Instant::now();
        let server = server::start(&options, &mut |_| ()).await.unwrap();
        eprintln!("{:?} {}", start.elapsed(), server.endpoint().describe());
        let mut connection = server.endpoint().client().unwrap().get_multiplexed_async_connection().await.unwrap();
        redis::cmd("SET").arg("a").arg(1).exec_async(&mut connection).await.unwrap();
        let control = server.control();
        control.pause().await.unwrap();
        control.resume().await.unwrap();
        control.restart().await.unwrap();
        let mut connection = server.endpoint().client().unwrap().get_multiplexed_async_connection().await.unwrap();
        let gone: Option<String> = redis::cmd("GET").arg("a").query_async(&mut connection).await.unwrap();
        assert_eq!(gone, None);
        server.stop().await;
        assert_eq!(control.process_id(), None);
    }
}
