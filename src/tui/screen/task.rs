//! The text of an exercise as a document: story, how to start, the contract, how it is checked.
//!
//! Owns: the order. Must not know: how documents are laid out.

use std::path::Path;

use crate::course::{Block, Exercise, Inline, UnitId, exercise::Route, lesson::Align, markdown};

fn plain(text: &str) -> Inline {
    Inline { text: text.to_owned(), ..Inline::default() }
}

fn code(text: &str) -> Inline {
    Inline { code: true, ..plain(text) }
}

fn heading(text: &str) -> Block {
    Block::Heading { level: 3, text: vec![plain(text)] }
}

/// All of it.
pub fn blocks(unit: &UnitId, exercise: &Exercise, folder: Option<&Path>) -> Vec<Block> {
    let mut blocks = vec![Block::Heading { level: 1, text: vec![plain(&exercise.title)] }];
    blocks.extend(markdown(&exercise.story));
    blocks.push(heading("How to start"));
    blocks.extend(start(unit, folder));
    if !exercise.env.is_empty() {
        blocks.push(heading("Environment of your program"));
        blocks.push(environment(exercise));
    }
    if !exercise.endpoints.is_empty() {
        blocks.push(heading("What it offers"));
        blocks.extend(routes(&exercise.endpoints));
    }
    if !exercise.origin.is_empty() {
        blocks.push(heading("What ORIGIN_URL offers to it"));
        blocks.extend(routes(&exercise.origin));
    }
    blocks.push(heading("How it is checked"));
    let items = exercise.checks.iter().map(|check| {
        let id = code(check.id.get_ref());
        vec![Block::Paragraph(vec![plain(&check.title), plain(" ("), id, plain(")")])]
    });
    blocks.push(Block::List { start: Some(1), items: items.collect() });
    blocks
}

fn start(unit: &UnitId, folder: Option<&Path>) -> Vec<Block> {
    let text = format!("cachelab start {unit} --lang python");
    let shell = Block::Code { language: "bash".into(), text };
    match folder {
        Some(folder) => vec![Block::Paragraph(vec![
            plain("Your program is in "),
            code(&folder.display().to_string()),
            plain(". Edit it, then press "),
            code("r"),
            plain(" to have it checked."),
        ])],
        None => vec![
            Block::Paragraph(vec![plain("In a shell, in a folder of your own:")]),
            shell,
            Block::Paragraph(vec![plain("Then edit it, come back and press "), code("r"), plain(".")]),
        ],
    }
}

fn environment(exercise: &Exercise) -> Block {
    let cell = |inline: Inline| vec![inline];
    let rows =
        exercise.env.iter().map(|var| vec![cell(code(&var.name)), cell(code(&var.value)), cell(plain(&var.meaning))]);
    let given = [
        ("PORT", "where your service listens, on 127.0.0.1"),
        ("REDIS_URL", "the Redis shared by all instances"),
        ("ORIGIN_URL", "the slow truth behind it"),
        ("INSTANCE", "the number of this copy, from 1"),
    ];
    let given = given.iter().map(|(name, meaning)| vec![cell(code(name)), Vec::new(), cell(plain(meaning))]);
    Block::Table {
        align: vec![Align::Left; 3],
        head: ["name", "default", "meaning"].map(|name| cell(plain(name))).to_vec(),
        rows: given.chain(rows).collect(),
    }
}

fn routes(routes: &[Route]) -> Vec<Block> {
    let mut items = Vec::new();
    for route in routes {
        let mut item = vec![Block::Paragraph(vec![
            code(&format!("{} {}", route.method, route.path)),
            plain(" "),
            plain(&route.does),
        ])];
        if let Some(request) = &route.request {
            item.push(Block::Paragraph(vec![plain("Request: "), code(request)]));
        }
        let answers = route.answers.iter().map(|answer| {
            let mut line = vec![code(&answer.status.to_string()), plain(" ")];
            if let Some(body) = &answer.body {
                line.extend([code(body), plain(" ")]);
            }
            line.push(plain(&answer.when));
            vec![Block::Paragraph(line)]
        });
        item.push(Block::List { start: None, items: answers.collect() });
        items.push(item);
    }
    vec![Block::List { start: None, items }]
}
