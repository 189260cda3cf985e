//! What a frame costs: the reader and the lab at 80×24 and 200×60, and all that happens up to the first frame.
//!
//! `cargo bench --bench tui`. Figures and machine: benches/README.md.

use std::{hint::black_box, sync::Arc, time::Duration};

use cachelab::{
    course::{Course, UnitId},
    lab::{ExtraMetric, LabEvent, LabStarted, Latency, Sample, ServerSample, VariantInfo},
    progress::Progress,
    tui::{
        message::Message,
        model::{Model, Route},
        theme::Theme,
        update::{go, update},
        view::view,
    },
};
use criterion::{Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

fn key(code: KeyCode) -> Message {
    Message::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn locks() -> UnitId {
    "week2/locks".parse().expect("a unit id")
}

fn model(course: &Arc<Course>, size: (u16, u16)) -> Model {
    Model::new(Arc::clone(course), Progress::default(), Theme::default(), size)
}

fn lesson(course: &Arc<Course>, size: (u16, u16)) -> Model {
    let mut model = model(course, size);
    go(&mut model, Route::Lesson(locks()));
    model
}

/// Six variants of eight seconds, ten samples a second each, all drawn.
fn lab(course: &Arc<Course>, size: (u16, u16)) -> Model {
    let mut model = model(course, size);
    go(&mut model, Route::Lab(locks()));
    update(&mut model, key(KeyCode::Enter));
    let extra = |name: &str| ExtraMetric { name: name.into(), label: name.into(), unit: String::new() };
    let started = LabStarted {
        id: "week2/locks".into(),
        title: "Locks".into(),
        question: "?".into(),
        variants: (0..6).map(|n| VariantInfo { name: format!("v{n}"), label: format!("variant {n}") }).collect(),
        duration: Duration::from_secs(8),
        origin_capacity: Some(4),
        connections: "own connections (6)".into(),
        server: "valkey 9.1.2, private".into(),
        workload: "closed loop, 6 clients".into(),
        extra: vec![extra("overlaps"), extra("stale_writes")],
        faults: Vec::new(),
        knobs: Vec::new(),
    };
    update(&mut model, Message::Lab(LabEvent::Started(started)));
    for variant in 0..6 {
        update(&mut model, Message::Lab(LabEvent::VariantStarted { variant }));
        for n in 0..80 {
            update(&mut model, Message::Lab(LabEvent::Sample(sample(variant, n))));
        }
    }
    model
}

fn sample(variant: usize, n: u64) -> Sample {
    let wave = (n * (variant as u64 + 3)) % 17;
    Sample {
        variant,
        at: Duration::from_millis(100 * (n + 1)),
        warmup: false,
        operations: 500,
        hits: 400 + wave,
        misses: 20,
        stale: 0,
        errors: 0,
        origin_calls: 20,
        origin_peak: 1 + wave,
        late: 0,
        latency: Latency { p50: Some(0.3 + wave as f64 / 10.0), p99: Some(3.0 + wave as f64), p999: None },
        extra: vec![wave as f64, (wave / 2) as f64],
        server: ServerSample::default(),
    }
}

/// Puts a screen into the state that is measured.
type Make = fn(&Arc<Course>, (u16, u16)) -> Model;

fn frames(c: &mut Criterion) {
    let course = Arc::new(Course::embedded().expect("the course is valid"));
    let screens: [(&str, Make); 3] = [("home", model), ("lesson", lesson), ("lab", lab)];
    for (name, make) in screens {
        for size in SIZES {
            let model = make(&course, size);
            let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a test backend");
            c.bench_function(&format!("frame/{name}/{}x{}", size.0, size.1), |b| {
                b.iter(|| terminal.draw(|frame| view(black_box(&model), frame)).expect("draws").count);
            });
        }
    }
}

/// Scrolling one line, and answering a question: update with a new layout, then the frame.
fn keys(c: &mut Criterion) {
    let course = Arc::new(Course::embedded().expect("the course is valid"));
    let mut model = lesson(&course, (200, 60));
    c.bench_function("key/scroll/200x60", |b| {
        let mut down = true;
        b.iter(|| {
            down = !down;
            update(&mut model, key(KeyCode::Char(if down { 'j' } else { 'k' })))
        });
    });
    let mut wide = true;
    c.bench_function("layout/lesson/resize", |b| {
        b.iter(|| {
            wide = !wide;
            update(&mut model, Message::Resize(if wide { 200 } else { 90 }, 60))
        });
    });
}

/// From nothing to the first frame, without the process's own start: course, model, frame.
fn first_frame(c: &mut Criterion) {
    c.bench_function("first-frame/80x24", |b| {
        b.iter(|| {
            let course = Arc::new(Course::embedded().expect("the course is valid"));
            let model = model(&course, (80, 24));
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test backend");
            terminal.draw(|frame| view(&model, frame)).expect("draws").count
        });
    });
}

criterion_group!(benches, frames, keys, first_frame);
criterion_main!(benches);
