use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    console::{BlockOutcome, ReplyLine, StepOutcome, Token},
    course::Course,
    progress::Progress,
    tui::{theme::Theme, widget::card::StepState},
};

fn model(width: u16, height: u16) -> Model {
    let course = Course::load(Path::new("tests/fixtures/course")).expect("the fixture is valid");
    Model::new(Arc::new(course), Progress::default(), Theme::default(), (width, height))
}

fn unit(id: &str) -> UnitId {
    id.parse().expect("a unit id")
}

/// Presses keys: single characters, or names in angle brackets.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let (code, modifiers, used) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
            Some((name, _)) => {
                let code = match name {
                    "enter" => KeyCode::Enter,
                    "tab" => KeyCode::Tab,
                    "esc" => KeyCode::Esc,
                    "up" => KeyCode::Up,
                    "down" => KeyCode::Down,
                    "c-c" | "c-z" | "c-d" => KeyCode::Char(name.chars().last().expect("a letter")),
                    other => panic!("no key {other}"),
                };
                let ctrl = if name.starts_with("c-") { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
                (code, ctrl, name.len() + 2)
            }
            None => (KeyCode::Char(c), KeyModifiers::NONE, c.len_utf8()),
        };
        effects.extend(update(model, Message::Key(KeyEvent::new(code, modifiers))));
        rest = &rest[used..];
    }
    effects
}

fn focus(model: &mut Model, wanted: impl Fn(&SpotKind) -> bool) {
    let spots = model.reader().expect("a lesson").document.spots.len();
    for _ in 0..=spots {
        if model.reader().and_then(|r| r.focused()).is_some_and(|spot| wanted(&spot.kind)) {
            return;
        }
        press(model, "<tab>");
    }
    panic!("no such block");
}

fn open_first(model: &mut Model) {
    press(model, "g<enter>");
    assert_eq!(model.route, Route::Lesson(unit("week1/first")));
}

#[test]
fn the_first_frame_waits_for_nothing_and_then_the_server_starts_once() {
    let mut model = model(80, 24);
    assert_eq!(model.server, ServerState::Off);
    assert_eq!(update(&mut model, Message::FirstFrame), [Effect::StartServer]);
    assert_eq!(update(&mut model, Message::FirstFrame), []);
    assert_eq!(update(&mut model, Message::ServerReady("valkey 9".into())), [Effect::OpenConsole]);
}

#[test]
fn enter_opens_a_lesson_and_q_leads_back_and_then_out() {
    let mut model = model(80, 24);
    open_first(&mut model);
    assert_eq!(press(&mut model, "q"), []);
    assert_eq!(model.route, Route::Home);
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);
}

#[test]
fn leaving_writes_the_place_down() {
    let mut model = model(60, 12);
    open_first(&mut model);
    press(&mut model, "  ");
    let block = model.reader().expect("open").top_block();
    assert!(block > 0);
    let effects = press(&mut model, "<c-c>");
    let place = Effect::Record { unit: unit("week1/first"), change: Change::Here { block } };
    assert_eq!(effects, [place, Effect::Quit]);
}

#[test]
fn a_lesson_counts_as_read_at_its_end_and_only_once() {
    let mut model = model(60, 12);
    open_first(&mut model);
    let read = |effects: &[Effect]| {
        effects.iter().filter(|e| matches!(e, Effect::Record { change: Change::Read, .. })).count()
    };
    let on_the_way = press(&mut model, " ");
    assert_eq!(read(&on_the_way), 0);
    let at_the_end = press(&mut model, "GgG");
    assert_eq!(read(&at_the_end), 1);
}

#[test]
fn the_block_at_the_top_stays_there_when_the_width_changes() {
    let mut model = model(120, 20);
    open_first(&mut model);
    press(&mut model, " ");
    let before = model.reader().expect("open").top_block();
    for (width, height) in [(60, 16), (200, 20), (43, 20), (120, 20)] {
        update(&mut model, Message::Resize(width, height));
        assert_eq!(model.reader().expect("open").top_block(), before, "{width}x{height}");
    }
}

#[test]
fn a_single_choice_is_answered_by_its_number() {
    let mut model = model(80, 24);
    open_first(&mut model);
    focus(&mut model, |kind| *kind == SpotKind::Quiz("expiry".into()));
    let wrong = press(&mut model, "2");
    let answered = |correct| Effect::Record {
        unit: unit("week1/first"),
        change: Change::QuizAnswered { quiz: "expiry".into(), correct },
    };
    assert_eq!(wrong, [answered(false)]);
    assert_eq!(press(&mut model, "1"), [answered(true)]);
    assert_eq!(press(&mut model, "1"), [], "a right answer is given once");
}

#[test]
fn a_number_is_typed_and_judged_by_enter() {
    let mut model = model(80, 24);
    open_first(&mut model);
    focus(&mut model, |kind| *kind == SpotKind::Quiz("count".into()));
    assert_eq!(press(&mut model, "2000"), []);
    let effects = press(&mut model, "<enter>");
    assert!(
        matches!(&effects[..], [Effect::Record { change: Change::QuizAnswered { correct: true, .. }, .. }]),
        "{effects:?}"
    );
}

