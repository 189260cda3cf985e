//! The console on real servers: parity with redis-cli on a corpus, and sessions with streams,
//! cancelling, loss and return, lesson blocks on servers of ours and of somebody else's.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use cachelab::{
    console::{BlockOutcome, ConsoleEvent, Session, SessionOptions},
    course::lesson::{Expected, RedisBlock, RedisStep},
    server::{self, Endpoint, Ownership, Server},
};
use tokio::sync::mpsc::Receiver;

#[path = "console/parity.rs"]
mod parity;

const PATIENCE: Duration = Duration::from_secs(10);

async fn server() -> Server {
    server::start(&server::Options::default(), &mut |_| {}).await.expect("a server")
}

/// A session with what it said so far.
struct Talk {
    session: Session,
    events: Receiver<ConsoleEvent>,
    seen: Vec<ConsoleEvent>,
}

impl Talk {
    async fn open(endpoint: &Endpoint, options: SessionOptions) -> Self {
        let (session, events) = Session::open(endpoint.clone(), options);
        let mut talk = Self { session, events, seen: Vec::new() };
        talk.until("connected", |event| matches!(event, ConsoleEvent::Prompt(prompt) if prompt.connected)).await;
        talk
    }

    /// Waits for an event; gives it.
    async fn until(&mut self, what: &str, mut wanted: impl FnMut(&ConsoleEvent) -> bool) -> ConsoleEvent {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = tokio::time::timeout(left, self.events.recv()).await;
            let Ok(Some(event)) = event else { panic!("no {what}; seen: {:#?}", self.seen) };
            self.seen.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Sends a line and gives its reply's lines.
    async fn ask(&mut self, line: &str) -> Vec<String> {
        self.session.submit(line);
        self.reply().await
    }

    /// The lines up to the next `Done`.
    async fn reply(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.until("reply", |event| {
            if let ConsoleEvent::Lines { lines: more, .. } = event {
                lines.extend(more.iter().map(cachelab::console::ReplyLine::text));
            }
            matches!(event, ConsoleEvent::Done { .. })
        })
        .await;
        lines
    }

    async fn note(&mut self, text: &str) {
        self.until(text, |event| matches!(event, ConsoleEvent::Note(line) if line.text().contains(text))).await;
    }

    async fn push(&mut self, text: &str) {
        let shows = |lines: &[cachelab::console::ReplyLine]| lines.iter().any(|line| line.text().contains(text));
        self.until(text, |event| matches!(event, ConsoleEvent::Push(lines) if shows(lines))).await;
    }

    async fn prompt(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while self.session.prompt().text() != text {
            assert!(Instant::now() < end, "prompt is {:?}, not {text:?}", self.session.prompt().text());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn talk() -> (Server, Talk) {
    let server = server().await;
    let talk = Talk::open(server.endpoint(), SessionOptions::default()).await;
    (server, talk)
}

#[tokio::test]
async fn replies_prompts_and_repeats() {
    let (server, mut talk) = talk().await;
    assert_eq!(talk.ask("SET a 日本").await, ["OK"]);
    assert_eq!(talk.ask("GET a").await, ["\"日本\""]);
    talk.session.set_utf8(false);
    assert_eq!(talk.ask("GET a").await, ["\"\\xe6\\x97\\xa5\\xe6\\x9c\\xac\""]);
    assert_eq!(talk.ask("3 INCR n").await, ["(integer) 1", "(integer) 2", "(integer) 3"]);
    assert_eq!(talk.ask("GET 'x").await, ["Invalid argument(s)"]);
    let name = server.endpoint().flavour.name.clone();
    talk.ask("MULTI").await;
    talk.prompt(&format!("{name}(TX)> ")).await;
    assert_eq!(talk.ask("SELECT 3").await, ["QUEUED"]);
    talk.prompt(&format!("{name}[3](TX)> ")).await;
    talk.ask("DISCARD").await;
    talk.prompt(&format!("{name}> ")).await;
    server.stop().await;
}

#[tokio::test]
async fn the_six_protocol_cases_neither_hang_nor_end_the_session() {
    let (server, mut talk) = talk().await;
    assert_eq!(talk.ask("CLIENT REPLY SKIP").await, ["no reply will come (CLIENT REPLY)"]);
    assert_eq!(talk.ask("PING").await, ["no reply will come (CLIENT REPLY)"]);
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    talk.ask("CLIENT REPLY OFF").await;
    talk.ask("PING").await;
    assert_eq!(talk.ask("CLIENT REPLY ON").await, ["OK"]);
    assert_eq!(talk.ask("UNSUBSCRIBE a b").await.len(), 6);
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    talk.ask("HELLO 3").await;
    assert_eq!(talk.ask("UNSUBSCRIBE").await.len(), 3);
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    let big = talk.ask("DEBUG PROTOCOL bignum").await;
    // Where DEBUG is not allowed, the server says so; it must not end the session either way.
    assert!(big[0].starts_with("(big number) 1234567") || big[0].starts_with("(error)"), "{big:?}");
    talk.ask("DEBUG PROTOCOL attrib").await;
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    server.stop().await;
}

#[tokio::test]
async fn streams_come_without_a_key_press_and_leave_the_prompt_usable() {
    let (server, mut talk) = talk().await;
    let mut other = Talk::open(server.endpoint(), SessionOptions::default()).await;
    for protocol in ["2", "3"] {
        talk.ask(&format!("HELLO {protocol}")).await;
        assert_eq!(talk.ask("SUBSCRIBE news").await[1], "2) \"news\"");
        assert!(talk.session.prompt().subscribed);
        assert_eq!(talk.ask("SET k v").await, ["OK"], "RESP{protocol}");
        let begun = Instant::now();
        assert_eq!(other.ask("PUBLISH news hello").await, ["(integer) 1"]);
        talk.push("hello").await;
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        assert!(talk.session.cancel());
        talk.until("the end", |event| matches!(event, ConsoleEvent::Prompt(p) if !p.subscribed && p.connected)).await;
        assert_eq!(talk.ask("GET k").await, ["\"v\""]);
    }
    talk.ask("MULTI").await;
    talk.ask("DISCARD").await;
    assert_eq!(talk.ask("MONITOR").await, ["OK"]);
    other.ask("SET seen 1").await;
    talk.push("\"SET\" \"seen\" \"1\"").await;
    assert!(talk.session.cancel());
    talk.note("the stream is ended").await;
    talk.ask("CLIENT TRACKING ON").await;
    talk.ask("GET seen").await;
    other.ask("SET seen 2").await;
    talk.push("-> invalidate: 'seen'").await;
    server.stop().await;
}

#[tokio::test]
async fn a_blocking_command_is_cancelled_and_the_session_goes_on() {
    let (server, mut talk) = talk().await;
    talk.ask("SELECT 2").await;
    talk.session.submit("BLPOP nothing 0");
    talk.until("busy", |event| matches!(event, ConsoleEvent::Prompt(prompt) if prompt.busy)).await;
    let begun = Instant::now();
    assert!(talk.session.cancel());
    assert!(talk.reply().await[0].starts_with("cancelled"));
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(talk.session.prompt().database, 2);
    let name = talk.ask("CLIENT INFO").await;
    assert!(name[0].contains(" db=2 "), "{name:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_lost_link_comes_back_with_user_database_and_protocol_and_says_what_is_lost() {
    let (server, mut talk) = talk().await;
    let mut other = Talk::open(server.endpoint(), SessionOptions::default()).await;
    other.ask("ACL SETUSER ann on >secret ~* &* +@all").await;
    talk.ask("AUTH ann secret").await;
    talk.ask("HELLO 3").await;
    talk.ask("SELECT 5").await;
    talk.ask("WATCH a").await;
    talk.ask("MULTI").await;
    other.ask("CLIENT KILL USER ann").await;
    talk.note("connection lost").await;
    talk.note("lost with the connection: the open MULTI, WATCH").await;
    assert_eq!(talk.ask("ACL WHOAMI").await, ["\"ann\""]);
    let info = talk.ask("CLIENT INFO").await;
    assert!(info[0].contains(" db=5 ") && info[0].contains("resp=3"), "{info:?}");
    assert!(!talk.session.history().iter().any(|line| line.contains("secret")), "{:?}", talk.session.history());
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_and_restarted_is_found_again() {
    let (server, mut talk) = talk().await;
    let control = server.control();
    control.kill().await.expect("killed");
    talk.note("connection lost").await;
    talk.prompt("not connected> ").await;
    talk.session.submit("PING");
    assert!(talk.reply().await[0].contains("(error)"), "{:?}", talk.seen.last());
    control.restart().await.expect("restarted");
    talk.note("connected again").await;
    assert_eq!(talk.ask("PING").await, ["PONG"]);
    server.stop().await;
}

#[tokio::test]
async fn large_replies_come_in_pages() {
    let (server, mut talk) = talk().await;
    talk.ask("EVAL \"for i=1,100000 do redis.call('RPUSH', KEYS[1], 'element:'..i) end\" 1 list").await;
    let begun = Instant::now();
    talk.session.submit("LRANGE list 0 -1");
    let mut lines = Vec::new();
    let done = talk
        .until("page", |event| {
            if let ConsoleEvent::Lines { lines: more, .. } = event {
                lines.extend(more.iter().map(cachelab::console::ReplyLine::text));
            }
            matches!(event, ConsoleEvent::Done { .. })
        })
        .await;
    eprintln!("first page of 100,000 elements: {:?}", begun.elapsed());
    assert_eq!(lines.len(), 1_000);
    assert_eq!(lines[0], "     1) \"element:1\"");
    let ConsoleEvent::Done { id, unshown: Some(unshown), .. } = done else { panic!("{done:?}") };
    assert_eq!(unshown.elements, 99_000);
    talk.session.more(id, 10);
    assert_eq!(talk.reply().await[9], "  1010) \"element:1010\"");
    talk.ask("SETRANGE big 20000000 x").await;
    let big = talk.ask("GET big").await;
    assert_eq!(big.len(), 1);
    assert!(big[0].len() < 100_000 && big[0].ends_with("more bytes)"), "{}", big[0].len());
    server.stop().await;
}

#[tokio::test]
async fn values_are_data() {
    let (server, mut talk) = talk().await;
    talk.ask("SET evil \"\\x1b]0;owned\\x07\\x9b31m\"").await;
    talk.ask("EVAL \"return redis.error_reply('\\x1b[2J')\" 0").await;
    talk.ask("GET evil").await;
    talk.ask("ECHO '\u{1b}[31m'").await;
    talk.ask("\u{1b}[2J").await;
    let all = format!("{:?}", talk.seen.iter().map(texts).collect::<Vec<_>>());
    assert!(!texts_join(&talk.seen).chars().any(|c| c.is_control() && c != '\n'), "{all}");
    server.stop().await;
}

fn texts(event: &ConsoleEvent) -> String {
    match event {
        ConsoleEvent::Command { text, .. } => text.clone(),
        ConsoleEvent::Lines { lines, .. } | ConsoleEvent::Push(lines) => {
            lines.iter().map(cachelab::console::ReplyLine::text).collect::<Vec<_>>().join("\n")
        }
        ConsoleEvent::Note(line) => line.text(),
        ConsoleEvent::Confirm { command, why } => format!("{command}{why}"),
        _ => String::new(),
    }
}

fn texts_join(events: &[ConsoleEvent]) -> String {
    events.iter().map(texts).collect()
}

fn borrowed(endpoint: &Endpoint) -> Endpoint {
    Endpoint { ownership: Ownership::Borrowed { prefix: "cachelab:".into() }, ..endpoint.clone() }
}

#[tokio::test]
async fn dangerous_commands_on_a_borrowed_server_ask_first() {
    let server = server().await;
    let mut talk = Talk::open(&borrowed(server.endpoint()), SessionOptions::default()).await;
    talk.ask("SET theirs 1").await;
    talk.session.submit("FLUSHALL");
    talk.until("question", |e| matches!(e, ConsoleEvent::Confirm { why, .. } if why.contains("every key"))).await;
    talk.session.confirm(false);
    assert_eq!(talk.reply().await, ["not sent"]);
    assert_eq!(talk.ask("EXISTS theirs").await, ["(integer) 1"]);
    talk.session.submit("FLUSHALL");
    talk.until("question", |e| matches!(e, ConsoleEvent::Confirm { .. })).await;
    talk.session.confirm(true);
    assert_eq!(talk.reply().await, ["OK"]);
    assert_eq!(talk.ask("EXISTS theirs").await, ["(integer) 0"]);
    server.stop().await;
}

#[tokio::test]
async fn keys_are_completed_from_scan() {
    let (server, mut talk) = talk().await;
    talk.ask("EVAL \"for i=1,5000 do redis.call('SET', 'other:'..i, i) end redis.call('SET', 'rare:key', 1)\" 0").await;
    assert!(talk.session.complete("GET rare", 8).is_empty());
    talk.until("names", |event| matches!(event, ConsoleEvent::NamesChanged)).await;
    let found: Vec<_> = talk.session.complete("GET rare", 8).into_iter().map(|c| c.text).collect();
    assert_eq!(found, ["rare:key"]);
    let stats = talk.ask("INFO commandstats").await.join("\n");
    assert!(!stats.contains("cmdstat_keys"), "{stats}");
    server.stop().await;
}

// ---- blocks of lessons

fn step(command: &str, expected: &[&str]) -> RedisStep {
    let line = |text: &&str| match text.strip_prefix('~') {
        Some(pattern) => Expected::Pattern(pattern.to_owned()),
        None => Expected::Exact((*text).to_owned()),
    };
    RedisStep { command: command.to_owned(), expected: expected.iter().map(line).collect(), line: 1 }
}

fn block(setup: &[&str], steps: Vec<RedisStep>) -> RedisBlock {
    RedisBlock { index: 3, setup: setup.iter().map(|line| (*line).to_owned()).collect(), steps, line: 1 }
}

fn failures(outcome: &BlockOutcome) -> Vec<String> {
    let failed = outcome.steps.iter().filter(|step| !step.matched);
    failed
        .map(|s| {
            format!("{}: {:?}", s.command, s.reply.iter().map(cachelab::console::ReplyLine::text).collect::<Vec<_>>())
        })
        .collect()
}

#[tokio::test]
async fn a_block_runs_and_is_compared() {
    let (server, mut talk) = talk().await;
    talk.ask("SELECT 4").await;
    talk.ask("MULTI").await;
    let block = block(
        &["DEL lock list", "RPUSH list a b"],
        vec![
            step("SET lock token NX PX 30000", &["OK"]),
            step("SET lock other NX PX 30000", &["(nil)"]),
            step("PTTL lock", &["~(integer) <number>"]),
            step("LRANGE list 0 -1", &["1) \"a\"", "2) \"b\""]),
            step("GET lock", &["\"wrong\""]),
            step("HGETALL lock", &["~(error) WRONGTYPE*"]),
            step("INFO server", &["# Server", "~*"]),
        ],
    );
    let outcome = talk.session.run_block(&block).await;
    assert_eq!(outcome.stopped, None);
    assert_eq!(failures(&outcome), ["GET lock: [\"\\\"token\\\"\"]"]);
    assert_eq!(outcome.steps[4].expected, ["\"wrong\""]);
    assert!(!outcome.passed());
    while talk.events.try_recv().is_ok() {}
    // The prompt's own transaction is untouched, and what the block wrote is in database 0.
    assert_eq!(talk.ask("EXISTS lock").await, ["QUEUED"]);
    talk.ask("DISCARD").await;
    talk.ask("SELECT 0").await;
    assert_eq!(talk.ask("GET lock").await, ["\"token\""]);
    server.stop().await;
}

#[tokio::test]
async fn a_block_on_a_borrowed_server_touches_only_our_keys() {
    let server = server().await;
    let mut owner = Talk::open(server.endpoint(), SessionOptions::default()).await;
    for line in ["SET a theirs", "RPUSH l 1", "ZADD z 1 m", "SET b theirs"] {
        owner.ask(line).await;
    }
    let before = owner.ask("EVAL \"local r = {} for _, k in ipairs(redis.call('KEYS', '*')) do r[#r+1] = k .. redis.sha1hex(redis.call('DUMP', k)) end table.sort(r) return r\" 0").await;
    let talk = Talk::open(&borrowed(server.endpoint()), SessionOptions::default()).await;
    let outcome = talk
        .session
        .run_block(&block(
            &["DEL a b l z d s h"],
            vec![
                step("SET a 1", &["OK"]),
                step("MSET a 1 b 2", &["OK"]),
                step("MGET a b", &["1) \"1\"", "2) \"2\""]),
                step("RPUSH l 3 1 2", &["(integer) 3"]),
                step("SORT l STORE d", &["(integer) 3"]),
                step("LMPOP 2 nothing l LEFT", &["1) \"l\"", "2) 1) \"3\""]),
                step("ZADD z 1 m", &["(integer) 1"]),
                step("ZUNIONSTORE d 1 z", &["(integer) 1"]),
                step("EVAL \"return redis.call('INCR', KEYS[1])\" 1 a", &["(integer) 2"]),
                step("XADD s 1-1 f v", &["\"1-1\""]),
                step("XREAD COUNT 1 STREAMS s 0", &["1) 1) \"s\"", "~*"]),
                step("SCAN 0 COUNT 1000", &["1) \"0\"", "~*"]),
                step("RENAME b c", &["OK"]),
                step("OBJECT ENCODING a", &["\"int\""]),
                step("OBJECT FREQ a", &["~(error)*"]),
                step("DEL a c l z d s", &["~(integer) <number>"]),
                step("PUBLISH news x", &["(integer) 0"]),
                step("SET a 1 EX 100", &["OK"]),
                step("MULTI", &["OK"]),
                step("INCR a", &["QUEUED"]),
                step("EXEC", &["1) (integer) 2"]),
                step("UNLINK a", &["(integer) 1"]),
            ],
        ))
        .await;
    assert_eq!(outcome.stopped, None);
    assert_eq!(failures(&outcome), Vec::<String>::new());
    for line in [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG SET maxmemory 1",
        "KEYS *",
        "RANDOMKEY",
        "SELECT 1",
        "SWAPDB 0 1",
        "DEBUG SLEEP 0",
        "SHUTDOWN",
        "EVAL \"return redis.call('DEL','a')\" 0",
        "CLIENT KILL TYPE normal",
        "MIGRATE h 1 a 0 1",
        "SCRIPT FLUSH",
        "ACL SETUSER x",
        "FUNCTION FLUSH",
        "EVAL \"return redis.call('FLUSHALL')\" 0",
    ] {
        let outcome = talk.session.run_block(&block(&[], vec![step(line, &[])])).await;
        assert!(outcome.stopped.is_some_and(|why| why.contains("not ours")), "{line}");
    }
    let after = owner.ask("EVAL \"local r = {} for _, k in ipairs(redis.call('KEYS', '*')) do r[#r+1] = k .. redis.sha1hex(redis.call('DUMP', k)) end table.sort(r) return r\" 0").await;
    assert_eq!(before, after);
    server.stop().await;
}
