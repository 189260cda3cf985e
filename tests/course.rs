//! The course: what is embedded is valid, and every mistake an author can make is named with its place.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use cachelab::course::{
    Course, ProgramKind,
    starter::{self, Written},
    validate::{Severity, validate},
};
use rstest::rstest;

fn fixture() -> Course {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course");
    Course::load(&folder).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|m| m.render(false)).collect::<Vec<_>>().join("\n"))
    })
}

#[test]
fn the_fixture_parses_into_the_model() {
    let course = fixture();
    let ids: Vec<_> = course.units().map(|unit| unit.id.to_string()).collect();
    assert_eq!(ids, ["week1/first", "week1/second"]);
    let first = &course.weeks[0].units[0].lesson;
    assert_eq!(
        first.headings().map(|(_, level, text)| (level, text)).collect::<Vec<_>>(),
        [(2, "The idea".to_owned()), (3, "Try it".to_owned())]
    );
    let block = first.redis_blocks().next().unwrap();
    assert_eq!((block.line, block.setup.as_slice()), (31, ["DEL greeting".to_owned()].as_slice()));
    assert_eq!(first.quizzes().map(|quiz| quiz.id.as_str()).collect::<Vec<_>>(), ["expiry", "count", "order", "both"]);
}

#[test]
fn the_embedded_course_is_valid_and_the_same_as_its_folder() {
    let embedded = Course::embedded().unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|m| m.render(false)).collect::<Vec<_>>().join("\n"))
    });
    let errors: Vec<_> = validate(&embedded)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.diagnostic.render(false))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let folder = Course::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(embedded.weeks, folder.weeks);
    let program = |course: &Course| {
        let unit = course.resolve("locks").unwrap();
        let exercise = unit.lab.as_ref().unwrap().exercise.as_ref().unwrap();
        let name = exercise.right[0].program.get_ref();
        course.program(&unit.id, ProgramKind::Right, name).unwrap()
    };
    assert_eq!(program(&embedded), program(&folder));
    assert!(program(&embedded).iter().any(|(path, _)| path == "cachelab.toml"));
}

/// A course of one unit with that lesson, in a folder that goes with the value.
fn course_of(lesson: &str) -> (tempfile::TempDir, Result<Course, Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let week = folder.path().join("lessons/week1");
    fs::create_dir_all(&week).unwrap();
    fs::write(week.join("week.toml"), "title = \"W\"\nsummary = \"S\"\nunits = [\"a\"]\n").unwrap();
    fs::write(week.join("a.md"), lesson).unwrap();
    let course = Course::load(folder.path()).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect());
    (folder, course)
}

/// Front matter of five lines, so that the body begins on line 6.
fn lesson_of(body: &str) -> String {
    format!("+++\ntitle = \"T\"\nsummary = \"S\"\nminutes = 5\n+++\n{body}")
}

#[rstest]
#[case::no_front_matter("# T\n", "1:1: expected front matter: a first line of +++")]
#[case::front_matter_not_closed("+++\ntitle = \"T\"\n", "1:1: the front matter has no closing line of +++")]
#[case::front_matter_field_missing("+++\ntitle = \"T\"\nsummary = \"S\"\n+++\ntext\n", "2:1: missing field `minutes`")]
#[case::front_matter_field_unknown(
    "+++\ntitle = \"T\"\nsummary = \"S\"\nminuets = 5\n+++\ntext\n",
    "4:1: unknown field `minuets`, expected one of `title`, `summary`, `minutes`, `prerequisites`"
)]
#[case::front_matter_not_toml("+++\ntitle = T\n+++\ntext\n", "2:9: invalid boolean, expected `true`")]
#[case::title_empty("+++\ntitle = \" \"\nsummary = \"S\"\nminutes = 5\n+++\ntext\n", "2:9: title must not be empty")]
#[case::prerequisite_not_an_id(
    "+++\ntitle = \"T\"\nsummary = \"S\"\nminutes = 5\nprerequisites = [\"locks\"]\n+++\ntext\n",
    "5:18: \"locks\" is not a unit id; one looks like week2/locks"
)]
fn front_matter_mistakes_are_named(#[case] lesson: &str, #[case] expected: &str) {
    let mistakes = course_of(lesson).1.unwrap_err();
    assert_eq!(mistakes, [format!("lessons/week1/a.md:{expected}")]);
}

