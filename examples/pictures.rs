//! Makes the README's pictures from the real program: drives the binary in a pseudo-terminal and
//! draws the cells it shows as SVG.
//!
//! `cargo build && cargo run --example pictures` writes `assets/pictures/*.svg`.

#[path = "../tests/support/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::{fmt::Write as _, fs, path::PathBuf};

use pty::{Start, Terminal};
use unicode_width::UnicodeWidthStr;

const CELL: (f64, f64) = (8.4, 17.0);
/// The sixteen named colours of a calm dark terminal; a picture has to choose some.
const NAMED: [&str; 16] = [
    "#24273a", "#ed8796", "#a6da95", "#eed49f", "#8aadf4", "#c6a0f6", "#8bd5ca", "#cad3f5", "#6e738d", "#ed8796",
    "#a6da95", "#eed49f", "#8aadf4", "#c6a0f6", "#8bd5ca", "#ffffff",
];
const INK: &str = "#cad3f5";
const PAPER: &str = "#181926";

fn colour(colour: vt100::Color) -> Option<String> {
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Idx(n) if n < 16 => Some(NAMED[usize::from(n)].to_owned()),
        vt100::Color::Idx(n) if n < 232 => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        vt100::Color::Idx(n) => {
            let grey = 8 + (n - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        vt100::Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cell_svg(cell: &vt100::Cell, row: u16, col: u16, svg: &mut String) {
    let (mut ink, mut paper) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    if cell.inverse() {
        (ink, paper) = (Some(paper.unwrap_or(PAPER.into())), Some(ink.unwrap_or(INK.into())));
    }
    let (x, y) = (f64::from(col) * CELL.0, f64::from(row) * CELL.1);
    let text = cell.contents();
    if let Some(paper) = paper {
        let width = CELL.0 * text.width().max(1) as f64 + 0.3;
        let _ = writeln!(
            svg,
            r#"<rect x="{x:.1}" y="{:.1}" width="{width:.1}" height="{}" fill="{paper}"/>"#,
            y + 3.0,
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let mut style = String::new();
    if cell.bold() {
        style.push_str(r#" font-weight="bold""#);
    }
    if cell.italic() {
        style.push_str(r#" font-style="italic""#);
    }
    if cell.underline() {
        style.push_str(r#" text-decoration="underline""#);
    }
    if cell.dim() {
        style.push_str(r#" opacity="0.65""#);
    }
    let ink = ink.unwrap_or(INK.into());
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{:.1}" fill="{ink}"{style}>{}</text>"#, y + 16.0, escape(text));
}

fn picture(screen: &vt100::Screen) -> String {
    let (rows, cols) = screen.size();
    let (width, height) = (f64::from(cols.get()) * CELL.0, f64::from(rows.get()) * CELL.1 + 8.0);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14"><rect width="100%" height="100%" rx="6" fill="{PAPER}"/>
"#
    );
    for row in 0..rows.get() {
        for col in 0..cols.get() {
            if let Some(cell) = screen.cell(row, col) {
                cell_svg(cell, row, col, &mut svg);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A folder of its own for the walk through the program; removed at the end.
struct Walk {
    dir: tempfile::TempDir,
    binary: PathBuf,
}

impl Walk {
    fn new() -> Self {
        // target/PROFILE/examples/pictures: the binary is one level up.
        let example = std::env::current_exe().expect("we are a file");
        let binary = example.ancestors().nth(2).expect("three folders deep").join("cachelab");
        assert!(binary.exists(), "build it first: cargo build");
        Self { dir: tempfile::tempdir().expect("a temporary folder"), binary }
    }

    /// Opens the program in 120×40 and goes to `week2/locks` on the home screen.
    fn open(&self) -> Terminal {
        let mut terminal = Terminal::start(&Start {
            binary: self.binary.clone(),
            args: &[],
            env: &[("COLORTERM", "truecolor")],
            home: self.dir.path().join("home"),
            dir: Some(self.dir.path().to_path_buf()),
            rows: 40,
            cols: 120,
        });
        terminal.wait_for("private");
        terminal.keys("\x1b[B\x1b[B");
        terminal.wait_for("turn away whoever");
        terminal
    }
}

fn save(name: &str, terminal: &Terminal) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/pictures").join(name);
    fs::write(&path, terminal.with_screen(picture)).expect("the picture can be written");
    println!("{}", path.display());
}

/// The lesson with a block that ran, then the lab near its end.
fn lesson_and_lab(walk: &Walk) {
    let mut terminal = walk.open();
    terminal.keys("\r");
    terminal.wait_for("GitHub");
    terminal.keys("\t\r");
    terminal.wait_for("ran as written");
    save("lesson.svg", &terminal);
    terminal.keys("l");
    terminal.wait_for("start");
    terminal.keys("\r");
    let running = std::time::Instant::now();
    terminal.wait_until("the first variant", |text| text.contains("running"));
    // The last of six variants of 8 s each, half way.
    while running.elapsed().as_secs() < 45 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    save("lab.svg", &terminal);
    terminal.keys("x");
}

/// A program that releases with a plain DEL, and what the check shows of it.
fn check(walk: &Walk) {
    let wrong = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("labs/week2/locks/wrong/unconditional-del");
    let folder = walk.dir.path().join("week2-locks");
    fs::create_dir_all(&folder).expect("a folder");
    for file in fs::read_dir(wrong).expect("the program is there").flatten() {
        fs::copy(file.path(), folder.join(file.file_name())).expect("it can be copied");
    }
    let mut terminal = walk.open();
    terminal.keys("c");
    terminal.wait_for("How to start");
    terminal.keys("r");
    terminal.wait_for("replayed 3/3");
    terminal.keys("\r");
    terminal.wait_for("answer");
    save("check.svg", &terminal);
}

fn main() {
    let walk = Walk::new();
    check(&walk);
    lesson_and_lab(&walk);
}
