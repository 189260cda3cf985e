//! Answering a question: what was picked, whether it is right.
//!
//! Owns: the state of one question and its judgement. Must not know: screens, keys, progress.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::course::lesson::{Choice, Quiz, QuizKind};

/// The state of one question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Picked choices by their index in the lesson, in the order of picking.
    pub picked: Vec<usize>,
    /// Typed number.
    pub input: String,
    /// Judged: right or wrong.
    pub judged: Option<bool>,
    /// The very first judgement: what the statistics count.
    pub first: Option<bool>,
}

/// What a picked choice shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Not picked.
    Off,
    /// Picked, not judged.
    On,
    /// Judged right.
    Right,
    /// Judged wrong.
    Wrong,
}

/// The choices of a question.
pub fn choices(quiz: &Quiz) -> &[Choice] {
    match &quiz.kind {
        QuizKind::Single(choices) | QuizKind::Multiple(choices) | QuizKind::Ordering(choices) => choices,
        QuizKind::Numeric { .. } => &[],
    }
}

/// Choices in the order shown: as written, but for an ordering, which stands in the right order in
/// the lesson and is shuffled by a hash, the same for everybody and every time.
pub fn shown(quiz: &Quiz) -> Vec<usize> {
    let mut order: Vec<usize> = (0..choices(quiz).len()).collect();
    if let QuizKind::Ordering(choices) = &quiz.kind {
        order.sort_by_key(|at| {
            let mut hasher = DefaultHasher::new();
            (&quiz.id, &choices[*at].text.iter().map(|inline| inline.text.as_str()).collect::<String>())
                .hash(&mut hasher);
            hasher.finish()
        });
        if order.is_sorted() {
            order.rotate_left(1);
        }
    }
    order
}

impl Answer {
    /// Picks (or unpicks) the choice at `position` of [`shown`]; a single choice is judged at once.
    pub fn pick(&mut self, quiz: &Quiz, position: usize) {
        let Some(&choice) = shown(quiz).get(position) else { return };
        if self.judged == Some(true) {
            return;
        }
        self.judged = None;
        match &quiz.kind {
            QuizKind::Single(_) => {
                self.picked = vec![choice];
                self.judge(quiz);
            }
            QuizKind::Multiple(_) | QuizKind::Ordering(_) => match self.picked.iter().position(|at| *at == choice) {
                Some(at) => drop(self.picked.remove(at)),
                None => self.picked.push(choice),
            },
            QuizKind::Numeric { .. } => {}
        }
    }

    /// Judges what is picked or typed, if there is something to judge.
    pub fn judge(&mut self, quiz: &Quiz) {
        let right = match &quiz.kind {
            QuizKind::Single(choices) => self.picked.first().map(|at| choices[*at].correct),
            QuizKind::Multiple(choices) => (!self.picked.is_empty())
                .then(|| choices.iter().enumerate().all(|(at, choice)| choice.correct == self.picked.contains(&at))),
            QuizKind::Ordering(choices) => {
                (self.picked.len() == choices.len()).then(|| self.picked.iter().copied().eq(0..choices.len()))
            }
            QuizKind::Numeric { answer, tolerance, .. } => self.number().map(|typed| close(typed, *answer, *tolerance)),
        };
        if right.is_some() {
            self.judged = right;
            self.first = self.first.or(right);
        }
    }

    /// The typed number.
    pub fn number(&self) -> Option<f64> {
        parse(&self.input)
    }

    /// Forgets the answer so that it can be given again.
    pub fn again(&mut self) {
        *self = Self { first: self.first, ..Self::default() };
    }

    /// What a choice (by its index in the lesson) shows.
    pub fn mark(&self, quiz: &Quiz, choice: usize) -> Mark {
        let position = self.picked.iter().position(|at| *at == choice);
        match (position, self.judged, &quiz.kind) {
            (None, ..) => Mark::Off,
            (Some(_), None, _) => Mark::On,
            (Some(at), Some(_), QuizKind::Ordering(_)) => {
                if at == choice {
                    Mark::Right
                } else {
                    Mark::Wrong
                }
            }
            (Some(_), Some(_), _) => {
                if choices(quiz)[choice].correct {
                    Mark::Right
                } else {
                    Mark::Wrong
                }
            }
        }
    }
}

/// A number as people type it.
pub fn parse(text: &str) -> Option<f64> {
    text.trim().replace(['_', ','], "").parse::<f64>().ok().filter(|number| number.is_finite())
}

fn close(typed: f64, answer: f64, tolerance: f64) -> bool {
    let allowed = if answer == 0.0 { tolerance } else { tolerance * answer.abs() };
    (typed - answer).abs() <= allowed + f64::EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Inline;

    fn text(text: &str) -> Vec<Inline> {
        vec![Inline { text: text.into(), ..Inline::default() }]
    }

    fn quiz(kind: impl Fn(Vec<Choice>) -> QuizKind) -> Quiz {
        let choice = |name: &str, correct| Choice { text: text(name), correct, because: Vec::new() };
        let choices = vec![choice("a", true), choice("b", false), choice("c", true)];
        Quiz { id: "q".into(), question: text("?"), kind: kind(choices), explanation: Vec::new() }
    }

    #[test]
    fn a_single_choice_is_judged_at_once_and_the_first_answer_is_remembered() {
        let quiz = quiz(QuizKind::Single);
        let mut answer = Answer::default();
        answer.pick(&quiz, 1);
        assert_eq!((answer.judged, answer.mark(&quiz, 1)), (Some(false), Mark::Wrong));
        answer.pick(&quiz, 0);
        assert_eq!((answer.judged, answer.first), (Some(true), Some(false)));
        answer.pick(&quiz, 9);
        assert_eq!(answer.judged, Some(true));
    }

    #[test]
    fn all_that_apply_means_all() {
        let quiz = quiz(QuizKind::Multiple);
        let mut answer = Answer::default();
        answer.judge(&quiz);
        assert_eq!(answer.judged, None, "nothing picked is not an answer");
        answer.pick(&quiz, 0);
        answer.judge(&quiz);
        assert_eq!(answer.judged, Some(false));
        answer.pick(&quiz, 2);
        answer.judge(&quiz);
        assert_eq!(answer.judged, Some(true));
    }

    #[test]
    fn an_ordering_is_shuffled_and_judged_by_place() {
        let quiz = quiz(QuizKind::Ordering);
        let order = shown(&quiz);
        assert!(!order.is_sorted());
        let mut answer = Answer::default();
        for wanted in 0..3 {
            answer.pick(&quiz, order.iter().position(|at| *at == wanted).expect("shown"));
        }
        answer.judge(&quiz);
        assert_eq!(answer.judged, Some(true));
    }

    #[test]
    fn numbers_have_a_tolerance() {
        let quiz = quiz(|_| QuizKind::Numeric { answer: 200.0, tolerance: 0.05, unit: "ms".into() });
        for (typed, judged) in
            [("209", Some(true)), ("211", Some(false)), ("2e2", Some(true)), ("x", None), ("inf", None)]
        {
            let mut answer = Answer { input: typed.into(), ..Answer::default() };
            answer.judge(&quiz);
            assert_eq!(answer.judged, judged, "{typed}");
        }
    }
}