#[rstest]
#[case::empty("\n", "6:1: the lesson has no text")]
#[case::title_as_heading("# A title\n", "6:1: a heading of level 1")]
#[case::level_skipped("## A\n\n#### B\n", "8:1: heading of level 4 under one of level 2")]
#[case::heading_twice("## A\n\n## A\n", "8:1: a second heading \"A\"")]
#[case::heading_in_quote("> ## A\n", "6:3: a heading inside a list or quote")]
#[case::html("A <b>word</b>\n", "6:3: HTML is not shown in a terminal; write `<…>` as code, or \\<")]
#[case::html_block("<div>\nx\n</div>\n", "6:1: HTML is not shown in a terminal; write `<…>` as code, or \\<")]
#[case::image("![alt](x.png)\n", "6:1: images can't be shown in a terminal; draw it in a code fence")]
#[case::fence_not_closed("```python\nx = 1\n", "6:1: this fence is never closed")]
#[case::fence_attribute("```redis +exec\nPING\n```\n", "6:10: unknown fence attribute \"+exec\"")]
#[case::code_attribute("```python title=x\nx = 1\n```\n", "6:11: unknown fence attribute \"title=x\"")]
#[case::fence_misspelt("```quizz\nid = 1\n```\n", "6:1: unknown fence \"quizz\"")]
#[case::redis_in_list("- a\n\n  ```redis\n  PING\n  ```\n", "8:3: a redis block inside a list or quote")]
#[case::redis_empty("```redis\n\n```\n", "6:1: a redis block without a command")]
#[case::reply_first("```redis\n#> OK\nPING\n```\n", "7:1: an expected reply before any command")]
#[case::quote_open("```redis\nSET a \"b\n```\n", "7:1: a \" that is never closed")]
#[case::quote_glued("```redis\nPING\nSET a \"b\"c\n```\n", "8:1: text right after a closing \"")]
#[case::setup_late("```redis\nPING\n#! setup: DEL a\n```\n", "8:1: a setup command after the first command")]
#[case::directive("```redis\n#! set-up: DEL a\nPING\n```\n", "7:1: unknown directive \"set-up: DEL a\"")]
#[case::annotation("```redis\n# a remark\nPING\n```\n", "7:1: unknown annotation \"# a remark\"")]
#[case::pattern("```redis\nPING\n#~ PONG\n```\n", "8:1: a pattern without a placeholder")]
#[case::lab_without_unit("```lab\n```\n", "6:1: a lab fence names one unit")]
#[case::lab_with_text("```lab week1/a\ntext\n```\n", "7:1: a lab fence has no content")]
#[case::lab_bad_id("```lab locks\n```\n", "6:1: \"locks\" is not a unit id; one looks like week2/locks")]
#[case::predict_metric(
    "```predict\nid = \"p\"\nquestion = \"Q?\"\nmetric = \"overlaps\"\n```\n",
    "9:10: a metric without a variant"
)]
fn mistakes_in_the_text_are_named(#[case] body: &str, #[case] expected: &str) {
    let mistakes = course_of(&lesson_of(body)).1.unwrap_err();
    assert_eq!(mistakes, [format!("lessons/week1/a.md:{expected}")]);
}

/// Lines 6 to 11 of the lesson; choices follow.
fn quiz_of(kind: &str, rest: &str) -> String {
    lesson_of(&format!(
        "```quiz\nid = \"q\"\nkind = \"{kind}\"\nquestion = \"Q?\"\nexplanation = \"E.\"\n\n{rest}```\n"
    ))
}

const RIGHT: &str = "[[choices]]\ntext = \"r\"\ncorrect = true\n";
const WRONG: &str = "[[choices]]\ntext = \"w\"\nbecause = \"b\"\n";

