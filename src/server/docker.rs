//! The Docker rung: a server in a container, from an image of the learner's choice.
//!
//! The engine is found as `testcontainers` finds it (`DOCKER_HOST`, the usual sockets); its client is
//! then told to speak the engine's own API version, so that older engines can be used too. The
//! container is known to the guardian by its name before it exists: a hidden subcommand of this
//! binary removes it if we die.

use std::{
    collections::HashMap,
    fmt::Write as _,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use testcontainers::bollard::{
    Docker,
    errors::Error as DockerError,
    models::{ContainerCreateBody, HostConfig, PortBinding},
    query_parameters::{
        CreateContainerOptionsBuilder, CreateImageOptionsBuilder, KillContainerOptions, LogsOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions,
    },
};

use super::{
    Address, Endpoint, Options, Progress, ServerError,
    private::{self, first_words},
};
use crate::process;

/// The image when none is named.
pub(super) const IMAGE: &str = "valkey/valkey:9";
/// First argument of the hidden subcommand that removes a container; see [`hidden_main`].
const REMOVE: &str = "__remove-container";
/// How long the engine may take to say that it is there.
const ENGINE: Duration = Duration::from_secs(4);
/// How long pulling an image may take.
const PULL: Duration = Duration::from_secs(900);
/// How long a container may take until its server answers.
const START: Duration = Duration::from_secs(60);
/// How long removing one may take.
const REMOVAL: Duration = Duration::from_secs(10);
/// How often another port is tried when somebody took ours.
const PORTS: usize = 5;
/// The server's port inside its container.
const PORT: &str = "6379/tcp";

/// A container of ours.
#[derive(Debug)]
pub(super) struct Container {
    docker: Docker,
    name: String,
    endpoint: Endpoint,
    removed: AtomicBool,
    _guard: process::CommandGuard,
}

/// Starts a container and waits until its server answers; a description and the container.
pub(super) async fn start(
    image: Option<&str>,
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(String, Endpoint, Container), ServerError> {
    let image = image.unwrap_or(IMAGE);
    let (docker, engine) = engine().await?;
    progress(Progress::Container { image: image.to_owned() });
    have_image(&docker, image, options.offline, progress).await?;
    let what = format!("{image} on Docker {engine}");
    let mut tries = 0;
    loop {
        tries += 1;
        let mut container = Container::unborn(&docker)?;
        create(&container, image, options).await?;
        match container.begin().await {
            Ok(()) => return Ok((what, container.endpoint.clone(), container)),
            // Somebody took the port in the meantime; the container goes and another comes.
            Err(ServerError::Docker(reason)) if tries < PORTS && reason.contains("already") => {}
            Err(error) => return Err(error),
        }
    }
}

/// The engine, speaking its own API version, and its version for a person.
async fn engine() -> Result<(Docker, String), ServerError> {
    let found = tokio::time::timeout(ENGINE, async {
        let docker = testcontainers::core::client::docker_client_instance().await.map_err(|error| error.to_string())?;
        let docker = docker.negotiate_version().await.map_err(|error| plain(&error))?;
        let version = docker.version().await.map_err(|error| plain(&error))?;
        Ok::<_, String>((docker, version.version.unwrap_or_default()))
    });
    let at = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "the usual socket".into());
    match found.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(cause)) => Err(ServerError::Docker(format!("no Docker engine answers at {at}: {cause}"))),
        Err(_) => {
            let seconds = ENGINE.as_secs();
            Err(ServerError::Docker(format!("no Docker engine answers at {at} within {seconds} s")))
        }
    }
}

/// Docker's errors without the client's frame around them.
fn plain(error: &DockerError) -> String {
    match error {
        DockerError::DockerResponseServerError { message, .. } => message.clone(),
        DockerError::DockerStreamError { error } => error.clone(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.contains(&cause_text) {
                    let _ = write!(text, ": {cause_text}");
                }
                source = cause.source();
            }
            text
        }
    }
}

fn failed(what: &str) -> impl Fn(DockerError) -> ServerError {
    move |error| ServerError::Docker(format!("Docker can't {what}: {}", plain(&error)))
}

