//! The TUI on a test backend: what screens look like, and the loop with scripted input and world.

use std::{collections::VecDeque, io, path::Path, sync::Arc, time::Duration};

use cachelab::{
    check::{CheckEvent, CheckInfo, CheckResult, Counterexample, Failure, Report, StepKind, TraceStep, Verdict},
    course::{Course, UnitId},
    lab::{ExtraMetric, FaultInfo, LabEvent, LabStarted, Latency, Sample, ServerSample, VariantInfo},
    progress::Progress,
    tui::{
        World,
        effect::Effect,
        event_loop,
        message::Message,
        model::{Model, Route},
        theme::{Colours, Theme},
        update::{go, update},
        view::view,
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use ratatui::{Terminal, backend::TestBackend};

fn course() -> Arc<Course> {
    Arc::new(Course::load(Path::new("tests/fixtures/course")).expect("the fixture is valid"))
}

/// The course in the binary: it has labs and exercises.
fn embedded() -> Arc<Course> {
    Arc::new(Course::embedded().expect("the course is valid"))
}

fn unit(id: &str) -> UnitId {
    id.parse().expect("a unit id")
}

fn model(course: Arc<Course>, width: u16, height: u16) -> Model {
    Model::new(course, Progress::default(), Theme::default(), (width, height))
}

fn key(code: KeyCode) -> Message {
    Message::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn keys(model: &mut Model, text: &str) {
    for c in text.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        update(model, key(code));
    }
}

/// What the screen shows, one line a row.
fn screen(model: &Model) -> String {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend");
    terminal.draw(|frame| view(model, frame)).expect("draws");
    let buffer = terminal.backend().buffer();
    (0..height)
        .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn home() {
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("home_{width}x{height}"), screen(&model(course(), width, height)));
    }
}

#[test]
fn lesson() {
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        let mut model = model(course(), width, height);
        keys(&mut model, "g\n \t");
        insta::assert_snapshot!(format!("lesson_{width}x{height}"), screen(&model));
    }
}

#[test]
fn lesson_in_ascii() {
    let mut model = model(course(), 80, 24);
    model.theme = Theme { colours: Colours::None, ascii: true };
    keys(&mut model, "g\n \t");
    let drawn = screen(&model);
    assert!(drawn.is_ascii(), "{drawn}");
}

#[test]
fn help() {
    let mut model = model(course(), 80, 24);
    keys(&mut model, "g\n?");
    insta::assert_snapshot!("help_80x24", screen(&model));
}

fn lab_model(width: u16, height: u16) -> Model {
    let mut model = model(embedded(), width, height);
    let id = unit("week2/locks");
    go(&mut model, Route::Lab(id));
    keys(&mut model, "\n");
    let variant = |name: &str, label: &str| VariantInfo { name: name.into(), label: label.into() };
    let started = LabStarted {
        id: "week2/locks".into(),
        title: "Locks".into(),
        question: "Which lock holds?".into(),
        variants: vec![variant("none", "no lock"), variant("fencing", "+ fencing token")],
        duration: Duration::from_secs(8),
        origin_capacity: Some(4),
        connections: "own connections (6)".into(),
        server: "valkey 9.1.2, private".into(),
        workload: "closed loop, 6 clients".into(),
        extra: vec![ExtraMetric { name: "overlaps".into(), label: "overlaps".into(), unit: String::new() }],
        faults: vec![FaultInfo { name: "kill".into(), label: "kill the holder".into(), key: 'k' }],
        knobs: Vec::new(),
    };
    update(&mut model, Message::Lab(LabEvent::Started(started)));
    update(&mut model, Message::Lab(LabEvent::VariantStarted { variant: 0 }));
    for n in 0..40u64 {
        update(&mut model, Message::Lab(LabEvent::Sample(sample(0, n))));
    }
    let mark = LabEvent::Mark { at: Duration::from_secs(2), variant: 0, label: "kill".into() };
    update(&mut model, Message::Lab(mark));
    model
}

fn sample(variant: usize, n: u64) -> Sample {
    Sample {
        variant,
        at: Duration::from_millis(100 * (n + 1)),
        warmup: false,
        operations: 50,
        hits: 40 + n % 10,
        misses: 10,
        stale: 0,
        errors: 0,
        origin_calls: 10,
        origin_peak: 2 + n % 4,
        late: 0,
        latency: Latency { p50: Some(0.4), p99: Some(3.0 + n as f64), p999: None },
        extra: vec![(n % 5) as f64],
        server: ServerSample::default(),
    }
}

#[test]
fn lab_running() {
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("lab_{width}x{height}"), screen(&lab_model(width, height)));
    }
}