#[rstest]
#[case::kind("best", "", "8:8: unknown variant `best`, expected one of `single`, `multiple`, `ordering`, `numeric`")]
#[case::one_choice("single", RIGHT, "8:8: a quiz needs at least two [[choices]]")]
#[case::none_right("single", &format!("{WRONG}{WRONG}"), "8:8: a single-choice quiz has one correct choice, this one has 0")]
#[case::both_right("single", &format!("{RIGHT}{RIGHT}"), "8:8: a single-choice quiz has one correct choice, this one has 2")]
#[case::multiple_none("multiple", &format!("{WRONG}{WRONG}"), "8:8: no choice is correct")]
#[case::not_explained(
    "single", &format!("{RIGHT}[[choices]]\ntext = \"w\"\n"), "16:8: a wrong choice without an explanation"
)]
#[case::ordered("ordering", &format!("{RIGHT}{WRONG}"), "8:8: an ordering has no correct choice")]
#[case::no_answer("numeric", "", "8:8: a numeric quiz needs answer and tolerance")]
#[case::tolerance("numeric", "answer = 2\ntolerance = 5\n", "13:13: expected a share from 0 to 1")]
#[case::answer_of_choices("single", &format!("answer = 2\n{RIGHT}{WRONG}"), "12:10: only a numeric quiz has answer, tolerance and unit")]
#[case::unknown_field("single", &format!("{RIGHT}because_of = \"x\"\n{WRONG}"), "15:1: unknown field `because_of`, expected one of `text`, `correct`, `because`")]
#[case::not_a_paragraph("single", &format!("{RIGHT}[[choices]]\ntext = \"# w\"\nbecause = \"b\"\n"), "16:8: expected one paragraph of text, without headings, lists or fences")]
fn quiz_mistakes_are_named(#[case] kind: &str, #[case] rest: &str, #[case] expected: &str) {
    let mistakes = course_of(&quiz_of(kind, rest)).1.unwrap_err();
    assert_eq!(mistakes, [format!("lessons/week1/a.md:{expected}")]);
}

#[test]
fn a_quiz_id_is_used_once() {
    let quiz = format!("id = \"q\"\nkind = \"single\"\nquestion = \"Q?\"\nexplanation = \"E.\"\n{RIGHT}{WRONG}");
    let mistakes = course_of(&lesson_of(&format!("```quiz\n{quiz}```\n\n```quiz\n{quiz}```\n"))).1.unwrap_err();
    assert_eq!(mistakes, ["lessons/week1/a.md:20:6: a second \"q\" in this lesson"]);
}

#[test]
fn every_mistake_of_a_lesson_is_told_at_once() {
    let mistakes = course_of(&lesson_of("# A\n\n```redis\n#> x\nPING\n```\n\n<b>\n")).1.unwrap_err();
    let lines: Vec<_> = mistakes.iter().map(|m| m.split(':').nth(1).unwrap().to_owned()).collect();
    assert_eq!(lines, ["6", "9", "13"]);
}

#[rstest]
#[case::unit_unknown("[x](week1/b)\n", "there is no unit week1/b")]
#[case::not_a_target("[x](a.md)\n", "\"a.md\" leads nowhere")]
#[case::heading_unknown("## One\n\n[x](#two)\n", "week1/a has no heading #two")]
#[case::lab_unknown("```lab week1/b\n```\n", "there is no unit week1/b")]
#[case::lab_missing("```lab week1/a\n```\n", "week1/a has no lab")]
#[case::predict_without_lab(
    "```predict\nid = \"p\"\nquestion = \"Q?\"\nmetric = \"a.p99\"\n```\n",
    "week1/a has no lab to predict"
)]
fn what_leads_nowhere_is_found(#[case] body: &str, #[case] expected: &str) {
    let (_folder, course) = course_of(&lesson_of(body));
    let errors = errors_of(&course.unwrap());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].ends_with(expected), "{errors:?}");
}

#[test]
fn prerequisites_exist_and_come_before() {
    for (id, expected) in [("week1/b", "there is no unit week1/b"), ("week1/a", "week1/a does not come before week1/a")]
    {
        let lesson = lesson_of("text\n").replace("minutes", &format!("prerequisites = [\"{id}\"]\nminutes"));
        let (_folder, course) = course_of(&lesson);
        assert_eq!(errors_of(&course.unwrap()), [format!("lessons/week1/a.md:4:18: {expected}")]);
    }
}

