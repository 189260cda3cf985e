//! Writes commands and values.

use bytes::{BufMut, Bytes, BytesMut};

use super::{NullKind, Value};

/// A command as every server takes it: an array of bulk strings.
pub fn encode_command<A: AsRef<[u8]>>(arguments: &[A]) -> Bytes {
    let size: usize = arguments.iter().map(|argument| argument.as_ref().len() + 16).sum();
    let mut out = BytesMut::with_capacity(size + 16);
    header(&mut out, b'*', arguments.len());
    for argument in arguments {
        bulk(&mut out, b'$', argument.as_ref());
    }
    out.freeze()
}

/// A value as a server would send it; decoding gives the same value again.
pub fn encode_value(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out, value);
    out.freeze()
}

fn write(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Simple(text) => line(out, b"+", text),
        Value::Error(text) => line(out, b"-", text),
        Value::Integer(text) => line(out, b":", text),
        Value::Double(text) => line(out, b",", text),
        Value::BigNumber(text) => line(out, b"(", text),
        Value::Inline(text) => line(out, b"", text),
        Value::Boolean(yes) => line(out, b"#", if *yes { b"t" } else { b"f" }),
        Value::Null(NullKind::Bulk) => line(out, b"$", b"-1"),
        Value::Null(NullKind::Array) => line(out, b"*", b"-1"),
        Value::Null(NullKind::Resp3) => line(out, b"_", b""),
        Value::Bulk(text) => bulk(out, b'$', text),
        Value::BulkError(text) => bulk(out, b'!', text),
        Value::Verbatim { format, text } => {
            let mut body = BytesMut::from(&format[..]);
            body.put_u8(b':');
            body.put_slice(text);
            bulk(out, b'=', &body);
        }
        Value::Array(items) => list(out, b'*', items),
        Value::Set(items) => list(out, b'~', items),
        Value::Push(items) => list(out, b'>', items),
        Value::Map(entries) => pairs(out, b'%', entries),
        Value::Attributed { attributes, value } => {
            pairs(out, b'|', attributes);
            write(out, value);
        }
    }
}

fn list(out: &mut BytesMut, kind: u8, items: &[Value]) {
    header(out, kind, items.len());
    for item in items {
        write(out, item);
    }
}

fn pairs(out: &mut BytesMut, kind: u8, entries: &[(Value, Value)]) {
    header(out, kind, entries.len());
    for (key, value) in entries {
        write(out, key);
        write(out, value);
    }
}

fn header(out: &mut BytesMut, kind: u8, count: usize) {
    out.put_u8(kind);
    out.put_slice(count.to_string().as_bytes());
    out.put_slice(b"\r\n");
}

fn bulk(out: &mut BytesMut, kind: u8, body: &[u8]) {
    header(out, kind, body.len());
    out.put_slice(body);
    out.put_slice(b"\r\n");
}

fn line(out: &mut BytesMut, kind: &[u8], text: &[u8]) {
    out.put_slice(kind);
    out.put_slice(text);
    out.put_slice(b"\r\n");
}
