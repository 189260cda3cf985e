//! One running copy of the learner's program: its port, its proxy, its process group.
//!
//! Owns: starting it, waiting until it is healthy, telling apart all the ways in which that fails.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use super::{
    driver::{self, DriveError},
    kernel::{self, Listener},
    prepare::Program,
};
use crate::{
    process::{Group, ProcessError, Spawn},
    proxy::Proxy,
};

/// How long a program may take until it is healthy.
pub const HEALTHY_WITHIN: Duration = Duration::from_secs(10);

/// One copy of the program.
#[derive(Debug)]
pub struct Instance {
    /// 1-based, as INSTANCE says.
    pub number: usize,
    /// Where it is asked.
    pub address: SocketAddr,
    /// Its way to the server; survives restarts of the program.
    pub proxy: Proxy,
    /// Its processes.
    pub group: Group,
    /// Ids of its processes when it became healthy, for questions to the kernel.
    pub members: Vec<u32>,
}

/// Why an instance is not there.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `run` cannot be executed.
    #[error("{source}\n`run` in cachelab.toml is {run:?}")]
    NotStartable {
        /// As in the manifest.
        run: Vec<String>,
        /// Why.
        source: ProcessError,
    },
    /// It ended before it was healthy.
    #[error("instance {instance} ended before it answered GET /healthz ({status})")]
    Exited {
        /// Which.
        instance: usize,
        /// How.
        status: String,
        /// Its last lines.
        output: Vec<String>,
    },
    /// Nothing listens where it should.
    #[error("instance {instance} did not open port {port} within {} s{}", HEALTHY_WITHIN.as_secs(), elsewhere(ports))]
    PortNeverOpened {
        /// Which.
        instance: usize,
        /// The port it was given in PORT.
        port: u16,
        /// Ports on which it listens instead.
        ports: Vec<u16>,
        /// Its last lines.
        output: Vec<String>,
    },
    /// It listens but does not get healthy.
    #[error("instance {instance} listens but GET /healthz does not answer 200 within {} s; last: {last}", HEALTHY_WITHIN.as_secs())]
    NotHealthy {
        /// Which.
        instance: usize,
        /// What came instead.
        last: String,
        /// Its last lines.
        output: Vec<String>,
    },
    /// Another program took the port between our choice and its start.
    #[error("port {0} was taken by another program on this machine; run the check again")]
    Foreign(u16),
    /// No port, no proxy.
    #[error("cannot {0}: {1}")]
    Machine(&'static str, std::io::Error),
}

fn elsewhere(ports: &[u16]) -> String {
    match ports.first() {
        Some(port) => format!("; it listens on {port}: read the port from the environment variable PORT"),
        None => "; it must listen on the port in the environment variable PORT".to_owned(),
    }
}

impl StartError {
    /// The machine or we are at fault, not the program.
    pub fn ours(&self) -> bool {
        match self {
            Self::Foreign(_) | Self::Machine(..) => true,
            Self::NotStartable { source, .. } => !matches!(
                source,
                ProcessError::NotFound { .. } | ProcessError::Exec { .. } | ProcessError::NoFolder { .. }
            ),
            _ => false,
        }
    }

    /// Last lines of the program.
    pub fn output(&self) -> Vec<String> {
        match self {
            Self::Exited { output, .. } | Self::PortNeverOpened { output, .. } | Self::NotHealthy { output, .. } => {
                output.clone()
            }
            _ => Vec::new(),
        }
    }
}

/// Starts the program once and waits until it is healthy.
pub async fn start(
    program: &Program,
    number: usize,
    env: &[(OsString, OsString)],
) -> Result<(Group, SocketAddr), StartError> {
    // Somebody may take the free port before the program does: then another one.
    for _ in 0..2 {
        match attempt(program, number, env).await {
            Err(StartError::Foreign(_)) => {}
            other => return other,
        }
    }
    attempt(program, number, env).await
}

async fn attempt(
    program: &Program,
    number: usize,
    env: &[(OsString, OsString)],
) -> Result<(Group, SocketAddr), StartError> {
    let port = free_port().map_err(|e| StartError::Machine("find a free port", e))?;
    let mut spawn = Spawn::new(&program.run[0], &program.folder).args(&program.run[1..]);
    spawn.env.extend(env.iter().cloned());
    spawn.env.extend(program.env.iter().cloned());
    spawn = spawn.env("PORT", port.to_string());
    let group =
        Group::spawn(&spawn).await.map_err(|source| StartError::NotStartable { run: program.run.clone(), source })?;
    let address = wait_healthy(&group, number, port).await?;
    Ok((group, address))
}

/// A port that nobody uses on either loopback address.
fn free_port() -> std::io::Result<u16> {
    for _ in 0..20 {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        if std::net::TcpStream::connect_timeout(&(Ipv6Addr::LOCALHOST, port).into(), Duration::from_millis(50)).is_err()
        {
            return Ok(port);
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

async fn wait_healthy(group: &Group, instance: usize, port: u16) -> Result<SocketAddr, StartError> {
    let handle = group.handle();
    let begun = Instant::now();
    let mut last = None;
    let mut checked = false;
    while begun.elapsed() < HEALTHY_WITHIN {
        for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))] {
            let left = HEALTHY_WITHIN.saturating_sub(begun.elapsed()).max(Duration::from_millis(100));
            let answer = tokio::select! {
                answer = driver::request(address, "GET", "/healthz", left) => answer,
                status = handle.ended() => return Err(ended(&handle, instance, status)),
            };
            if matches!(answer, Err(DriveError::Connect(..))) {
                continue;
            }
            if !checked && kernel::listener(port, group.id()) == Listener::Foreign {
                return Err(StartError::Foreign(port));
            }
            checked = true;
            match answer {
                Ok(reply) if reply.status == 200 => return Ok(address),
                Ok(reply) => last = Some(format!("{} {}", reply.status, reply.text())),
                Err(error) => last = Some(error.to_string()),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
            status = handle.ended() => return Err(ended(&handle, instance, status)),
        }
    }
    let output = handle.tail(20);
    Err(match last {
        Some(last) => StartError::NotHealthy { instance, last, output },
        None => StartError::PortNeverOpened { instance, port, ports: kernel::listening_ports(group.id()), output },
    })
}

fn ended(handle: &crate::process::GroupHandle, instance: usize, status: std::process::ExitStatus) -> StartError {
    StartError::Exited { instance, status: status.to_string(), output: handle.tail(20) }
}
