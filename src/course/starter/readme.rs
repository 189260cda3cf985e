//! The README of a contract: the same for every language but for how the program is started.

use std::fmt::Write;

use crate::course::{Exercise, Unit, exercise::Route};

/// The README of an exercise.
pub(super) fn text(unit: &Unit, exercise: &Exercise, language: &str, program: &str, needs: &str) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut text, unit, exercise, (language, program, needs));
    text
}

fn write(out: &mut String, unit: &Unit, exercise: &Exercise, kit: (&str, &str, &str)) -> std::fmt::Result {
    let (language, program, needs) = kit;
    let id = &unit.id;
    writeln!(out, "# {} ({id})\n\n{}\n", exercise.title, exercise.story.trim())?;
    writeln!(out, "## What to build\n")?;
    writeln!(
        out,
        "An HTTP service in `{program}` ({language}; another language is as good, see `cachelab.toml`). It listens on \
         `127.0.0.1:PORT`.\nThe checks start {}, all with the same Redis and the same origin. Bodies are JSON.\n",
        copies(exercise.instances)
    )?;
    if exercise.endpoints.iter().all(|route| route.path != "/healthz") {
        writeln!(out, "### `GET /healthz`\n\nAnswers 200 when the copy is ready, within 10 seconds of its start.\n")?;
    }
    for route in &exercise.endpoints {
        write_route(out, route)?;
    }
    if !exercise.origin.is_empty() {
        writeln!(out, "## What the origin offers\n\nAt `ORIGIN_URL`, an address without a path.\n")?;
        for route in &exercise.origin {
            write_route(out, route)?;
        }
    }
    write_environment(out, exercise)?;
    writeln!(out, "## How it is checked\n")?;
    for check in &exercise.checks {
        writeln!(out, "- `{}`: {}", check.id.get_ref(), check.title)?;
    }
    writeln!(out, "\nIn this folder:\n\n```text")?;
    writeln!(out, "cachelab check                 all checks")?;
    if let Some(check) = exercise.checks.first() {
        let only = format!("cachelab check --only {}", check.id.get_ref());
        writeln!(out, "{only:<30} one check, and those it builds on")?;
    }
    writeln!(out, "cachelab hint                  a hint for the check that failed")?;
    writeln!(out, "cachelab read {:<16} the lesson\n```\n", id.to_string())?;
    writeln!(out, "What the program prints is kept and shown when a check fails. Needed: {needs}")
}

fn copies(instances: usize) -> String {
    if instances == 1 { "one copy".to_owned() } else { format!("{instances} copies") }
}

fn write_route(out: &mut String, route: &Route) -> std::fmt::Result {
    writeln!(out, "### `{} {}`\n\n{}\n", route.method, route.path, route.does.trim())?;
    if let Some(request) = &route.request {
        writeln!(out, "Request: {}\n", request.trim())?;
    }
    if route.answers.is_empty() {
        return Ok(());
    }
    writeln!(out, "| status | body | when |\n|---|---|---|")?;
    for answer in &route.answers {
        let body = answer.body.as_deref().map_or_else(String::new, |body| format!("`{}`", body.replace('|', "\\|")));
        writeln!(out, "| {} | {body} | {} |", answer.status, answer.when.replace('|', "\\|"))?;
    }
    writeln!(out)
}

fn write_environment(out: &mut String, exercise: &Exercise) -> std::fmt::Result {
    writeln!(out, "## Environment\n\n| variable | here | meaning |\n|---|---|---|")?;
    writeln!(out, "| `PORT` | changes | Listen on this port of 127.0.0.1. |")?;
    writeln!(out, "| `REDIS_URL` | changes | The Redis that all copies share. Always use this address. |")?;
    if !exercise.origin.is_empty() {
        writeln!(out, "| `ORIGIN_URL` | changes | The origin, see above. |")?;
    }
    writeln!(out, "| `INSTANCE` | 1 … {} | Which copy this is. |", exercise.instances)?;
    for env in &exercise.env {
        writeln!(out, "| `{}` | {} | {} |", env.name, env.value, env.meaning.replace('\n', " ").replace('|', "\\|"))?;
    }
    writeln!(out, "\nA check may start the program with other values.\n")
}