#[test]
fn enter_on_a_redis_block_runs_it_and_shows_what_differed() {
    let mut model = model(80, 24);
    open_first(&mut model);
    focus(&mut model, |kind| matches!(kind, SpotKind::Redis(_)));
    let effects = press(&mut model, "<enter>");
    assert!(matches!(&effects[..], [Effect::StartServer, Effect::RunBlock { .. }]), "{effects:?}");
    let step = |command: &str, reply: &str, matched| StepOutcome {
        command: command.into(),
        reply: vec![ReplyLine::new(Token::Status, reply)],
        matched,
        expected: Vec::new(),
    };
    let steps = vec![step("SET", "OK", true), step("GET", "(nil)", false), step("PTTL", "(integer) 1", true)];
    let outcome = BlockOutcome { steps, stopped: None };
    let effects = update(&mut model, Message::BlockRan { unit: unit("week1/first"), block: 0, outcome });
    assert!(
        matches!(&effects[..], [Effect::Record { change: Change::BlockRun { matched: false, .. }, .. }]),
        "{effects:?}"
    );
    let run = &model.reader().expect("open").cards.runs[&0];
    assert_eq!(run.steps, [StepState::Matched, StepState::Differs(vec!["(nil)".into()]), StepState::Matched]);
}

#[test]
fn without_a_server_the_block_says_why() {
    let mut model = model(80, 24);
    open_first(&mut model);
    focus(&mut model, |kind| matches!(kind, SpotKind::Redis(_)));
    press(&mut model, "<enter>");
    update(&mut model, Message::ServerFailed("nothing found".into()));
    let outcome = BlockOutcome { steps: Vec::new(), stopped: Some("there is no server".into()) };
    let effects = update(&mut model, Message::BlockRan { unit: unit("week1/first"), block: 0, outcome });
    assert_eq!(effects, [], "what did not run is not recorded");
    assert!(matches!(&press(&mut model, "<enter>")[..], [Effect::StartServer, Effect::RunBlock { .. }]), "tries again");
}

#[test]
fn a_link_to_a_unit_opens_it_and_back_leads_back() {
    let mut model = model(80, 24);
    press(&mut model, "G<enter>");
    assert_eq!(model.route, Route::Lesson(unit("week1/second")));
    focus(&mut model, |kind| matches!(kind, SpotKind::Link(..)));
    press(&mut model, "<enter>");
    assert_eq!(model.route, Route::Lesson(unit("week1/first")));
    press(&mut model, "<esc>");
    assert_eq!(model.route, Route::Lesson(unit("week1/second")));
    press(&mut model, "]");
    assert_eq!(model.route, Route::Lesson(unit("week1/first")));
}

#[test]
fn a_link_to_a_heading_scrolls_there() {
    let mut model = model(80, 10);
    press(&mut model, "G<enter>");
    focus(&mut model, |kind| matches!(kind, SpotKind::Link(..)));
    press(&mut model, "<enter>");
    let reader = model.reader().expect("the linked unit");
    let (row, _, text) = &reader.document.headings[0];
    assert_eq!((reader.scroll, text.as_str()), (*row, "The idea"));
}

#[test]
fn what_is_typed_into_the_console_before_the_server_is_there_waits() {
    let mut model = model(80, 24);
    press(&mut model, ":");
    assert_eq!(model.focus, Pane::Console);
    let effects = press(&mut model, "PING?<enter>");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Submit(_))), "{effects:?}");
    update(&mut model, Message::ServerReady("valkey".into()));
    let effects = update(&mut model, Message::History(Vec::new()));
    assert_eq!(effects, [Effect::Submit("PING?".into())]);
    press(&mut model, "<esc>");
    assert_eq!(model.focus, Pane::Main);
}

#[test]
fn the_prompt_edits_by_grapheme_and_recalls_lines() {
    let mut model = model(80, 24);
    update(&mut model, Message::History(vec!["GET a".into(), "GET b".into()]));
    press(&mut model, ":日本e\u{301}");
    update(&mut model, Message::Key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)));
    assert_eq!(model.console.input.value(), "日本");
    press(&mut model, "<up><up>");
    assert_eq!(model.console.input.value(), "GET a");
    press(&mut model, "<down><down>");
    assert_eq!(model.console.input.value(), "日本", "the line being typed comes back");
    press(&mut model, "<c-c>");
    assert_eq!(model.console.input.value(), "");
}

#[test]
fn a_dangerous_command_is_asked_about() {
    let mut model = model(80, 24);
    press(&mut model, ":");
    let ask = crate::console::ConsoleEvent::Confirm { command: "FLUSHALL".into(), why: "removes every key".into() };
    update(&mut model, Message::Console(ask.clone()));
    assert_eq!(press(&mut model, "n"), [Effect::ConfirmCommand(false)]);
    update(&mut model, Message::Console(ask));
    assert_eq!(press(&mut model, "y"), [Effect::ConfirmCommand(true)]);
    assert!(model.overlays.is_empty());
}

#[test]
fn leaving_asks_only_while_something_runs() {
    let mut model = model(80, 24);
    model.running.lab = Some(unit("week1/first"));
    assert_eq!(press(&mut model, "q"), []);
    assert!(matches!(model.overlays.last(), Some(Overlay::Confirm(Confirm::Quit(_)))));
    assert_eq!(press(&mut model, "n"), []);
    assert_eq!(press(&mut model, "<c-c><c-c>"), [Effect::Quit], "a second Ctrl-C means it");
}

#[test]
fn every_key_of_the_help_does_what_it_says() {
    // Whatever is bound resolves to its own action: no key of a scope hides another of the same scope.
    let mut model = model(120, 40);
    open_first(&mut model);
    for scope in keymap::scopes(&model) {
        let bindings = keymap::bindings(scope, &model);
        for (at, binding) in bindings.iter().enumerate() {
            for chord in &binding.keys {
                let first = bindings.iter().position(|other| other.keys.contains(chord));
                assert_eq!(first, Some(at), "{chord:?} in {scope:?}");
            }
        }
    }
}

#[test]
fn a_signal_leaves_without_asking() {
    let mut model = model(80, 24);
    model.running.check = Some(unit("week1/first"));
    assert_eq!(update(&mut model, Message::Terminate), [Effect::Quit]);
}
