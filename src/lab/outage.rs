//! Taking a private server away and bringing it back.

use std::{future::Future, time::Duration};

use tokio::runtime::Handle;

use crate::server::{Control, ServerError};

/// The private server's process. Its children belong to the runtime that started them: what is done to them
/// is done there, not on the lab's own runtime, which ends with each variant.
pub(super) struct Outage {
    control: Control,
    runtime: Handle,
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl Outage {
    pub fn new(control: Control, runtime: Handle) -> Self {
        Self { control, runtime }
    }

    /// SIGKILL; returns when it is dead.
    pub async fn kill(&self) -> Result<(), String> {
        let control = self.control.clone();
        self.there(async move { control.kill().await }).await
    }

    /// Returns when it answers again.
    pub async fn restart(&self) -> Result<(), String> {
        let control = self.control.clone();
        self.there(async move { control.restart().await }).await
    }

    async fn there(&self, act: impl Future<Output = Result<(), ServerError>> + Send + 'static) -> Result<(), String> {
        match tokio::time::timeout(TIMEOUT, self.runtime.spawn(act)).await {
            Ok(Ok(result)) => result.map_err(|error| error.to_string()),
            Ok(Err(_)) => Err("the server's runtime has ended".to_owned()),
            Err(_) => Err(format!("the server did not obey within {} s", TIMEOUT.as_secs())),
        }
    }
}
