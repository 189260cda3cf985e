//! Fences: which ones have a meaning of ours, and what they may say.

use std::{collections::HashSet, ops::Range};

use super::{Body, quiz, redis};
use crate::course::{Block, UnitId, load::File};

/// A fence as it stands in the file.
#[derive(Default)]
pub(super) struct Fence {
    /// What follows the opening backticks.
    pub info: String,
    /// The content.
    pub text: String,
    /// The opening line in the file.
    pub opening: Range<usize>,
    /// It stands in a list or quote.
    pub nested: bool,
    /// Where each piece of the text starts, in the text and in the file: the lines of an indented fence do not touch.
    pieces: Vec<(usize, usize)>,
}

impl Fence {
    /// Adds a piece of content that starts at byte `at` of the file.
    pub fn push(&mut self, text: &str, at: usize) {
        self.pieces.push((self.text.len(), at));
        self.text.push_str(text);
    }

    /// Where a range of the content is in the file.
    pub fn place(&self, range: Range<usize>) -> Range<usize> {
        let start = self.place_of(range.start);
        start..start.max(self.place_of(range.end.saturating_sub(1).max(range.start)) + usize::from(!range.is_empty()))
    }

    fn place_of(&self, offset: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= offset);
        piece.map_or(self.opening.end, |(start, at)| at + (offset - start))
    }
}

/// What has to be unique or counted across the fences of a lesson.
#[derive(Default)]
pub(super) struct Seen {
    /// Redis blocks so far.
    pub redis_blocks: usize,
    /// Ids of quizzes and predictions so far.
    pub ids: HashSet<String>,
}

const MEANINGS: [&str; 4] = ["redis", "quiz", "predict", "lab"];

/// The block that a fence is.
pub(super) fn block(file: &File, fence: &Fence, seen: &mut Seen, body: &mut Body) -> Option<Block> {
    let mut words = fence.info.split_whitespace();
    let language = words.next().unwrap_or("").to_owned();
    let rest: Vec<String> = words.map(str::to_owned).collect();
    let meaningful = MEANINGS.contains(&language.as_str());
    if meaningful && fence.nested {
        let mut mistake = file.mistake(fence.opening.clone(), format!("a {language} block inside a list or quote"));
        mistake.help = Some("move it out to the margin, where it can be selected and run".to_owned());
        body.mistakes.push(mistake);
        return None;
    }
    if language == "lab" {
        return lab(file, fence, &rest, body);
    }
    if let Some(attribute) = rest.first() {
        let at = fence.opening.start + file.text[fence.opening.clone()].find(attribute.as_str()).unwrap_or(0);
        let message = format!("unknown fence attribute {attribute:?}");
        let mut mistake = file.mistake(at..at + attribute.len(), message);
        mistake.help = Some(format!("a {language} fence takes none"));
        body.mistakes.push(mistake);
    }
    match language.as_str() {
        "redis" => Some(Block::Redis(redis::block(file, fence, seen, body))),
        "quiz" => quiz::quiz(file, fence, seen, body),
        "predict" => quiz::predict(file, fence, seen, body),
        _ => {
            misspelt(file, fence, &language, body);
            let text = fence.text.strip_suffix('\n').unwrap_or(&fence.text).to_owned();
            Some(Block::Code { language, text })
        }
    }
}

/// `quizz` would be shown as code without a word.
fn misspelt(file: &File, fence: &Fence, language: &str, body: &mut Body) {
    let near =
        MEANINGS.into_iter().find(|m| language.len() > 3 && strsim::osa_distance(m, &language.to_lowercase()) <= 1);
    if let Some(near) = near {
        let mut mistake = file.mistake(fence.opening.clone(), format!("unknown fence {language:?}"));
        mistake.help = Some(format!("did you mean {near:?}?"));
        body.mistakes.push(mistake);
    }
}

fn lab(file: &File, fence: &Fence, rest: &[String], body: &mut Body) -> Option<Block> {
    let mut refuse = |at: Range<usize>, message: String| {
        let mut mistake = file.mistake(at, message);
        mistake.help = Some("a button into a lab is an empty fence: ```lab week2/locks".to_owned());
        body.mistakes.push(mistake);
        None
    };
    let [unit] = rest else { return refuse(fence.opening.clone(), "a lab fence names one unit".to_owned()) };
    if !fence.text.trim().is_empty() {
        return refuse(fence.place(0..fence.text.trim_end().len()), "a lab fence has no content".to_owned());
    }
    match unit.parse::<UnitId>() {
        Ok(id) => {
            body.labs.push((id.clone(), fence.opening.clone()));
            Some(Block::Lab(id))
        }
        Err(error) => refuse(fence.opening.clone(), error.to_string()),
    }
}
