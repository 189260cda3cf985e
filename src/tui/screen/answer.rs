//! Answering a question or a prediction of a lesson in place.
//!
//! Owns: what a key means to the focused card. Must not know: how cards look, how answers are judged
//! (that is `quiz`).

use std::sync::Arc;

use super::lesson::{Reader, refresh};
use crate::{
    course::{
        Block, Course, UnitId,
        lesson::{Predict, Quiz},
    },
    progress::Change,
    tui::{effect::Effect, layout, model::Model, quiz, widget::markdown::SpotKind},
};

/// A question of a lesson.
fn find_quiz<'a>(course: &'a Course, unit: &UnitId, id: &str) -> Option<&'a Quiz> {
    course.unit(unit)?.lesson.blocks.iter().find_map(|block| match block {
        Block::Quiz(quiz) if quiz.id == id => Some(quiz),
        _ => None,
    })
}

/// A prediction of a lesson.
fn find_predict<'a>(course: &'a Course, unit: &UnitId, id: &str) -> Option<&'a Predict> {
    course.unit(unit)?.lesson.blocks.iter().find_map(|block| match block {
        Block::Predict(predict) if predict.id == id => Some(predict),
        _ => None,
    })
}

/// What is done to a focused question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input {
    /// Pick the n-th choice.
    Pick(usize),
    /// Type a character of a number.
    Type(char),
    /// Delete the last one.
    Backspace,
    /// Judge, or keep.
    Enter,
    /// Forget the answer.
    Again,
}

/// Answers the focused question or prediction; false: it has no use for this input.
pub fn answer(model: &mut Model, input: Input) -> Option<Vec<Effect>> {
    let course = Arc::clone(&model.course);
    let reader = model.reader_mut()?;
    let unit = reader.unit.clone();
    let change = match reader.focused()?.kind.clone() {
        SpotKind::Quiz(id) => answer_quiz(reader, find_quiz(&course, &unit, &id)?, input)?,
        SpotKind::Predict(id) => {
            find_predict(&course, &unit, &id)?;
            answer_predict(reader, id, input)?
        }
        _ => return None,
    };
    refresh(model, true);
    let height = usize::from(layout::panes(model).main.height);
    if let Some(reader) = model.reader_mut() {
        reader.show_focus(height);
    }
    Some(change.into_iter().map(|change| Effect::Record { unit: unit.clone(), change }).collect())
}

fn answer_quiz(reader: &mut Reader, quiz: &Quiz, input: Input) -> Option<Vec<Change>> {
    let answer = reader.cards.answers.entry(quiz.id.clone()).or_default();
    let numeric = quiz::choices(quiz).is_empty();
    let before = answer.judged;
    match input {
        Input::Pick(at) if !numeric => answer.pick(quiz, at),
        Input::Pick(at) => typed(&mut answer.input, char::from_digit(at as u32 + 1, 10)?)?,
        Input::Type(c) if numeric => typed(&mut answer.input, c)?,
        Input::Backspace if numeric => drop(answer.input.pop()),
        Input::Enter => answer.judge(quiz),
        Input::Again => answer.again(),
        Input::Type(_) | Input::Backspace => return None,
    }
    if numeric && input != Input::Enter {
        answer.judged = None;
    }
    let judged = answer.judged.filter(|_| before != answer.judged || matches!(input, Input::Enter | Input::Pick(_)));
    let judged = judged.filter(|_| before != Some(true));
    Some(judged.map(|correct| Change::QuizAnswered { quiz: quiz.id.clone(), correct }).into_iter().collect())
}

fn answer_predict(reader: &mut Reader, id: String, input: Input) -> Option<Vec<Change>> {
    let guess = reader.cards.guesses.entry(id.clone()).or_default();
    match input {
        Input::Pick(at) => typed(&mut guess.input, char::from_digit(at as u32 + 1, 10)?)?,
        Input::Type(c) => typed(&mut guess.input, c)?,
        Input::Backspace => drop(guess.input.pop()),
        Input::Again => guess.input.clear(),
        Input::Enter => {
            guess.kept = quiz::parse(&guess.input).or(guess.kept);
            return Some(guess.kept.map(|value| Change::Predicted { id, value }).into_iter().collect());
        }
    }
    guess.kept = None;
    Some(Vec::new())
}

/// Adds a character of a number.
fn typed(input: &mut String, c: char) -> Option<()> {
    let fits = c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | '_' | ',');
    (fits && input.len() < 16).then(|| input.push(c))
}
