//! Makes the README's pictures from the real program: drives the binary in a pseudo-terminal and
//! draws the cells it shows as SVG.
//!
//! `cargo build --release && cargo run --example pictures` writes `assets/pictures/*.svg`.

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

fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let binary = root.join("target/release/cachelab");
    assert!(binary.exists(), "build it first: cargo build --release");
    let home = std::env::temp_dir().join(format!("cachelab-pictures-{}", std::process::id()));
    let save = |name: &str, terminal: &Terminal| {
        let svg = terminal.with_screen(picture);
        fs::write(root.join("assets/pictures").join(name), svg).expect("the picture can be written");
        println!("assets/pictures/{name}");
    };
    let terminal = Terminal::start(&Start { binary, args: &[], env: &[], home: home.clone(), rows: 40, cols: 120 });
    terminal.wait_for("week");
    save("home.svg", &terminal);
    drop(terminal);
    let _ = fs::remove_dir_all(home);
}
