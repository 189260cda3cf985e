//! The import rule at the top of `src/lib.rs`, held for every file of `src/`.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const BASE: &[&str] = &["resp", "process", "stats", "clock", "diagnostic"];
const MACHINERY: &[&str] = &["proxy", "server", "workload", "origin"];
const DOMAIN: &[&str] = &["lab", "check", "console", "progress"];
const FRONT_ENDS: &[&str] = &["cli", "tui"];

/// Crates with one home: the crate as it is named in code, the folders (or files) that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("reedline", &["cli/console"]),
    ("testcontainers", &["server"]),
    ("syntect", &["tui/widget"]),
    ("pulldown_cmark", &["course"]),
    ("include_dir", &["course"]),
];

/// The top-level modules that a top-level module may use beside itself.
fn allowed(module: &str) -> Vec<&'static str> {
    let all = [BASE, MACHINERY, DOMAIN, FRONT_ENDS, &["course", "pattern"]].concat();
    match module {
        "tui" => all.into_iter().filter(|m| *m != "cli").collect(),
        // But for the one call that opens the TUI, see `tui_is_opened_in_one_place`.
        "cli" | "lib" | "main" => all,
        "course" => vec!["diagnostic"],
        "pattern" => [BASE, &["origin"]].concat(),
        m if DOMAIN.contains(&m) => [BASE, MACHINERY, &["course", "pattern"]].concat(),
        m if MACHINERY.contains(&m) => BASE.to_vec(),
        _ => Vec::new(),
    }
}

/// A source file: its path below `src`, with `/`, and its text.
type Source = (String, String);

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((below, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Line comments out (doc comments link to everything); so are strings, which may quote code.
fn code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut before = ' ';
        for (at, c) in line.char_indices() {
            if !in_string && line[at..].starts_with("//") {
                break;
            }
            if c == '"' && before != '\\' && before != '\'' {
                in_string = !in_string;
            }
            if !in_string && c != '"' {
                out.push(c);
            }
            before = c;
        }
        out.push('\n');
    }
    out
}

/// First names after `prefix`, also in groups: `crate::{a, b::{c, d}}` names a and b.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == ':' {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_names(group)),
            None => names.extend(Some(identifier(rest)).filter(|name| !name.is_empty())),
        }
    }
    names
}

fn group_names(group: &str) -> Vec<String> {
    let (mut depth, mut item, mut names) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(std::mem::take(&mut item).trim())),
            _ => {}
        }
        if depth == 0 && c != ',' {
            item.push(c);
        }
    }
    names.push(identifier(item.trim()));
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Everything a file names of this crate, by top-level module.
fn imports(path: &str, code: &str) -> BTreeSet<String> {
    let mut names = names_after(code, "crate::");
    names.extend(names_after(code, "cachelab::"));
    // `super` as often as the file is deep leads to the root as well.
    let depth = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").split('/').count();
    names.extend(names_after(code, &"super::".repeat(depth)));
    names
}

fn violations(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<_> = sources.iter().map(|(path, _)| module_of(path)).collect();
    let mut found = Vec::new();
    for (path, text) in sources {
        let (module, code) = (module_of(path), code(text));
        let allowed = allowed(&module);
        for name in imports(path, &code) {
            if modules.contains(&name) && name != module && !allowed.contains(&name.as_str()) {
                found.push(format!("src/{path}: {module} must not use {name}"));
            }
        }
        for (krate, homes) in HOMES {
            let home = homes.iter().any(|home| path.starts_with(&format!("{home}/")) || *path == format!("{home}.rs"));
            let named = code.contains(&format!("{krate}::")) && !names_after(&code, &format!("{krate}::")).is_empty();
            if named && !home {
                found.push(format!("src/{path}: {krate} is at home in {}", homes.join(", ")));
            }
        }
    }
    found
}

fn module_of(path: &str) -> String {
    path.split('/').next().unwrap_or("").trim_end_matches(".rs").to_owned()
}

#[test]
fn every_file_keeps_the_import_rule() {
    let found = violations(&sources());
    assert!(found.is_empty(), "the import rule is at the top of src/lib.rs:\n{}", found.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let known = [BASE, MACHINERY, DOMAIN, FRONT_ENDS, &["course", "pattern", "lib", "main"]].concat();
    let modules: BTreeSet<_> = sources().iter().map(|(path, _)| module_of(path)).collect();
    let strangers: Vec<_> = modules.iter().filter(|m| !known.contains(&m.as_str())).collect();
    assert!(strangers.is_empty(), "give {strangers:?} a layer in src/lib.rs and here");
}

#[test]
fn tui_is_opened_in_one_place() {
    let uses = |path: &str, text: &str| path.starts_with("cli/") && imports(path, &code(text)).contains("tui");
    let files: Vec<_> = sources().into_iter().filter(|(path, text)| uses(path, text)).map(|(path, _)| path).collect();
    assert_eq!(files, ["cli/mod.rs"]);
}

#[test]
fn a_broken_rule_is_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let world = [file("server/mod.rs", ""), file("check/mod.rs", ""), file("tui/mod.rs", "use ratatui::Frame;")];
    let cases = [
        ("lab/run.rs", "use crate::check::Verdict;", "lab must not use check"),
        ("lab/run.rs", "use crate::{\n    course::UnitId,\n    check::{self, Verdict},\n};", "lab must not use check"),
        ("lab/run.rs", "fn f() { super::super::check::start() }", "lab must not use check"),
        ("course/mod.rs", "use crate::server::Endpoint;", "course must not use server"),
        ("resp/mod.rs", "use crate::server::Endpoint;", "resp must not use server"),
        ("server/mod.rs", "use crate::tui::run;", "server must not use tui"),
        ("cli/list.rs", "use ratatui::Frame;", "ratatui is at home in tui"),
        ("cli/read.rs", "let p = pulldown_cmark::Parser::new(text);", "pulldown_cmark is at home in course"),
    ];
    for (path, text, expected) in cases {
        let sources = [&world[..], &[file(path, text)]].concat();
        assert_eq!(violations(&sources), [format!("src/{path}: {expected}")], "{text}");
    }
    let kept = [
        (
            "lab/run.rs",
            "//! [`crate::check`]\nuse crate::{course::UnitId, server::Endpoint};\nlet s = \"crate::check::x\";",
        ),
        ("cli/check.rs", "use crate::{check::start, server};"),
        ("check/run.rs", "use super::Verdict; mod tests { use super::super::Verdict; }"),
    ];
    for (path, text) in kept {
        assert_eq!(violations(&[&world[..], &[file(path, text)]].concat()), Vec::<String>::new(), "{text}");
    }
}