#[test]
fn files_and_lists_agree() {
    let (folder, course) = course_of(&lesson_of("text\n"));
    assert_eq!(errors_of(&course.unwrap()), Vec::<String>::new());
    fs::write(folder.path().join("lessons/week1/b.md"), lesson_of("text\n")).unwrap();
    fs::create_dir_all(folder.path().join("labs/week1/c")).unwrap();
    let errors = errors_of(&Course::load(folder.path()).unwrap());
    assert_eq!(
        errors,
        [
            "lessons/week1/week.toml:3:1: week1/b.md exists, but \"b\" is not listed",
            "lessons/week1/week.toml:3:1: week1/c/lab.toml exists, but \"c\" is not listed",
        ]
    );
    fs::write(
        folder.path().join("lessons/week1/week.toml"),
        "title = \"W\"\nsummary = \"S\"\nunits = [\"a\", \"d\", \"E\"]\n",
    )
    .unwrap();
    let mistakes: Vec<_> = Course::load(folder.path()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "lessons/week1/week.toml:3:15: lessons/week1/d.md is missing",
            "lessons/week1/week.toml:3:20: \"E\" is not a unit name: lower-case letters, digits, hyphens",
        ]
    );
}

#[test]
fn a_folder_without_lessons_is_no_course() {
    let folder = tempfile::tempdir().unwrap();
    let mistakes: Vec<_> = Course::load(folder.path()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(mistakes, ["lessons:1:1: there is no lessons/week1: this is not a course"]);
}

const EXERCISE: &str = r#"[exercise]
kind = "service"
title = "T"
story = "S"
[[exercise.checks]]
id = "serves"
title = "It serves"
property = "serves"
lesson = "The idea"
hints = ["h"]
[[exercise.hints]]
text = "h"
[[exercise.right]]
program = "r"
approach = "A"
[[exercise.wrong]]
program = "w"
mistake = "M"
check = "serves"
"#;

/// A course with that exercise, one right program and one wrong one.
fn course_with_exercise(lab: &str) -> (tempfile::TempDir, Course) {
    let (folder, _) = course_of(&lesson_of("## The idea\n\ntext\n"));
    let labs = folder.path().join("labs/week1/a");
    for program in ["right/r", "wrong/w"] {
        fs::create_dir_all(labs.join(program)).unwrap();
        fs::write(labs.join(program).join("cachelab.toml"), "run = [\"true\"]\n").unwrap();
    }
    fs::write(labs.join("lab.toml"), lab).unwrap();
    let course = Course::load(folder.path());
    (folder, course.unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

#[rstest]
#[case::valid("", "", &[])]
#[case::no_hint("hints = [\"h\"]", "hints = []", &["6:6: check \"serves\" has no hint, or an empty one"])]
#[case::empty_hint("hints = [\"h\"]", "hints = [\" \"]", &["6:6: check \"serves\" has no hint, or an empty one", "6:6: its text, line 1: the lesson has no text"])]
#[case::heading("\"The idea\"", "\"The ideas\"", &["9:11: the lesson has no heading \"The ideas\""])]
#[case::wrong_check("check = \"serves\"", "check = \"serve\"", &["19:9: \"w\" is rejected by \"serve\", which is no check here"])]
#[case::program_missing("program = \"r\"", "program = \"s\"", &[
    "14:11: labs/week1/a/right/s/cachelab.toml is missing", "1:1: labs/week1/a/right/r is not listed"
])]
fn exercise_mistakes_are_named(#[case] from: &str, #[case] to: &str, #[case] expected: &[&str]) {
    let (_folder, course) = course_with_exercise(&EXERCISE.replacen(from, to, 1));
    let expected: Vec<_> = expected.iter().map(|e| format!("labs/week1/a/lab.toml:{e}")).collect();
    assert_eq!(errors_of(&course), expected);
}

#[test]
fn a_field_of_a_lab_that_is_not_known_is_named_with_its_place() {
    let (folder, _course) = course_with_exercise(EXERCISE);
    fs::write(folder.path().join("labs/week1/a/lab.toml"), EXERCISE.replace("story", "strory")).unwrap();
    let mistakes = Course::load(folder.path()).unwrap_err();
    assert_eq!(mistakes[0].position(), (4, 1));
    assert!(mistakes[0].message.starts_with("unknown field `strory`"), "{}", mistakes[0].message);
    let excerpt = mistakes[0].render(false);
    assert!(excerpt.contains("4 | strory = \"S\"") && excerpt.contains("^^^^^^"), "{excerpt}");
}

fn errors_of(course: &Course) -> Vec<String> {
    let findings = validate(course).into_iter().filter(|finding| finding.severity == Severity::Error);
    findings.map(|finding| finding.diagnostic.to_string()).collect()
}

