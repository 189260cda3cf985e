//! A check for machines: one JSON object, JUnit XML, GitHub workflow commands.

use std::io::{self, Write};

use serde_json::json;

use super::End;
use crate::check::{
    Failure, Verdict,
    lanes::{self, Drawing},
};

/// `schema` rises when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// One object: `{"schema":1,"exit_code":…,"report":{…}}` or `{"schema":1,"exit_code":…,"aborted":{…}}`.
pub(super) fn json(out: &mut dyn Write, end: &End) -> io::Result<()> {
    let value = match end {
        End::Report(report) => {
            json!({ "schema": SCHEMA, "exit_code": report.exit_code(), "passed": report.passed(), "report": report })
        }
        End::Aborted { ours, text, output } => {
            let code = if *ours { 3 } else { 1 };
            json!({ "schema": SCHEMA, "exit_code": code, "passed": false, "aborted": { "ours": ours, "text": text, "output": output } })
        }
        End::Cancelled => {
            json!({ "schema": SCHEMA, "exit_code": 130, "passed": false, "aborted": { "ours": false, "text": "cancelled", "output": [] } })
        }
    };
    writeln!(out, "{value:#}")
}

/// A test suite with one case a check.
pub(super) fn junit(out: &mut dyn Write, end: &End) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let End::Report(report) = end else {
        let (text, output) = aborted(end);
        writeln!(out, "<testsuites><testsuite name=\"cachelab\" tests=\"1\" errors=\"1\"><testcase name=\"start\">")?;
        writeln!(out, "<error message=\"{}\">{}</error>", escape(&text), escape(&output.join("\n")))?;
        return writeln!(out, "</testcase></testsuite></testsuites>");
    };
    let count = |f: fn(&Verdict) -> bool| report.results.iter().filter(|r| f(&r.verdict)).count();
    writeln!(
        out,
        "<testsuites><testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        escape(&report.exercise),
        report.results.len(),
        count(|v| matches!(v, Verdict::Fail(_))),
        count(|v| matches!(v, Verdict::Broken { .. } | Verdict::Inconclusive { .. })),
        count(|v| matches!(v, Verdict::Skipped { .. })),
        report.took.as_secs_f64()
    )?;
    for result in &report.results {
        let name = escape(&format!("{}: {}", result.check, result.title));
        let class = escape(&report.exercise);
        write!(out, "<testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\">", result.took.as_secs_f64())?;
        match &result.verdict {
            Verdict::Pass { coverage } => write!(out, "<system-out>{}</system-out>", escape(coverage))?,
            Verdict::Fail(failure) => {
                write!(out, "<failure message=\"{}\">{}</failure>", escape(&failure.why), escape(&told(failure)))?;
            }
            Verdict::Inconclusive { reason } => {
                write!(out, "<error type=\"inconclusive\" message=\"{}\"/>", escape(reason))?;
            }
            Verdict::Skipped { because } => write!(out, "<skipped message=\"{}\"/>", escape(because))?,
            Verdict::Broken { reason, output } => {
                write!(
                    out,
                    "<error type=\"broken\" message=\"{}\">{}</error>",
                    escape(reason),
                    escape(&output.join("\n"))
                )?;
            }
        }
        writeln!(out, "</testcase>")?;
    }
    writeln!(out, "</testsuite></testsuites>")
}

/// One annotation for each check that did not pass.
pub(super) fn github(out: &mut dyn Write, end: &End) -> io::Result<()> {
    let line = |kind: &str, title: &str, text: &str| format!("::{kind} title={}::{}", property(title), data(text));
    let End::Report(report) = end else {
        return writeln!(out, "{}", line("error", "cachelab check", &aborted(end).0));
    };
    for result in &report.results {
        let title = format!("{}#{}", report.exercise, result.check);
        match &result.verdict {
            Verdict::Pass { .. } => {}
            Verdict::Fail(failure) => {
                writeln!(out, "{}", line("error", &title, &format!("{}\n{}", failure.why, told(failure))))?;
            }
            Verdict::Broken { reason, .. } => writeln!(out, "{}", line("error", &title, reason))?,
            Verdict::Inconclusive { reason } => writeln!(out, "{}", line("warning", &title, reason))?,
            Verdict::Skipped { because } => {
                writeln!(out, "{}", line("notice", &title, &format!("skipped: {because}")))?;
            }
        }
    }
    let passed = report.results.iter().filter(|r| matches!(r.verdict, Verdict::Pass { .. })).count();
    writeln!(out, "{}: {passed} of {} checks passed", report.exercise, report.results.len())
}

fn aborted(end: &End) -> (String, Vec<String>) {
    match end {
        End::Aborted { text, output, .. } => (text.clone(), output.clone()),
        _ => ("cancelled".to_owned(), Vec::new()),
    }
}

/// Evidence, lanes and advice as text.
fn told(failure: &Failure) -> String {
    let mut text = failure.evidence.join("\n");
    if let Some(example) = &failure.counterexample {
        let drawn = lanes::draw(example, Drawing { width: 118, ascii: true });
        text = format!("{text}\n{}\n{}", example.headline, lanes::plain(&drawn));
    }
    format!("{text}\nTry: {}", failure.advice).trim().to_owned()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no way to write the other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::{CheckResult, Report};

    fn report() -> End {
        let result = |check: &str, verdict| CheckResult {
            check: check.into(),
            title: "a <title> & more".into(),
            verdict,
            took: Duration::from_millis(1500),
        };
        End::Report(Report {
            exercise: "week2/locks".into(),
            results: vec![
                result("serves", Verdict::Pass { coverage: "9 sales".into() }),
                result(
                    "expiry",
                    Verdict::Broken { reason: "said \"500\"\n\u{1b}[31m".into(), output: vec!["Traceback".into()] },
                ),
                result("fencing", Verdict::Skipped { because: "expiry did not pass".into() }),
            ],
            took: Duration::from_secs(2),
            server: "valkey 9.1.2, private".into(),
            seed: 7,
        })
    }

    fn written(write: impl Fn(&mut dyn Write, &End) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out, &report()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_a_schema_and_the_exit_code() {
        let value: serde_json::Value = serde_json::from_str(&written(json)).unwrap();
        assert_eq!((value["schema"].as_u64(), value["exit_code"].as_u64()), (Some(1), Some(1)));
        assert_eq!(value["report"]["results"][1]["verdict"]["verdict"], "broken");
    }

    #[test]
    fn junit_escapes_and_counts() {
        let text = written(junit);
        assert!(text.contains("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"1\""), "{text}");
        assert!(text.contains("a &lt;title&gt; &amp; more") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn github_annotations_are_one_line_each() {
        let text = written(github);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("::error title=week2/locks#expiry::said \"500\"%0A"), "{text}");
    }
}
