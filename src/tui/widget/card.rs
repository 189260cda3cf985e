//! Blocks of a lesson that can be run or answered in place.
//!
//! Owns: their state ([`Cards`]) and how they are laid out. Must not know: keys, the console, progress.

use std::collections::HashMap;

use ratatui::{style::Style, text::Span};

use super::{
    markdown::{Composer, Spot, SpotKind},
    wrap::{Run, wrap},
};
use crate::{
    course::{
        Inline, UnitId,
        lesson::{Expected, Predict, Quiz, QuizKind, RedisBlock},
    },
    tui::{
        quiz::{self, Answer, Mark},
        text,
        theme::Role,
    },
};

/// State of everything that can be answered or run in one lesson.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    /// Answers by quiz id.
    pub answers: HashMap<String, Answer>,
    /// Guesses by prediction id.
    pub guesses: HashMap<String, Guess>,
    /// Runs by redis block.
    pub runs: HashMap<usize, BlockRun>,
}

/// A guess about a lab.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Guess {
    /// As typed.
    pub input: String,
    /// Kept.
    pub kept: Option<f64>,
}

/// How far a redis block ran.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BlockRun {
    /// One per step.
    pub steps: Vec<StepState>,
    /// Why it could not run.
    pub problem: Option<String>,
}

/// One command of a redis block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StepState {
    /// Not yet.
    #[default]
    Waiting,
    /// Answered; nothing was expected.
    Ran,
    /// Answered as the lesson says.
    Matched,
    /// Answered otherwise: what came.
    Differs(Vec<String>),
}

impl BlockRun {
    /// Every step answered, and as the lesson says.
    pub fn passed(&self) -> bool {
        self.problem.is_none() && self.steps.iter().all(|step| matches!(step, StepState::Ran | StepState::Matched))
    }
}

