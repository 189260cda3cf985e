use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn decode_all(mut decoder: Decoder, chunks: &[&[u8]]) -> Result<Vec<Frame>, DecodeError> {
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn one(raw: &[u8]) -> Value {
    let frames = decode_all(Decoder::new(), &[raw]).unwrap();
    assert_eq!(frames.len(), 1, "{raw:?}");
    frames[0].value()
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = "[ -~]{0,12}".prop_map(|s| bytes(&s));
    let blob = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let leaf = prop_oneof![
        text.clone().prop_map(Value::Simple),
        text.prop_map(Value::Error),
        any::<i64>().prop_map(|n| Value::Integer(bytes(&n.to_string()))),
        any::<i128>().prop_map(|n| Value::BigNumber(bytes(&n.to_string()))),
        any::<f64>().prop_map(|n| Value::Double(bytes(&format!("{n:e}")))),
        any::<bool>().prop_map(Value::Boolean),
        blob.clone().prop_map(Value::Bulk),
        blob.clone().prop_map(Value::BulkError),
        blob.prop_map(|text| Value::Verbatim { format: bytes("txt"), text }),
        prop_oneof![Just(NullKind::Bulk), Just(NullKind::Array), Just(NullKind::Resp3)].prop_map(Value::Null),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        let list = prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            list.clone().prop_map(Value::Array),
            list.clone().prop_map(Value::Set),
            list.prop_map(Value::Push),
            pairs.clone().prop_map(Value::Map),
            (pairs, inner).prop_map(|(attributes, value)| Value::Attributed { attributes, value: Box::new(value) }),
        ]
    })
}

proptest! {
    #[test]
    fn every_split_point_gives_the_same_values(values in prop::collection::vec(any_value(), 1..4)) {
        let wire: Vec<u8> = values.iter().flat_map(|v| encode_value(v).to_vec()).collect();
        for split in 0..=wire.len() {
            let frames = decode_all(Decoder::new(), &[&wire[..split], &wire[split..]]).unwrap();
            let got: Vec<Value> = frames.iter().map(Frame::value).collect();
            prop_assert_eq!(&got, &values, "split at {}", split);
            let raw: Vec<u8> = frames.iter().flat_map(|f| f.raw().to_vec()).collect();
            prop_assert_eq!(&raw, &wire);
        }
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(decode_all(Decoder::new(), &single).unwrap().len(), values.len());
    }

    #[test]
    fn hostile_bytes_never_panic(wire in prop::collection::vec(prop_oneof![
        4 => prop::sample::select(b"*$%~>|=!(,#_:+-0123456789tf\r\n".to_vec()), 1 => any::<u8>()], 0..200)) {
        for decoder in [Decoder::new(), Decoder::commands()] {
            if let Ok(frames) = decode_all(decoder, &[&wire]) {
                for frame in frames {
                    let _ = (frame.value(), frame.arguments(), frame.is_push());
                }
            }
        }
    }

    #[test]
    fn commands_come_back(arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6)) {
        let wire = encode_command(&arguments);
        let frames = decode_all(Decoder::commands(), &[&wire]).unwrap();
        prop_assert_eq!(frames[0].arguments().unwrap(), arguments.into_iter().map(Bytes::from).collect::<Vec<_>>());
    }

    #[test]
    fn splitting_never_panics(line in prop::collection::vec(prop_oneof![
        3 => prop::sample::select(b"\"'\\xna0 \t".to_vec()), 1 => any::<u8>()], 0..60)) {
        let _ = split_spans(&line);
    }
}

#[test]
fn text_of_numbers_is_kept() {
    assert_eq!(one(b",9.9999999999999995e-08\r\n"), Value::Double(bytes("9.9999999999999995e-08")));
    assert_eq!(one(b",inf\r\n"), Value::Double(bytes("inf")));
    assert_eq!(one(b",-nan\r\n"), Value::Double(bytes("-nan")));
    assert_eq!(
        one(b"(1234567999999999999999999999999999999\r\n").as_str(),
        Some("1234567999999999999999999999999999999")
    );
}

#[test]
fn attributes_are_no_elements() {
    let value = one(b"*2\r\n|1\r\n+ttl\r\n:9\r\n:1\r\n:2\r\n");
    let items = value.as_items().unwrap();
    assert_eq!(items.len(), 2);
    assert!(matches!(&items[0], Value::Attributed { value, .. } if value.as_integer() == Some(1)));
}

#[test]
fn limits_are_kept_without_allocating() {
    let deep = b"*1\r\n".repeat(65);
    let error = decode_all(Decoder::new(), &[&deep]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::OverLimit("the nesting", 64));
    let error = decode_all(Decoder::new(), &[&b"|0\r\n".repeat(65)]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::OverLimit("the nesting", 64));
    let error = decode_all(Decoder::new(), &[b"$2000000000\r\n"]).unwrap_err();
    assert!(matches!(error.kind, DecodeErrorKind::OverLimit("a string's length", _)));
    // A count is only a promise: it allocates nothing.
    assert!(decode_all(Decoder::new(), &[b"*4294967296\r\n:1\r\n"]).unwrap().is_empty());
    let limits = Limits { line: 10, frame: 20, ..Limits::default() };
    assert!(decode_all(Decoder::new().with_limits(limits), &[b"+0123456789abc"]).is_err());
    assert!(decode_all(Decoder::new().with_limits(limits), &[b"*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"]).is_err());
}

#[test]
fn an_error_is_repeated_and_names_the_place() {
    let mut decoder = Decoder::new();
    decoder.feed(b"*2\r\n:1\r\n?\r\n");
    let error = decoder.next().unwrap_err();
    assert_eq!(error, DecodeError { offset: 8, kind: DecodeErrorKind::UnknownType(b'?') });
    decoder.feed(b"+OK\r\n");
    assert_eq!(decoder.next().unwrap_err(), error);
}

#[test]
fn inline_commands_only_where_a_server_takes_them() {
    let frames = decode_all(Decoder::commands(), &[b"SET a \"x", b" y\"\r\n*1\r\n$4\r\nPING\r\nPING\n"]).unwrap();
    let arguments: Vec<_> = frames.iter().map(|f| f.arguments().unwrap()).collect();
    assert_eq!(arguments, [vec!["SET", "a", "x y"], vec!["PING"], vec!["PING"]]);
    assert!(decode_all(Decoder::new(), &[b"PING\r\n"]).is_err());
}

#[test]
fn quoting_is_that_of_redis() {
    let ok = |line: &str, expected: &[&[u8]]| assert_eq!(split_args(line.as_bytes()).unwrap(), expected, "{line}");
    ok(r#"set "a\x00\xff" 'it\'s' a"b""#, &[b"set", b"a\x00\xff", b"it's", b"ab"]);
    ok(r#""\u00e9\q\n" "" ''"#, &[b"u00e9q\n", b"", b""]);
    ok(r#""\xg1""#, &[b"xg1"]);
    ok("  ", &[]);
    let bad = |line: &str| split_args(line.as_bytes()).unwrap_err().open;
    assert!(bad(r"'\\'"), "a backslash before a quote keeps it open");
    assert!(bad("\"a"));
    assert!(!bad("\"a\"b"));
    assert!(!bad("'a''b'"));
}
