//! The test stand: a private server, the warehouse, and some instances of the learner's program, each
//! behind a proxy of its own.
//!
//! Owns: building it up, taking it down, and the one queue on which everything that happens arrives in
//! order. Must not know: what is checked.

use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};
use tokio::sync::mpsc;

use super::{
    CheckEvent,
    driver::{self, DriveError, Reply},
    instance::{self, Instance, StartError},
    kernel,
    prepare::Program,
    side::Side,
    warehouse::Warehouse,
};
use crate::{
    origin::http::{Origin, Seen},
    process::{GroupHandle, Source},
    proxy::{Mode, Proxy, Upstream, UpstreamAddress, Wire},
    server::{self, Address, Server},
};

/// Lines of one run that are shown as they come; the rest is kept by the process and shown on failure.
const SHOWN_LINES: usize = 300;

/// Something that happened on the stand.
#[derive(Debug)]
pub enum Happening {
    /// Between a program and the server.
    Wire(Wire),
    /// At the warehouse.
    Origin(Seen),
    /// A client got its answer, or none.
    Http {
        /// Whose it was.
        actor: usize,
        /// What came.
        outcome: Result<Reply, DriveError>,
    },
}

/// What a stand is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program.
    pub program: Program,
    /// How many copies.
    pub instances: usize,
    /// The exercise's variables with the values for this stand.
    pub env: Vec<(String, String)>,
    /// How to get a server; never a borrowed one.
    pub server: server::Options,
}

impl Plan {
    /// A variable of the exercise as a time.
    pub fn millis(&self, name: &str) -> Duration {
        let value = self.env.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.parse().ok());
        Duration::from_millis(value.unwrap_or(0))
    }
}

