//! `quiz` and `predict` fences: TOML, with inline markdown in its texts.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Body,
    fence::{Fence, Seen},
    inline_of,
};
use crate::{
    course::{
        Block, Inline,
        lesson::{Choice, Predict, Quiz, QuizKind},
        load::File,
        unit_id::is_slug,
    },
    diagnostic::Diagnostic,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuizFence {
    id: Spanned<String>,
    kind: Spanned<Kind>,
    question: Spanned<String>,
    explanation: Spanned<String>,
    #[serde(default)]
    choices: Vec<Spanned<ChoiceFence>>,
    answer: Option<Spanned<f64>>,
    tolerance: Option<Spanned<f64>>,
    unit: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Single,
    Multiple,
    Ordering,
    Numeric,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceFence {
    text: Spanned<String>,
    #[serde(default)]
    correct: bool,
    because: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PredictFence {
    id: Spanned<String>,
    question: Spanned<String>,
    metric: Spanned<String>,
    #[serde(default)]
    unit: String,
}

/// Reads a `quiz` fence.
pub(super) fn quiz(file: &File, fence: &Fence, seen: &mut Seen, body: &mut Body) -> Option<Block> {
    let mut reader = Reader { file, fence, body };
    let quiz: QuizFence = reader.toml()?;
    reader.id(&quiz.id, seen);
    let question = reader.inline(&quiz.question);
    let explanation = reader.inline(&quiz.explanation);
    let kind = if *quiz.kind.get_ref() == Kind::Numeric { reader.numeric(&quiz) } else { Some(reader.choices(&quiz)) };
    Some(Block::Quiz(Quiz { id: quiz.id.into_inner(), question, kind: kind?, explanation }))
}

/// Reads a `predict` fence.
pub(super) fn predict(file: &File, fence: &Fence, seen: &mut Seen, body: &mut Body) -> Option<Block> {
    let mut reader = Reader { file, fence, body };
    let predict: PredictFence = reader.toml()?;
    reader.id(&predict.id, seen);
    let question = reader.inline(&predict.question);
    if !predict.metric.get_ref().contains('.') {
        let help = "variant and metric with a dot between: naive.overlaps";
        reader.mistake(predict.metric.span(), "a metric without a variant", Some(help));
    }
    let place = fence.place(predict.metric.span());
    reader.body.metrics.push((predict.metric.get_ref().clone(), place));
    Some(Block::Predict(Predict {
        id: predict.id.into_inner(),
        question,
        metric: predict.metric.into_inner(),
        unit: predict.unit,
    }))
}

struct Reader<'a> {
    file: &'a File,
    fence: &'a Fence,
    body: &'a mut Body,
}

impl Reader<'_> {
    fn toml<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        let error = match toml::from_str(&self.fence.text) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut mistake: Diagnostic = self.file.toml_mistake(&error, 0);
        // An error about the whole fence (a missing field) is shown at its first line.
        mistake.span = match error.span() {
            Some(span) if !span.is_empty() && span.len() < self.fence.text.trim_end().len() => self.fence.place(span),
            Some(span) if span.start > 0 => self.fence.place(span),
            _ => self.fence.opening.clone(),
        };
        self.body.mistakes.push(mistake);
        None
    }

    fn mistake(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<&str>) {
        let mut mistake = self.file.mistake(self.fence.place(span), message);
        mistake.help = help.map(str::to_owned);
        self.body.mistakes.push(mistake);
    }

    fn id(&mut self, id: &Spanned<String>, seen: &mut Seen) {
        let name = id.get_ref();
        if !is_slug(name) {
            self.mistake(id.span(), format!("{name:?} is not an id: lower-case letters, digits, hyphens"), None);
        } else if !seen.ids.insert(name.clone()) {
            self.mistake(id.span(), format!("a second {name:?} in this lesson"), Some("progress is kept by this id"));
        }
    }

    fn inline(&mut self, text: &Spanned<String>) -> Vec<Inline> {
        match inline_of(text.get_ref()) {
            Ok((inlines, links)) => {
                let place = self.fence.place(text.span());
                self.body.links.extend(links.into_iter().map(|link| (link, place.clone())));
                inlines
            }
            Err(message) => {
                self.mistake(text.span(), message, None);
                Vec::new()
            }
        }
    }

    fn choices(&mut self, quiz: &QuizFence) -> QuizKind {
        let kind = *quiz.kind.get_ref();
        let numeric = [quiz.answer.as_ref().map(Spanned::span), quiz.tolerance.as_ref().map(Spanned::span)];
        let numeric = numeric.into_iter().chain([quiz.unit.as_ref().map(Spanned::span)]).flatten().next();
        if let Some(span) = numeric {
            self.mistake(span, "only a numeric quiz has answer, tolerance and unit", None);
        }
        if quiz.choices.len() < 2 {
            self.mistake(quiz.kind.span(), "a quiz needs at least two [[choices]]", None);
        }
        let correct = quiz.choices.iter().filter(|c| c.get_ref().correct).count();
        match kind {
            Kind::Single if correct != 1 => {
                let message = format!("a single-choice quiz has one correct choice, this one has {correct}");
                self.mistake(quiz.kind.span(), message, Some("write correct = true in one of its [[choices]]"));
            }
            Kind::Multiple if correct == 0 => {
                self.mistake(quiz.kind.span(), "no choice is correct", Some("write correct = true in the right ones"));
            }
            Kind::Ordering if correct > 0 => {
                let help = "write the choices in the right order; they are shuffled when shown";
                self.mistake(quiz.kind.span(), "an ordering has no correct choice", Some(help));
            }
            _ => {}
        }
        let choices = quiz.choices.iter().map(|choice| self.choice(choice.get_ref(), kind)).collect();
        match kind {
            Kind::Multiple => QuizKind::Multiple(choices),
            Kind::Ordering => QuizKind::Ordering(choices),
            Kind::Single | Kind::Numeric => QuizKind::Single(choices),
        }
    }

    fn choice(&mut self, choice: &ChoiceFence, kind: Kind) -> Choice {
        let text = self.inline(&choice.text);
        let because = match &choice.because {
            Some(because) => self.inline(because),
            None => Vec::new(),
        };
        if kind != Kind::Ordering && !choice.correct && choice.because.is_none() {
            let help = "add because = \"…\": what somebody who picks it has overlooked";
            self.mistake(choice.text.span(), "a wrong choice without an explanation", Some(help));
        }
        Choice { text, correct: choice.correct, because }
    }

    fn numeric(&mut self, quiz: &QuizFence) -> Option<QuizKind> {
        if let Some(choice) = quiz.choices.first() {
            self.mistake(choice.span(), "a numeric quiz has no choices", None);
        }
        let (Some(answer), Some(tolerance)) = (&quiz.answer, &quiz.tolerance) else {
            self.mistake(
                quiz.kind.span(),
                "a numeric quiz needs answer and tolerance",
                Some("tolerance = 0.05 is five per cent"),
            );
            return None;
        };
        if !answer.get_ref().is_finite() {
            self.mistake(answer.span(), "expected a finite number", None);
        }
        if !(0.0..=1.0).contains(tolerance.get_ref()) {
            self.mistake(tolerance.span(), "expected a share from 0 to 1", Some("tolerance = 0.05 is five per cent"));
        }
        Some(QuizKind::Numeric {
            answer: *answer.get_ref(),
            tolerance: *tolerance.get_ref(),
            unit: quiz.unit.as_ref().map_or_else(String::new, |unit| unit.get_ref().clone()),
        })
    }
}