async fn have_image(
    docker: &Docker,
    image: &str,
    offline: bool,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), ServerError> {
    match docker.inspect_image(image).await {
        Ok(_) => return Ok(()),
        Err(DockerError::DockerResponseServerError { status_code: 404, .. }) if offline => {
            return Err(ServerError::Docker(format!("Docker has no image {image}, and --offline forbids to pull it")));
        }
        Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(error) => return Err(failed("look for the image")(error)),
    }
    let pull = async {
        let wanted = CreateImageOptionsBuilder::new().from_image(image).build();
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        let mut steps = docker.create_image(Some(wanted), None, None);
        while let Some(step) = steps.next().await {
            let step = step.map_err(failed(&format!("pull {image}")))?;
            let (Some(layer), Some(detail)) = (step.id, step.progress_detail) else { continue };
            let size = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
            if let (current, Some(total)) = (size(detail.current), detail.total) {
                layers.insert(layer, (current, size(Some(total))));
            }
            let (bytes, total) = layers.values().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            progress(Progress::Fetching { what: format!("the image {image}"), bytes, total: Some(total) });
        }
        Ok(())
    };
    tokio::time::timeout(PULL, pull)
        .await
        .unwrap_or_else(|_| Err(ServerError::Docker(format!("pulling {image} took longer than {} s", PULL.as_secs()))))
}

async fn create(container: &Container, image: &str, options: &Options) -> Result<(), ServerError> {
    let Container { docker, name, endpoint, .. } = container;
    let Address::Tcp { port, .. } = &endpoint.address else {
        return Err(ServerError::Docker("a container listens on TCP".into()));
    };
    // Inside a container, the engine's loopback is not ours; the password still keeps others out.
    let host_ip = if engine_is_elsewhere() { String::new() } else { "127.0.0.1".into() };
    let binding = PortBinding { host_ip: Some(host_ip), host_port: Some(port.to_string()) };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(command(image, endpoint.password.as_deref().unwrap_or_default(), &options.config)?),
        exposed_ports: Some(vec![PORT.to_owned()]),
        labels: Some(HashMap::from([("cachelab".into(), "server".into())])),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([(PORT.to_owned(), Some(vec![binding]))])),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let named = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(named), body).await.map_err(failed("create a container")).map(drop)
}

fn engine_is_elsewhere() -> bool {
    std::path::Path::new("/.dockerenv").exists()
        || std::env::var("DOCKER_HOST").is_ok_and(|host| !host.starts_with("unix:"))
}

/// The server's command line. Images of neither Redis nor Valkey get options alone, for the
/// program that is their entry point.
fn command(image: &str, password: &str, config: &[(String, String)]) -> Result<Vec<String>, ServerError> {
    let name = image.rsplit('/').next().unwrap_or(image);
    let owner_and_name = image.to_ascii_lowercase();
    let mut words: Vec<String> = if owner_and_name.contains("valkey") {
        vec!["valkey-server".into()]
    } else if name.contains("redis") {
        vec!["redis-server".into()]
    } else {
        Vec::new()
    };
    if !words.is_empty() {
        words.extend(["--save", "", "--appendonly", "no"].map(str::to_owned));
    }
    words.extend(["--requirepass".to_owned(), password.to_owned()]);
    for (name, value) in config {
        private::check_line(name, value)?;
        words.push(format!("--{name}"));
        let values =
            shell_words::split(value).map_err(|error| ServerError::Docker(format!("{name} {value}: {error}")))?;
        words.extend(values);
    }
    Ok(words)
}

impl Container {
    /// Known to the guardian before it exists, so that giving up at any moment removes it.
    fn unborn(docker: &Docker) -> Result<Self, ServerError> {
        let name = format!("cachelab-{:012x}", rand::random::<u64>() >> 16);
        let own = process::own_binary()?;
        let guard = process::guard_command(&[&own.to_string_lossy(), REMOVE, &name])?;
        let endpoint = private::loopback()?;
        Ok(Self { docker: docker.clone(), name, endpoint, removed: AtomicBool::new(false), _guard: guard })
    }

    /// Starts the server in it, and waits until it answers at one of the addresses it can be reached at.
    async fn begin(&mut self) -> Result<(), ServerError> {
        self.start().await?;
        let found = self.answer(&self.candidates().await?).await?;
        self.endpoint = found;
        Ok(())
    }

    async fn start(&self) -> Result<(), ServerError> {
        let started = self.docker.start_container(&self.name, None::<StartContainerOptions>).await;
        started.map_err(failed("start a container"))
    }

    /// Where the published port may be: on loopback, on the engine's host, on the bridge.
    async fn candidates(&self) -> Result<Vec<Endpoint>, ServerError> {
        let with = |host: String| {
            let Address::Tcp { port, .. } = self.endpoint.address else { return self.endpoint.clone() };
            Endpoint { address: Address::Tcp { host, port }, ..self.endpoint.clone() }
        };
        let host = std::env::var("DOCKER_HOST").ok().and_then(|host| url::Url::parse(&host).ok());
        if let Some(host) =
            host.filter(|host| host.scheme() != "unix").and_then(|url| url.host_str().map(str::to_owned))
        {
            return Ok(vec![with(host)]);
        }
        let mut found = vec![self.endpoint.clone()];
        if engine_is_elsewhere() {
            let state = self.docker.inspect_container(&self.name, None).await.map_err(failed("inspect a container"))?;
            let networks = state.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
            let gateways =
                networks.into_values().filter_map(|network| network.gateway).filter(|gateway| !gateway.is_empty());
            found.extend(gateways.map(with));
        }
        Ok(found)
    }

