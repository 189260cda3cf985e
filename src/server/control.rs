//! Faults for a private server, whichever rung it came from.

use std::{path::Path, sync::Arc};

use super::{ServerError, docker::Container, private::Instance};

/// Killing a private server, bringing it back, freezing it. Cheap to clone; a borrowed server
/// refuses everything.
#[derive(Debug, Clone)]
pub struct Control(Held);

/// What is behind the endpoint.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// Somebody's server.
    Borrowed,
    /// Our process.
    Process(Arc<Instance>),
    /// Our container.
    Container(Arc<Container>),
}

impl From<Held> for Control {
    fn from(held: Held) -> Self {
        Self(held)
    }
}

impl Control {
    /// SIGKILL; returns when it is dead. Nothing is saved.
    pub async fn kill(&self) -> Result<(), ServerError> {
        match &self.0 {
            Held::Borrowed => Err(ServerError::NotOurs { what: "kill" }),
            Held::Process(instance) => {
                instance.kill().await;
                Ok(())
            }
            Held::Container(container) => container.kill().await,
        }
    }

    /// Kills what runs and starts it again on the same address and configuration; returns when it answers.
    pub async fn restart(&self) -> Result<(), ServerError> {
        match &self.0 {
            Held::Borrowed => Err(ServerError::NotOurs { what: "restart" }),
            Held::Process(instance) => instance.restart().await,
            Held::Container(container) => container.restart().await,
        }
    }

    /// SIGSTOP (in a container, its freezer); returns when it is seen to be stopped. Clients hang, they
    /// are not disconnected.
    pub async fn pause(&self) -> Result<(), ServerError> {
        match &self.0 {
            Held::Borrowed => Err(ServerError::NotOurs { what: "pause" }),
            Held::Process(instance) => Ok(instance.process().ok_or_else(not_running)?.pause().await?),
            Held::Container(container) => container.pause().await,
        }
    }

    /// Lets a paused server go on; returns when it is seen to run.
    pub async fn resume(&self) -> Result<(), ServerError> {
        match &self.0 {
            Held::Borrowed => Err(ServerError::NotOurs { what: "resume" }),
            Held::Process(instance) => Ok(instance.process().ok_or_else(not_running)?.resume_confirmed().await?),
            Held::Container(container) => container.resume().await,
        }
    }

    /// Whether faults can be asked for at all.
    pub fn is_ours(&self) -> bool {
        !matches!(self.0, Held::Borrowed)
    }

    /// The last lines of a private server's log.
    pub async fn log(&self, lines: usize) -> Vec<String> {
        match &self.0 {
            Held::Borrowed => Vec::new(),
            Held::Process(instance) => instance.process().map(|process| process.tail(lines)).unwrap_or_default(),
            Held::Container(container) => container.log(lines).await,
        }
    }

    /// Id of the server's process on this machine, if it is ours and runs here.
    pub fn process_id(&self) -> Option<u32> {
        match &self.0 {
            Held::Process(instance) => {
                instance.process().filter(|process| process.status().is_none()).map(|process| process.id())
            }
            _ => None,
        }
    }

    /// The program that runs, if it is a process of ours.
    pub(super) fn binary(&self) -> Option<&Path> {
        if let Held::Process(instance) = &self.0 { Some(&instance.binary) } else { None }
    }

    pub(super) async fn stop(&self) {
        match &self.0 {
            Held::Borrowed => {}
            Held::Process(instance) => instance.stop().await,
            Held::Container(container) => container.remove().await,
        }
    }
}

fn not_running() -> ServerError {
    ServerError::Instance { what: "the server is not running".into(), tail: Vec::new() }
}
