use super::{super::event::ReplyLine, *};
use crate::resp::{Decoder, Frame};

fn frame(wire: &[u8]) -> Frame {
    let mut decoder = Decoder::new();
    decoder.feed(wire);
    decoder.next().unwrap().unwrap()
}

fn tty(wire: &str) -> String {
    String::from_utf8(exact(&frame(wire.as_bytes()))).unwrap()
}

#[test]
fn nested_arrays_indent_by_their_index() {
    assert_eq!(
        tty("*3\r\n:1\r\n*2\r\n:2\r\n*2\r\n:3\r\n$3\r\na\nb\r\n*0\r\n"),
        "1) (integer) 1\n2) 1) (integer) 2\n   2) 1) (integer) 3\n      2) \"a\\nb\"\n3) (empty array)\n"
    );
    let ten = format!("*10\r\n{}", ":7\r\n".repeat(10));
    assert!(tty(&ten).starts_with(" 1) (integer) 7\n 2) (integer) 7\n"));
}

#[test]
fn maps_break_the_line_before_values_of_several_lines() {
    let wire = "%3\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n~1\r\n+x\r\n+c\r\n%1\r\n+q\r\n*1\r\n*2\r\n:1\r\n:2\r\n";
    assert_eq!(
        tty(wire),
        "1# a => \n   1) (integer) 1\n   2) (integer) 2\n2# b => 1~ x\n3# c => \n   1# q => \n      1) 1) (integer) 1\n         2) (integer) 2\n"
    );
}

#[test]
fn aggregates_as_map_keys_keep_the_line() {
    assert_eq!(tty("%1\r\n*2\r\n:1\r\n:2\r\n:3\r\n"), "1# 1) (integer) 1\n   2) (integer) 2 => (integer) 3\n");
}

#[test]
fn attributes_stand_before_their_value() {
    assert_eq!(tty("|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n"), "1| ttl => (integer) 9\n\"v\"\n");
    assert_eq!(tty("*2\r\n|1\r\n+t\r\n:9\r\n:1\r\n:2\r\n"), "1) 1| t => (integer) 9\n   (integer) 1\n2) (integer) 2\n");
}

#[test]
fn pages_join_to_the_whole() {
    let wire = format!("*50\r\n{}", "*2\r\n$1\r\na\r\n:1\r\n".repeat(50));
    let whole = tty(&wire);
    let mut printer = Printer::new(frame(wire.as_bytes()), Repr::EXACT);
    let mut pages = Vec::new();
    loop {
        let page = printer.take_lines(7);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7);
        pages.extend(page);
    }
    assert_eq!(printer.unshown(), None);
    let joined: String = pages.iter().map(|line| line.text() + "\n").collect();
    assert_eq!(joined, whole);
}

#[test]
fn nothing_harmful_reaches_a_line() {
    let wire = "*3\r\n+\x1b[31mred\r\n$8\r\n\u{202e}\x1b\x07日\r\n=9\r\ntxt:a\x1b\tb\n\r\n";
    let lines = Printer::new(frame(wire.as_bytes()), Repr { utf8: true, clip: None }).take_lines(10);
    let text: Vec<_> = lines.iter().map(ReplyLine::text).collect();
    assert_eq!(text, ["1) \\x1b[31mred", "2) \"\\xe2\\x80\\xae\\x1b\\a日\"", "3) a\\x1b    b", ""]);
}

#[test]
fn long_strings_are_clipped_at_a_character() {
    let repr = Repr { utf8: true, clip: Some(4) };
    let lines = Printer::new(frame("$9\r\n日日日\r\n".as_bytes()), repr).take_lines(1);
    assert_eq!(lines[0].text(), "\"日\"… (6 more bytes)");
}

#[test]
fn json_is_json() {
    let json = |wire: &str| {
        let mut out = Vec::new();
        write_json(&frame(wire.as_bytes()).node(), JsonMode::Plain, &mut out);
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        text
    };
    assert_eq!(json("*3\r\n,inf\r\n-ERR \"x\"\r\n_\r\n"), r#"["inf",{"error":"ERR \"x\""},null]"#);
    assert_eq!(json("%1\r\n*2\r\n:1\r\n+a\r\n#t\r\n"), r#"{"[1,\"a\"]":true}"#);
}