    async fn answer(&self, candidates: &[Endpoint]) -> Result<Endpoint, ServerError> {
        let begun = Instant::now();
        let mut last = String::new();
        loop {
            for endpoint in candidates {
                match tokio::time::timeout(Duration::from_secs(2), first_words(endpoint)).await {
                    Ok(Ok(info)) => return Ok(endpoint.clone().told(&info)),
                    Ok(Err(error)) => last = error.to_string(),
                    Err(_) => "no answer".clone_into(&mut last),
                }
            }
            let ended = !self.runs().await;
            if ended || begun.elapsed() > START {
                let what = if ended { "ended" } else { "does not answer" };
                let what = format!("the server in the container {what}: {last}");
                return Err(ServerError::Instance { what, tail: self.log(10).await });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn runs(&self) -> bool {
        let state = self.docker.inspect_container(&self.name, None).await;
        state.is_ok_and(|state| state.state.and_then(|state| state.running).unwrap_or(false))
    }

    /// The last lines it printed.
    pub(super) async fn log(&self, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let parts: Vec<_> = self.docker.logs(&self.name, Some(options)).collect().await;
        let bytes: Vec<u8> =
            parts.into_iter().flatten().flat_map(testcontainers::bollard::container::LogOutput::into_bytes).collect();
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(process::visible).collect()
    }

    pub(super) async fn kill(&self) -> Result<(), ServerError> {
        match self.docker.kill_container(&self.name, None::<KillContainerOptions>).await {
            // It was not running.
            Err(DockerError::DockerResponseServerError { status_code: 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(failed("kill a container")(error)),
        }
    }

    pub(super) async fn restart(&self) -> Result<(), ServerError> {
        self.kill().await?;
        self.start().await?;
        self.answer(std::slice::from_ref(&self.endpoint)).await.map(drop)
    }

    pub(super) async fn pause(&self) -> Result<(), ServerError> {
        self.docker.pause_container(&self.name).await.map_err(failed("pause a container"))
    }

    pub(super) async fn resume(&self) -> Result<(), ServerError> {
        self.docker.unpause_container(&self.name).await.map_err(failed("unpause a container"))
    }

    /// Removes it, running or not.
    pub(super) async fn remove(&self) {
        if !self.removed.swap(true, Ordering::SeqCst) {
            let _ = tokio::time::timeout(REMOVAL, remove(&self.docker, &self.name)).await;
        }
    }
}

impl Drop for Container {
    /// Nobody called `remove`: on a thread and runtime of its own, as there may be none here.
    fn drop(&mut self) {
        if !self.removed.swap(true, Ordering::SeqCst) {
            let name = std::mem::take(&mut self.name);
            let _ = std::thread::spawn(move || remove_by_name(&name, 0)).join();
        }
    }
}

async fn remove(docker: &Docker, name: &str) -> Result<(), DockerError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    docker.remove_container(name, Some(options)).await
}

/// `again`: how often to look again for one that is not there.
fn remove_by_name(name: &str, mut again: u32) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(ServerError::io("start a runtime"))?.block_on(async {
        let (docker, _) = engine().await?;
        let removal = tokio::time::timeout(REMOVAL, async {
            loop {
                match remove(&docker, name).await {
                    // We may have died between asking for it and its coming into being.
                    Err(DockerError::DockerResponseServerError { status_code: 404, .. }) if again > 0 => {
                        again -= 1;
                        tokio::time::sleep(Duration::from_millis(300)).await;
                    }
                    outcome => return outcome,
                }
            }
        });
        removal
            .await
            .map_err(|_| ServerError::Docker("removing a container took too long".into()))?
            .map_err(failed("remove a container"))
    })
}

/// Runs the hidden subcommand that the guardian uses, when the arguments ask for it.
pub fn hidden_main() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != REMOVE {
        return None;
    }
    let name = args.next()?.into_string().ok()?;
    Some(remove_by_name(&name, 10).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_fits_the_image() {
        let config = [("maxmemory".to_owned(), "5mb".to_owned()), ("save".to_owned(), "\"1 1\"".to_owned())];
        let of = |image: &str| command(image, "pw", &config).unwrap().join(" ");
        assert_eq!(
            of("valkey/valkey:9"),
            "valkey-server --save  --appendonly no --requirepass pw --maxmemory 5mb --save 1 1"
        );
        assert!(of("redis:8").starts_with("redis-server "));
        assert!(of("docker.example/dragonflydb/dragonfly").starts_with("--requirepass pw"));
        assert!(command("redis", "pw", &[("a b".into(), String::new())]).is_err());
    }
}
