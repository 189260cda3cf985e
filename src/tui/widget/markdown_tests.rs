use std::collections::HashMap;

use super::*;
use crate::course::markdown;

/// Renders markdown to literal lines.
fn render(text: &str, width: u16) -> String {
    let theme = Theme { ascii: true, ..Theme::default() };
    let cards = Cards::default();
    let code = HashMap::new();
    let document = layout(&markdown(text), width, Context { theme, code: &code, cards: &cards });
    let line = |line: &Line<'_>| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>();
    document.lines.iter().map(|l| line(l).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn lists_hang_and_nest() {
    let text = "- a list item that is longer than a line\n- second\n  1. one\n  2. two with more words\n";
    insta::assert_snapshot!(render(text, 24), @r"
    * a list item that is
      longer than a line
    * second
      1. one
      2. two with more words
    ");
}

#[test]
fn a_quote_keeps_its_bar_on_every_line() {
    insta::assert_snapshot!(render("> quoted text that goes on and on\n", 20), @r"
    | quoted text that
    | goes on and on
    ");
}

#[test]
fn an_alert_has_a_title() {
    insta::assert_snapshot!(render("> [!WARNING]\n> Careful with `DEL`.\n", 30), @r"
    # Warning
    # Careful with DEL.
    ");
}

const TABLE: &str = "| Variant | What it does | Overlaps |\n|:--|:--|--:|\n| none | takes no lock at all and hopes | 120 |\n| fencing | refuses the late writer | 0 |\n";

#[test]
fn a_table_that_fits_is_as_wide_as_its_content() {
    insta::assert_snapshot!(render(TABLE, 76), @r"
    Variant | What it does                   | Overlaps
    --------+--------------------------------+---------
    none    | takes no lock at all and hopes |      120
    fencing | refuses the late writer        |        0
    ");
}

#[test]
fn a_narrow_table_wraps_its_cells() {
    insta::assert_snapshot!(render(TABLE, 36), @r"
    Variant | What it does    | Overlaps
    --------+-----------------+---------
    none    | takes no lock   |      120
            | at all and      |
            | hopes           |
            |                 |
    fencing | refuses the     |        0
            | late writer     |
    ");
}

#[test]
fn a_table_too_narrow_for_columns_becomes_a_list() {
    insta::assert_snapshot!(render(TABLE, 16), @r"
    Variant: none
    What it does:
      takes no lock
      at all and
      hopes
    Overlaps: 120

    Variant:
      fencing
    What it does:
      refuses the
      late writer
    Overlaps: 0
    ");
}

#[test]
fn long_code_goes_on_below() {
    insta::assert_snapshot!(render("```\nabcdefghijklmnop\n```\n", 12), @r"
    | abcdefghij
    |   klmnop
    ");
}

#[test]
fn links_are_spots_with_their_columns() {
    let blocks = markdown("See [the first unit](week1/first) and [Redis](https://redis.io).");
    let cards = Cards::default();
    let code = HashMap::new();
    let document = layout(&blocks, 30, Context { theme: Theme::default(), code: &code, cards: &cards });
    let kinds: Vec<&SpotKind> = document.spots.iter().map(|spot| &spot.kind).collect();
    assert_eq!(
        kinds,
        [&SpotKind::Link(0, "week1/first".into()), &SpotKind::Link(1, "https://redis.io".into())],
        "{document:?}"
    );
    assert_eq!(document.spots[0].cells, [(0, 4..18)]);
}

#[test]
fn control_characters_of_a_course_never_get_through() {
    let drawn = render("a \u{1b}[2J b `c\u{7}`\n\n```\n\u{1b}]0;x\u{7}\n```\n", 60);
    assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'), "{drawn:?}");
    assert!(drawn.contains("\\x1b[2J"), "{drawn:?}");
}

proptest::proptest! {
    #[test]
    fn no_line_is_wider_than_asked(text in "[a-z |*`>#\\-\n0-9日]{0,120}", width in 12u16..90) {
        let drawn = render(&text, width);
        for line in drawn.lines() {
            proptest::prop_assert!(crate::tui::text::width(line) <= usize::from(width), "{line:?} in {width}");
        }
    }
}