/// A card: a title line, a body under a bar, and a spot.
fn card(
    composer: &mut Composer<'_>,
    kind: SpotKind,
    title: &str,
    hint: &str,
    body: impl FnOnce(&mut Composer<'_>) -> Vec<(usize, std::ops::Range<u16>)>,
) {
    let first = composer.row();
    let bar = Span::styled(format!("{} ", composer.context.theme.glyphs().bar), composer.style(Role::Info));
    let mut cells = Vec::new();
    composer.with_prefix(None, bar, |c| {
        let head = vec![
            Span::styled(title.to_owned(), c.style(Role::Focus)),
            Span::styled(format!("  {hint}"), c.style(Role::Dim)),
        ];
        c.line(head);
        cells = body(c);
    });
    let rows = first..composer.row();
    composer.document.spots.push(Spot { kind, rows, cells });
}

/// A runnable block: commands, expected replies, marks after a run.
pub(super) fn redis(composer: &mut Composer<'_>, block: &RedisBlock) {
    let run = composer.context.cards.runs.get(&block.index).cloned();
    let hint = match &run {
        None => "Enter runs it",
        Some(run) if run.problem.is_some() => "could not run; Enter tries again",
        Some(run) if run.passed() => "ran as written; Enter runs it again",
        Some(run) if run.steps.contains(&StepState::Waiting) => "running",
        Some(_) => "ran, with differences; Enter runs it again",
    };
    card(composer, SpotKind::Redis(block.index), "redis", hint, |c| {
        for (at, step) in block.steps.iter().enumerate() {
            let state = run.as_ref().and_then(|run| run.steps.get(at)).cloned().unwrap_or_default();
            let glyphs = c.context.theme.glyphs();
            let (mark, role) = match state {
                StepState::Waiting | StepState::Ran => (">", Role::Dim),
                StepState::Matched => (glyphs.tick, Role::Good),
                StepState::Differs(_) => (glyphs.cross, Role::Bad),
            };
            let first = Span::styled(format!("{mark} "), c.style(role));
            c.with_prefix(Some(first), Span::raw("  "), |c| {
                let spans = command(c, &step.command);
                c.code_line(spans);
                for expected in &step.expected {
                    let (Expected::Exact(line) | Expected::Pattern(line)) = expected;
                    c.code_line(vec![Span::styled(text::clean(line).into_owned(), c.style(Role::Dim))]);
                }
                if let StepState::Differs(got) = &state {
                    differs(c, got);
                }
            });
        }
        if let Some(problem) = run.as_ref().and_then(|run| run.problem.as_deref()) {
            note(c, problem, Role::Bad);
        }
        Vec::new()
    });
}

fn differs(composer: &mut Composer<'_>, got: &[String]) {
    composer.line(vec![Span::styled("the server answered:", composer.style(Role::Warn))]);
    for line in got {
        composer.code_line(vec![Span::styled(text::clean(line).into_owned(), composer.style(Role::Warn))]);
    }
}

/// A command with the console's colours.
fn command(composer: &Composer<'_>, line: &str) -> Vec<Span<'static>> {
    super::prompt::coloured(line, composer.context.theme)
}

fn note(composer: &mut Composer<'_>, content: &str, role: Role) {
    let style = composer.style(role);
    composer.paragraph(&[Inline { text: content.to_owned(), ..Inline::default() }], style);
}

/// A question with its choices and, after an answer, what to learn from it.
pub(super) fn quiz(composer: &mut Composer<'_>, quiz: &Quiz) {
    let answer = composer.context.cards.answers.get(&quiz.id).cloned().unwrap_or_default();
    let hint = match (&quiz.kind, answer.judged) {
        (_, Some(true)) => "right",
        (QuizKind::Single(_), None) => "pick one: its number",
        (QuizKind::Multiple(_), None) => "pick all that apply by number, then Enter",
        (QuizKind::Ordering(_), None) => "press the numbers in the right order, then Enter",
        (QuizKind::Numeric { .. }, None) => "type a number, then Enter",
        (QuizKind::Numeric { .. }, Some(false)) => "not quite; change it",
        (_, Some(false)) => "not quite; pick again",
    };
    card(composer, SpotKind::Quiz(quiz.id.clone()), "Question", hint, |c| {
        c.paragraph(&quiz.question, Style::new());
        let cells = choices(c, quiz, &answer);
        if let QuizKind::Numeric { unit, .. } = &quiz.kind {
            field(c, &answer.input, unit, answer.judged.map(|right| if right { Role::Good } else { Role::Bad }));
        }
        feedback(c, quiz, &answer);
        cells
    });
}

fn choices(composer: &mut Composer<'_>, quiz: &Quiz, answer: &Answer) -> Vec<(usize, std::ops::Range<u16>)> {
    let glyphs = composer.context.theme.glyphs();
    let mut cells = Vec::new();
    for (position, choice) in quiz::shown(quiz).into_iter().enumerate() {
        let mark = answer.mark(quiz, choice);
        let sign = match (mark, &quiz.kind) {
            (Mark::Right, _) => glyphs.tick.to_owned(),
            (Mark::Wrong, _) => glyphs.cross.to_owned(),
            (_, QuizKind::Ordering(_)) => answer
                .picked
                .iter()
                .position(|at| *at == choice)
                .map_or_else(|| glyphs.dot.into(), |at| format!("#{}", at + 1)),
            (mark, QuizKind::Multiple(_)) => glyphs.check[usize::from(mark == Mark::On)].to_owned(),
            (mark, _) => glyphs.radio[usize::from(mark == Mark::On)].to_owned(),
        };
        let role = match mark {
            Mark::Right => Role::Good,
            Mark::Wrong => Role::Bad,
            Mark::On => Role::Focus,
            Mark::Off => Role::Text,
        };
        let lead = format!("{} {sign} ", position + 1);
        let rest = Span::raw(" ".repeat(text::width(&lead)));
        let first = Span::styled(lead, composer.style(if mark == Mark::Off { Role::Dim } else { role }));
        let row = composer.row();
        let base = composer.style(role);
        composer.with_prefix(Some(first), rest, |c| {
            c.paragraph(&quiz::choices(quiz)[choice].text, if mark == Mark::Off { Style::new() } else { base });
        });
        for row in row..composer.row() {
            cells.push((row, position as u16..position as u16 + 1));
        }
    }
    cells
}

/// Why a wrong choice is wrong; after a right answer, the explanation.
fn feedback(composer: &mut Composer<'_>, quiz: &Quiz, answer: &Answer) {
    let Some(right) = answer.judged else { return };
    let wrong = quiz::choices(quiz).iter().enumerate().filter(|(at, choice)| {
        !matches!(quiz.kind, QuizKind::Ordering(_)) && answer.picked.contains(at) && !choice.correct
    });
    let warn = composer.style(Role::Warn);
    for (_, choice) in wrong {
        composer.paragraph(&choice.because, warn);
    }
    if right {
        let good = composer.style(Role::Good);
        composer.paragraph(&quiz.explanation, good);
    } else if matches!(quiz.kind, QuizKind::Multiple(_))
        && !answer.picked.iter().any(|at| !quiz::choices(quiz)[*at].correct)
    {
        note(composer, "So far right, but one is missing.", Role::Warn);
    }
}

/// An input field for a number.
fn field(composer: &mut Composer<'_>, input: &str, unit: &str, judged: Option<Role>) {
    let typed = text::clean(input).into_owned();
    let style = judged.map_or(composer.style(Role::Strong), |role| composer.style(role));
    let blank = "_".repeat(8usize.saturating_sub(text::width(&typed)).max(1));
    composer.line(vec![
        Span::styled("= ", composer.style(Role::Key)),
        Span::styled(typed, style),
        Span::styled(blank, composer.style(Role::Dim)),
        Span::styled(format!(" {unit}"), composer.style(Role::Dim)),
    ]);
}

/// A guess about the lab, kept for its chart.
pub(super) fn predict(composer: &mut Composer<'_>, predict: &Predict) {
    let guess = composer.context.cards.guesses.get(&predict.id).cloned().unwrap_or_default();
    let hint = match guess.kept {
        None => "type your guess, then Enter; the lab measures it".to_owned(),
        Some(kept) => format!("kept: {kept} {}; the lab will show it", predict.unit),
    };
    card(composer, SpotKind::Predict(predict.id.clone()), "Your prediction", hint.trim_end(), |c| {
        c.paragraph(&predict.question, Style::new());
        field(c, &guess.input, &predict.unit, guess.kept.map(|_| Role::Good));
        Vec::new()
    });
}

/// A way into a lab.
pub(super) fn lab(composer: &mut Composer<'_>, unit: &UnitId) {
    card(composer, SpotKind::Lab(unit.clone()), "Lab", "Enter opens it", |c| {
        let arrow = c.context.theme.glyphs().arrow;
        let runs = [Run { text: format!("{arrow} {unit}"), style: c.style(Role::Link), link: None }];
        for line in wrap(&runs, c.room()) {
            c.line(line.spans);
        }
        Vec::new()
    });
}