#[test]
fn a_fault_key_reaches_the_lab_and_leaving_asks() {
    let mut model = lab_model(80, 24);
    let effects = update(&mut model, key(KeyCode::Char('k')));
    let fault = cachelab::lab::LabCommand::Fault("kill".into());
    assert_eq!(effects, [Effect::Lab(fault)]);
    keys(&mut model, "qq");
    assert!(screen(&model).contains("the lab week2/locks is running"), "{}", screen(&model));
}

fn check_model(width: u16, height: u16) -> Model {
    let mut model = model(embedded(), width, height);
    let id = unit("week2/locks");
    go(&mut model, Route::Check(id.clone()));
    update(&mut model, key(KeyCode::Char('r')));
    update(&mut model, Message::Folder(id, Some("/home/me/locks".into())));
    let info = |id: &str, title: &str| CheckInfo { id: id.into(), title: title.into(), after: Vec::new() };
    let checks = vec![info("serves", "Sells what is there"), info("owner-release", "Nobody removes another's lock")];
    let started =
        CheckEvent::Started { exercise: "week2/locks".into(), folder: "/home/me/locks".into(), seed: 7, checks };
    update(&mut model, Message::Check(started));
    let step = |lane, text: &str, reply: Option<&str>, violates| TraceStep {
        lane,
        kind: if lane.is_some() { StepKind::Command } else { StepKind::Clock },
        text: text.into(),
        reply: reply.map(str::to_owned),
        note: None,
        violates,
    };
    let failure = Failure {
        why: "A removed the lock that was B's by then".into(),
        advice: "compare the value and delete in one step".into(),
        evidence: vec!["expected 1 holder, saw 2".into()],
        counterexample: Some(Counterexample {
            headline: "2 buyers, smallest found, replayed 3/3".into(),
            lanes: vec!["buyer A (instance 1)".into(), "buyer B (instance 2)".into()],
            steps: vec![
                step(Some(0), "SET lock a NX PX 500", Some("OK"), false),
                step(None, "the TTL of lock elapses", None, false),
                step(Some(1), "SET lock b NX PX 500", Some("OK"), false),
                step(Some(0), "DEL lock", Some("1"), true),
            ],
        }),
        looks_like: Some("DEL without asking whose lock it is".into()),
        replay: None,
        output: vec!["ready \u{1b}[31mred".into()],
    };
    let result = |check: &str, title: &str, verdict| CheckResult {
        check: check.into(),
        title: title.into(),
        verdict,
        took: Duration::from_millis(1200),
    };
    let results = vec![
        result("serves", "Sells what is there", Verdict::Pass { coverage: "12 sales".into() }),
        result("owner-release", "Nobody removes another's lock", Verdict::Fail(Box::new(failure))),
    ];
    for result in &results {
        update(&mut model, Message::Check(CheckEvent::CheckStarted { check: result.check.clone() }));
        update(&mut model, Message::Check(CheckEvent::CheckFinished { result: result.clone() }));
    }
    let report = Report {
        exercise: "week2/locks".into(),
        results,
        took: Duration::from_secs(3),
        server: "valkey 9.1.2".into(),
        seed: 7,
    };
    update(&mut model, Message::Check(CheckEvent::Finished { report }));
    update(&mut model, Message::CheckEnded);
    model
}

#[test]
fn check_failed() {
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("check_{width}x{height}"), screen(&check_model(width, height)));
    }
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal_raw() {
    for model in [check_model(120, 40), lab_model(80, 24)] {
        let drawn = screen(&model);
        assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'), "{drawn:?}");
    }
}

#[test]
fn every_screen_survives_every_size() {
    let mut lesson = model(course(), 80, 24);
    keys(&mut lesson, "g\n\t\t");
    let mut console = model(course(), 80, 24);
    keys(&mut console, "g\n:set a");
    let mut help = lab_model(80, 24);
    keys(&mut help, "?");
    let home = model(embedded(), 80, 24);
    for mut model in [home, lesson, console, lab_model(80, 24), check_model(80, 24), help] {
        for width in [1, 5, 19, 20, 21, 33, 59, 60, 99, 100, 130, 220] {
            for height in [1, 2, 4, 5, 6, 9, 13, 16, 24, 61] {
                update(&mut model, Message::Resize(width, height));
                screen(&model);
                update(&mut model, key(KeyCode::Char('j')));
                update(&mut model, key(KeyCode::PageDown));
                screen(&model);
            }
        }
    }
}

/// A world that answers effects with messages prepared beforehand, and notes them all.
#[derive(Default)]
struct Scripted {
    performed: Vec<Effect>,
    replies: VecDeque<Message>,
    suspended: usize,
}