#[test]
fn a_name_is_found_by_slug_and_near_names_are_offered() {
    let course = fixture();
    assert_eq!(course.resolve("second").unwrap().id.to_string(), "week1/second");
    assert_eq!(course.resolve(" week1/first ").unwrap().id.to_string(), "week1/first");
    for (asked, nearest) in
        [("week1/secnod", "week1/second"), ("frist", "week1/first"), ("week9/second", "week1/second")]
    {
        let error = course.resolve(asked).unwrap_err();
        assert_eq!(error.nearest.first().map(ToString::to_string).as_deref(), Some(nearest), "{asked}");
    }
    assert_eq!(course.resolve("zzzzzz").unwrap_err().nearest, []);
}

#[test]
fn a_starter_holds_the_contract_in_every_language() {
    let course = Course::embedded().unwrap();
    let unit = course.resolve("week2/locks").unwrap();
    for language in starter::languages(&course).unwrap() {
        let starter = starter::render(&course, unit, &language.id).unwrap();
        let file = |name: &str| starter.files.iter().find(|(path, _)| path == name).map(|(_, text)| text.as_str());
        let program = file(&starter.program).unwrap();
        for word in ["/buy/", "501", "LOCK_TTL_MS", "REDIS_URL", "ORIGIN_URL", "/healthz", "Your code here"] {
            assert!(program.contains(word), "{}: {word}\n{program}", language.id);
        }
        let readme = file("README.md").unwrap();
        for word in ["`POST /buy/{item}`", "`PUT /stock/{item}`", "`WAIT_MS`", "- `fencing`: ", "`GET /healthz`"] {
            assert!(readme.contains(word), "{word}\n{readme}");
        }
        let manifest: toml::Table = toml::from_str(file("cachelab.toml").unwrap()).unwrap();
        assert_eq!(manifest["exercise"].as_str(), Some("week2/locks"));
        for (path, text) in starter.files.iter().filter(|(path, _)| path != "README.md") {
            assert!(!text.contains("{{"), "{path} has a word that nothing fills in:\n{text}");
        }
        assert_eq!(starter::render(&course, unit, &language.aliases[0]).unwrap(), starter);
    }
    let error = starter::render(&course, unit, "cobol").unwrap_err();
    assert_eq!(error.to_string(), "there is no starter in \"cobol\"; there is node, python");
}

#[test]
fn files_that_are_there_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a".to_owned(), "new"), ("b/c".to_owned(), "new")];
    fs::write(folder.path().join("a"), "mine").unwrap();
    let written = starter::write_new(folder.path(), &files).unwrap();
    assert_eq!(written, Written { written: vec![folder.path().join("b/c")], skipped: vec![folder.path().join("a")] });
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "mine");
}

/// Scraps that markdown and our fences are sensitive to.
fn scrap() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let scraps = [
        "```",
        "```redis\n",
        "```quiz\n",
        "```lab ",
        "~~~",
        "\n",
        "\n\n",
        "#",
        "## ",
        "- ",
        "> ",
        "> [!NOTE]\n",
        "|",
        "|-|\n",
        "*",
        "**",
        "`",
        "[x](",
        ")",
        "<b>",
        "<!--",
        "-->",
        "#> ",
        "#~ ",
        "#! setup: ",
        "\"",
        "'",
        "\\",
        "é",
        "日",
        "\u{301}",
        "\t",
        "    ",
        "id = \"a\"\n",
        "[[choices]]\n",
        "week1/a",
        "\0",
        "\r",
    ];
    prop_oneof![proptest::sample::select(scraps.to_vec()).prop_map(str::to_owned), "[a-z ]{0,6}"]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(100))]
    #[test]
    fn no_text_makes_the_parser_panic(scraps in proptest::collection::vec(scrap(), 0..40)) {
        let text = scraps.concat();
        cachelab::course::markdown(&text);
        for lesson in [lesson_of(&text), text] {
            // A mistake must lie inside the file, so that it can be shown.
            let (folder, _) = course_of(&lesson);
            for mistake in Course::load(folder.path()).err().into_iter().flatten() {
                mistake.render(false);
                proptest::prop_assert!(mistake.source.get(mistake.span.clone()).is_some(), "{mistake:?}");
            }
        }
    }
}
