//! From the text of a lesson file to its [`Lesson`], or to every mistake in it.
//!
//! Owns: front matter, markdown, the fences with a meaning. pulldown-cmark lives here and nowhere
//! else. Must not know: other files (what a link leads to is `validate`'s question).

mod body;
mod fence;
mod inline;
mod quiz;
mod redis;

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{Block, Inline, Lesson, UnitId, load::File};
use crate::diagnostic::Diagnostic;

/// A lesson, and what only a look at other files can judge.
pub(super) struct Parsed {
    pub lesson: Lesson,
    /// Prerequisites with their places.
    pub prerequisites: Vec<(UnitId, Range<usize>)>,
    /// Targets of links with their places.
    pub links: Vec<(String, Range<usize>)>,
    /// Units of lab buttons with their places.
    pub labs: Vec<(UnitId, Range<usize>)>,
    /// `variant.metric` of predictions with their places.
    pub metrics: Vec<(String, Range<usize>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    title: Spanned<String>,
    summary: Spanned<String>,
    minutes: Spanned<u16>,
    #[serde(default)]
    prerequisites: Vec<Spanned<String>>,
}

/// Parses a lesson file.
pub(super) fn lesson(file: &File, id: UnitId) -> Result<Parsed, Vec<Diagnostic>> {
    let (front_range, body_start) = split(file).map_err(|mistake| vec![*mistake])?;
    let mut mistakes = Vec::new();
    let front = toml::from_str::<Front>(&file.text[front_range.clone()]);
    let front = match front {
        Ok(front) => {
            mistakes.extend(empty_fields(file, &front, front_range.start));
            Some(front)
        }
        Err(error) => {
            mistakes.push(file.toml_mistake(&error, front_range.start));
            None
        }
    };
    let prerequisites = front.as_ref().map(|front| prerequisites(file, front, front_range.start, &mut mistakes));
    let mut body = body::read(file, body_start);
    mistakes.append(&mut body.mistakes);
    let Some((front, prerequisites)) = front.zip(prerequisites).filter(|_| mistakes.is_empty()) else {
        return Err(mistakes);
    };
    let lesson = Lesson {
        id,
        title: front.title.into_inner(),
        summary: front.summary.into_inner(),
        minutes: front.minutes.into_inner(),
        prerequisites: prerequisites.iter().map(|(id, _)| id.clone()).collect(),
        blocks: body.blocks,
    };
    Ok(Parsed { lesson, prerequisites, links: body.links, labs: body.labs, metrics: body.metrics })
}

/// The range of the front matter's TOML, and where the body starts.
fn split(file: &File) -> Result<(Range<usize>, usize), Box<Diagnostic>> {
    const HELP: &str = "a lesson begins with\n+++\ntitle = \"…\"\nsummary = \"…\"\nminutes = 30\n+++";
    let missing = |at: Range<usize>, message: &str| {
        let mut mistake = file.mistake(at, message);
        mistake.help = Some(HELP.to_owned());
        Box::new(mistake)
    };
    let first_line = file.text.lines().next().unwrap_or("").len();
    if !file.text.starts_with("+++\n") {
        return Err(missing(0..first_line, "expected front matter: a first line of +++"));
    }
    let mut start = 4;
    for line in file.text[start..].split_inclusive('\n') {
        if line.trim_end() == "+++" {
            return Ok((4..start, start + line.len()));
        }
        start += line.len();
    }
    Err(missing(0..first_line, "the front matter has no closing line of +++"))
}

fn prerequisites(
    file: &File,
    front: &Front,
    offset: usize,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<(UnitId, Range<usize>)> {
    let mut ids = Vec::new();
    for text in &front.prerequisites {
        let place = shift(text.span(), offset);
        match text.get_ref().parse::<UnitId>() {
            Ok(id) => ids.push((id, place)),
            Err(error) => mistakes.push(file.mistake(place, error.to_string())),
        }
    }
    ids
}

fn empty_fields(file: &File, front: &Front, offset: usize) -> Vec<Diagnostic> {
    let texts = [("title", &front.title), ("summary", &front.summary)];
    let empty = texts.into_iter().filter(|(_, value)| value.get_ref().trim().is_empty());
    let mut mistakes: Vec<_> = empty
        .map(|(name, value)| file.mistake(shift(value.span(), offset), format!("{name} must not be empty")))
        .collect();
    if *front.minutes.get_ref() == 0 {
        mistakes.push(file.mistake(shift(front.minutes.span(), offset), "minutes must be at least 1"));
    }
    mistakes
}

fn shift(range: Range<usize>, offset: usize) -> Range<usize> {
    range.start + offset..range.end + offset
}

/// A parsed body.
#[derive(Default)]
struct Body {
    blocks: Vec<Block>,
    links: Vec<(String, Range<usize>)>,
    labs: Vec<(UnitId, Range<usize>)>,
    metrics: Vec<(String, Range<usize>)>,
    mistakes: Vec<Diagnostic>,
}

/// Markdown of one paragraph in a TOML string; what else it holds is an error in words.
fn inline_of(text: &str) -> Result<(Vec<Inline>, Vec<String>), String> {
    inline::paragraph(text)
}

/// The blocks of markdown that stands in a `lab.toml` (a story, a hint), and what is wrong with it.
pub(super) fn markdown(text: &str) -> (Vec<Block>, Vec<Diagnostic>) {
    let file = File { path: String::new(), text: text.to_owned() };
    let body = body::read(&file, 0);
    (body.blocks, body.mistakes)
}