impl World for Scripted {
    fn perform(&mut self, effect: Effect) {
        if effect == Effect::StartServer {
            self.replies.push_back(Message::ServerReady("valkey 9.1.2, private".into()));
        }
        self.performed.push(effect);
    }
    async fn next(&mut self) -> Message {
        match self.replies.pop_front() {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }
    fn try_next(&mut self) -> Option<Message> {
        self.replies.pop_front()
    }
    fn suspend(&mut self) -> io::Result<()> {
        self.suspended += 1;
        Ok(())
    }
}

/// Runs the loop over scripted input, each item after a pause; the input's end ends it.
async fn run(input: Vec<Message>) -> (Model, Scripted, Terminal<TestBackend>) {
    let mut model = model(course(), 80, 24);
    let mut world = Scripted::default();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test backend");
    let input = stream::unfold(input.into_iter(), async |mut rest| {
        tokio::time::sleep(Duration::from_millis(40)).await;
        rest.next().map(|message| (Ok(message), rest))
    });
    let mut input = Box::pin(input);
    let ended =
        tokio::time::timeout(Duration::from_secs(20), event_loop(&mut terminal, &mut model, &mut input, &mut world));
    ended.await.expect("the loop ends").expect("without an error");
    (model, world, terminal)
}

#[tokio::test]
async fn the_loop_draws_starts_the_server_and_quits() {
    let (model, world, terminal) = run(vec![key(KeyCode::Char('j')), key(KeyCode::Char('q'))]).await;
    assert_eq!(world.performed, [Effect::StartServer, Effect::OpenConsole]);
    assert_eq!(model.home.at, 1);
    let top: String = (0..80).map(|x| terminal.backend().buffer()[(x, 0)].symbol()).collect();
    assert!(top.contains("valkey 9.1.2, private"), "{top}");
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_loop() {
    let (model, ..) = run(Vec::new()).await;
    assert_eq!(model.route, Route::Home);
}

#[tokio::test]
async fn a_suspend_and_a_signal_are_the_worlds_business() {
    let stop = Message::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL));
    let (_, world, _) = run(vec![stop, Message::Terminate]).await;
    assert_eq!(world.suspended, 1);
}

/// Counts frames: an idle loop must not draw.
struct Counting(TestBackend, std::rc::Rc<std::cell::Cell<usize>>);

impl ratatui::backend::Backend for Counting {
    type Error = core::convert::Infallible;
    fn draw<'a, I>(&mut self, content: I) -> Result<(), Self::Error>
    where
        I: Iterator<Item = (u16, u16, &'a ratatui::buffer::Cell)>,
    {
        self.1.set(self.1.get() + 1);
        self.0.draw(content)
    }
    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.0.hide_cursor()
    }
    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.0.show_cursor()
    }
    fn get_cursor_position(&mut self) -> Result<ratatui::layout::Position, Self::Error> {
        self.0.get_cursor_position()
    }
    fn set_cursor_position<P: Into<ratatui::layout::Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.0.set_cursor_position(position)
    }
    fn clear(&mut self) -> Result<(), Self::Error> {
        self.0.clear()
    }
    fn clear_region(&mut self, kind: ratatui::backend::ClearType) -> Result<(), Self::Error> {
        self.0.clear_region(kind)
    }
    fn size(&self) -> Result<ratatui::layout::Size, Self::Error> {
        self.0.size()
    }
    fn window_size(&mut self) -> Result<ratatui::backend::WindowSize, Self::Error> {
        self.0.window_size()
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush()
    }
}

#[tokio::test]
async fn idle_draws_nothing_and_a_burst_is_one_frame_each_16_ms() {
    let frames = std::rc::Rc::new(std::cell::Cell::new(0));
    let mut terminal = Terminal::new(Counting(TestBackend::new(80, 24), frames.clone())).expect("a backend");
    let mut model = model(course(), 80, 24);
    let mut world = Scripted::default();
    // Two hundred keys at once, then half a second of nothing.
    let burst = (0..200).map(|n| Ok(key(KeyCode::Char(if n % 2 == 0 { 'j' } else { 'k' }))));
    let rest = stream::once(async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(key(KeyCode::Char('q')))
    });
    let mut input = Box::pin(futures_util::StreamExt::chain(stream::iter(burst.collect::<Vec<_>>()), rest));
    event_loop(&mut terminal, &mut model, &mut input, &mut world).await.expect("ends");
    assert!(frames.get() <= 12, "{} frames for two hundred keys and a pause", frames.get());
}
