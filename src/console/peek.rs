//! `peek KEY`: what a key is, and the beginning of its value, in bounded work for the server.
//!
//! Owns: the questions (all O(1) or with a small COUNT) and how the answers are put together.

use super::{
    client::Client,
    event::{ReplyLine, Span, Token},
    format::{Printer, Repr, quote},
    link::{Link, LinkError},
};
use crate::resp::{Frame, Value};

/// Elements of a collection that are shown.
const SHOWN: &str = "10";

/// Type, encoding, size, memory, expiry; then the beginning of the value.
pub(super) async fn peek(client: &Client, key: &[u8], repr: Repr) -> Vec<ReplyLine> {
    match look(client, key, repr).await {
        Ok(lines) => lines,
        Err(error) => vec![ReplyLine::new(Token::Error, format!("(error) {error}"))],
    }
}

async fn look(client: &Client, key: &[u8], repr: Repr) -> Result<Vec<ReplyLine>, LinkError> {
    let mut link = client.aside().await?;
    let reply = link.call(&[b"TYPE", key]).await?;
    let kind = reply.value().as_str().unwrap_or_default().to_owned();
    let mut name = Vec::new();
    quote(key, repr, &mut name);
    let name = Span { token: Token::Key, text: String::from_utf8_lossy(&name).into_owned() };
    let headed = |token, text: String| ReplyLine { spans: vec![name.clone(), Span { token, text }] };
    if let Some(error) = reply.error() {
        return Ok(vec![headed(Token::Error, format!(": {}", super::format::printable(error)))]);
    }
    if kind == "none" {
        return Ok(vec![headed(Token::Nil, " does not exist".into())]);
    }
    let mut facts = vec![kind.clone()];
    facts.extend(facts_of(&mut link, key, &kind).await?);
    let mut lines = vec![headed(Token::Note, format!("  {}", facts.join(", ")))];
    if let Some(value) = beginning(&mut link, key, &kind).await? {
        lines.extend(Printer::new(value, Repr { clip: Some(1_000), ..repr }).take_lines(60));
    }
    Ok(lines)
}

async fn facts_of(link: &mut Link, key: &[u8], kind: &str) -> Result<Vec<String>, LinkError> {
    let mut facts = Vec::new();
    let encoding = link.call(&[b"OBJECT", b"ENCODING".as_slice(), key]).await?.value();
    facts.extend(encoding.as_str().map(str::to_owned));
    let (command, unit) = match kind {
        "string" => ("STRLEN", "bytes"),
        "list" => ("LLEN", "elements"),
        "set" => ("SCARD", "members"),
        "zset" => ("ZCARD", "members"),
        "hash" => ("HLEN", "fields"),
        "stream" => ("XLEN", "entries"),
        _ => ("", ""),
    };
    if !command.is_empty() {
        let size = link.call(&[command.as_bytes(), key]).await?.value().as_integer();
        facts.extend(size.map(|size| format!("{size} {unit}")));
    }
    let memory = link.call(&[b"MEMORY", b"USAGE".as_slice(), key]).await?.value().as_integer();
    facts.extend(memory.map(|bytes| format!("{bytes} bytes of memory")));
    facts.push(match link.call(&[b"PTTL", key]).await?.value().as_integer() {
        Some(milliseconds) if milliseconds >= 0 => format!("expires in {:.1} s", milliseconds as f64 / 1_000.0),
        _ => "no expiry".to_owned(),
    });
    Ok(facts)
}

/// The first elements, without reading the rest.
async fn beginning(link: &mut Link, key: &[u8], kind: &str) -> Result<Option<Frame>, LinkError> {
    let last = b"9";
    let reply = match kind {
        "string" => link.call(&[b"GETRANGE", key, b"0", b"1023"]).await?,
        "list" => link.call(&[b"LRANGE", key, b"0", last]).await?,
        "zset" => link.call(&[b"ZRANGE", key, b"0", last, b"WITHSCORES"]).await?,
        "stream" => link.call(&[b"XREVRANGE", key, b"+", b"-", b"COUNT", b"3"]).await?,
        "hash" | "set" => {
            let command: &[u8] = if kind == "hash" { b"HSCAN" } else { b"SSCAN" };
            let reply = link.call(&[command, key, b"0", b"COUNT", SHOWN.as_bytes()]).await?;
            return Ok(elements(&reply));
        }
        _ => return Ok(None),
    };
    Ok(Some(reply))
}

/// The second part of a SCAN reply as a frame: a hash's fields as a map.
fn elements(reply: &Frame) -> Option<Frame> {
    let value = reply.value();
    let Value::Array(items) = value.as_items()?.get(1)? else { return None };
    crate::resp::Frame::of_value(&Value::Array(items.clone()))
}