/// Why there is no stand.
#[derive(Debug, thiserror::Error)]
pub enum StandError {
    /// No server.
    #[error("{0}")]
    Server(#[from] server::ServerError),
    /// The server does not talk to us.
    #[error("the private server does not answer: {0}")]
    Side(#[from] redis::RedisError),
    /// No port for proxy or origin.
    #[error("cannot open a loopback port: {0}")]
    Port(#[from] std::io::Error),
    /// The program does not start.
    #[error("{0}")]
    Start(#[from] StartError),
}

/// A running stand.
pub struct Stand {
    /// What it was made of.
    pub plan: Plan,
    /// In order of their numbers.
    pub instances: Vec<Instance>,
    /// The judge's view of the truth.
    pub warehouse: Arc<Warehouse>,
    /// The same, as the programs see it.
    pub origin: Origin,
    /// The judge's connection.
    pub side: Side,
    /// Everything that happens, in order.
    pub events: mpsc::UnboundedReceiver<Happening>,
    /// For those who make things happen.
    pub sender: mpsc::UnboundedSender<Happening>,
    origin_ports: Vec<u16>,
    output: mpsc::Sender<CheckEvent>,
    shown: Arc<AtomicUsize>,
    server: Server,
}

impl Stand {
    /// Starts server, origin and instances; returns when all are healthy.
    pub async fn start(plan: Plan, output: mpsc::Sender<CheckEvent>) -> Result<Self, StandError> {
        let mut options = plan.server.clone();
        options.url = None;
        let server = server::start(&options, &mut |_| {}).await?;
        let side = Side::connect(&server.endpoint().client()?).await?;
        let (sender, events) = mpsc::unbounded_channel();
        let warehouse = Arc::new(Warehouse::default());
        let tap = sender.clone();
        let mut origin = Origin::new(warehouse.clone(), Arc::new(move |seen| drop(tap.send(Happening::Origin(seen)))));
        let mut origin_ports = Vec::new();
        let mut proxies = Vec::new();
        for index in 0..plan.instances {
            origin_ports.push(origin.open(index).await?);
            let tap = sender.clone();
            let tap: crate::proxy::Tap = Arc::new(move |wire| drop(tap.send(Happening::Wire(wire))));
            proxies.push(Proxy::start(index, upstream(server.endpoint()), tap).await?);
        }
        let starting = proxies.iter().enumerate().map(|(index, proxy)| {
            let env = environment(&plan, index, proxy, origin_ports[index]);
            let program = &plan.program;
            async move { instance::start(program, index + 1, &env).await }
        });
        let started = futures_util::future::join_all(starting).await;
        let shown = Arc::new(AtomicUsize::new(0));
        let mut instances = Vec::new();
        for (index, (started, proxy)) in started.into_iter().zip(proxies).enumerate() {
            let (mut group, address) = started?;
            show_output(&mut group, index + 1, output.clone(), shown.clone());
            let members = kernel::members(group.id());
            instances.push(Instance { number: index + 1, address, proxy, group, members });
        }
        Ok(Self { plan, instances, warehouse, origin, side, events, sender, origin_ports, output, shown, server })
    }

    /// Starts instances again after they were killed; their proxies and origin ports stay.
    pub async fn restart(&mut self, indices: std::ops::Range<usize>) -> Result<(), StartError> {
        let starting = indices.clone().map(|index| {
            let env = environment(&self.plan, index, &self.instances[index].proxy, self.origin_ports[index]);
            let program = &self.plan.program;
            async move { instance::start(program, index + 1, &env).await }
        });
        let started = futures_util::future::join_all(starting).await;
        for (index, started) in indices.zip(started) {
            let (mut group, address) = started?;
            show_output(&mut group, index + 1, self.output.clone(), self.shown.clone());
            let instance = &mut self.instances[index];
            instance.members = kernel::members(group.id());
            instance.group = group;
            instance.address = address;
        }
        Ok(())
    }

    /// Whether commands wait for the judge.
    pub fn set_mode(&self, mode: Mode) {
        self.instances.iter().for_each(|i| i.proxy.set_mode(mode));
    }

    /// Sends one buyer to an instance.
    pub async fn buy(&self, index: usize, item: &str, limit: Duration) -> Result<Reply, DriveError> {
        driver::request(self.instances[index].address, "POST", &format!("/buy/{item}"), limit).await
    }

    /// A new item with a name that nobody could have guessed.
    pub fn new_item(&self, rng: &mut StdRng, stock: i64) -> String {
        const THINGS: &[&str] = &["shoe", "lamp", "kettle", "scarf", "guitar", "globe", "tent", "clock"];
        let item = format!("{}-{:06x}", THINGS[rng.random_range(0..THINGS.len())], rng.random_range(0..0x0100_0000));
        self.warehouse.stock(&item, stock);
        item
    }

    /// Everything that has happened and nobody has looked at.
    pub fn drain(&mut self) -> Vec<Happening> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// An instance that has ended although nobody killed it.
    pub fn crashed(&mut self) -> Option<(usize, String)> {
        self.instances.iter_mut().find_map(|i| i.group.try_wait().map(|status| (i.number, status.to_string())))
    }

    /// Last lines of all instances, labelled.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let of =
            |i: &Instance| i.group.tail(lines).into_iter().map(|l| format!("[{}] {l}", i.number)).collect::<Vec<_>>();
        self.instances.iter().flat_map(of).collect()
    }

    /// Which server this is.
    pub fn server_name(&self) -> String {
        self.server.endpoint().describe()
    }

    /// For signals to an instance from elsewhere.
    pub fn handle(&self, index: usize) -> GroupHandle {
        self.instances[index].group.handle()
    }

    /// Takes everything down. Dropping the stand kills instances and server too.
    pub async fn stop(self) {
        for instance in &self.instances {
            instance.group.kill();
        }
        for mut instance in self.instances {
            let _ = tokio::time::timeout(Duration::from_secs(2), instance.group.wait()).await;
        }
        self.server.stop().await;
    }
}

fn upstream(endpoint: &server::Endpoint) -> Upstream {
    let address = match &endpoint.address {
        Address::Tcp { host, port } => UpstreamAddress::Tcp(host.clone(), *port),
        Address::Unix(path) => UpstreamAddress::Unix(path.clone()),
    };
    Upstream { address, username: endpoint.username.clone(), password: endpoint.password.clone() }
}

fn environment(plan: &Plan, index: usize, proxy: &Proxy, origin: u16) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = plan.env.iter().map(|(n, v)| (n.into(), v.into())).collect();
    env.push(("REDIS_URL".into(), proxy.url().into()));
    env.push(("ORIGIN_URL".into(), format!("http://127.0.0.1:{origin}").into()));
    env.push(("INSTANCE".into(), (index + 1).to_string().into()));
    env
}

/// Passes the program's lines on until there are too many; never waits for whoever reads them.
fn show_output(
    group: &mut crate::process::Group,
    instance: usize,
    output: mpsc::Sender<CheckEvent>,
    shown: Arc<AtomicUsize>,
) {
    let mut lines = group.take_lines();
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            let stream = if line.source == Source::Stdout { "stdout" } else { "stderr" };
            let text = match shown.fetch_add(1, Ordering::Relaxed) {
                n if n < SHOWN_LINES => line.text,
                SHOWN_LINES => "(more output follows; it is not shown)".to_owned(),
                _ => continue,
            };
            let _ = output.try_send(CheckEvent::Output { instance, stream: stream.to_owned(), line: text });
        }
    });
}
