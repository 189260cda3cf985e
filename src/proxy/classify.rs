//! What kind of command this is, as far as holding it is concerned.

use bytes::Bytes;

/// How a command is treated in controlled mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Connection set-up and introspection (HELLO, CLIENT, SELECT, PING, INFO, SCRIPT …): never held,
    /// because no other client can notice it.
    Handshake,
    /// MULTI, DISCARD, UNWATCH and what is queued between MULTI and EXEC: never held; it has no effect
    /// until EXEC.
    Queued,
    /// EXEC: the whole transaction is one step.
    Exec,
    /// SUBSCRIBE and its kin: never held, answered by pushes instead of a reply.
    Subscribe,
    /// May wait inside the server (BLPOP, XREAD BLOCK …): held, and its reply is held again.
    Blocking,
    /// Everything else: held.
    Normal,
    /// Answered by the proxy itself: AUTH (only the proxy knows the password), SHUTDOWN and other
    /// commands that would take the server away from everybody.
    Local,
}

/// The class of a command outside of a transaction.
pub fn classify(argv: &[Bytes]) -> Class {
    let Some(name) = argv.first() else { return Class::Handshake };
    match name.to_ascii_uppercase().as_slice() {
        b"AUTH" | b"SHUTDOWN" | b"DEBUG" | b"REPLICAOF" | b"SLAVEOF" | b"FAILOVER" => Class::Local,
        b"HELLO" | b"CLIENT" | b"SELECT" | b"PING" | b"ECHO" | b"INFO" | b"COMMAND" | b"SCRIPT" | b"FUNCTION"
        | b"CONFIG" | b"TIME" | b"QUIT" | b"RESET" | b"READONLY" | b"READWRITE" | b"CLUSTER" | b"ROLE" | b"ACL"
        | b"LATENCY" | b"MEMORY" | b"MONITOR" | b"ASKING" | b"LOLWUT" | b"MODULE" | b"SLOWLOG" => Class::Handshake,
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE" => {
            Class::Subscribe
        }
        b"MULTI" | b"DISCARD" | b"UNWATCH" => Class::Queued,
        b"EXEC" => Class::Exec,
        b"BLPOP" | b"BRPOP" | b"BLMOVE" | b"BRPOPLPUSH" | b"BLMPOP" | b"BZPOPMIN" | b"BZPOPMAX" | b"BZMPOP"
        | b"WAIT" | b"WAITAOF" => Class::Blocking,
        b"XREAD" | b"XREADGROUP" if argv.iter().any(|a| a.eq_ignore_ascii_case(b"BLOCK")) => Class::Blocking,
        _ => Class::Normal,
    }
}

/// What the proxy answers itself, and `None` for what the server has to answer.
pub(super) fn local_reply(argv: &[Bytes]) -> &'static [u8] {
    if argv.first().is_some_and(|name| name.eq_ignore_ascii_case(b"AUTH")) {
        // REDIS_URL bears no password, but some programs always send one: any will do.
        return b"+OK\r\n";
    }
    b"-ERR this command would take the server away from the other instances; cachelab refuses it\r\n"
}

/// HELLO without its AUTH part, which only the proxy could fulfil; `None`: send it as it is.
pub(super) fn hello_without_auth(argv: &[Bytes]) -> Option<Vec<Bytes>> {
    if !argv.first()?.eq_ignore_ascii_case(b"HELLO") {
        return None;
    }
    let at = argv.iter().position(|a| a.eq_ignore_ascii_case(b"AUTH"))?;
    let mut rest = argv.to_vec();
    rest.drain(at..(at + 3).min(argv.len()));
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Bytes> {
        line.split(' ').map(|w| Bytes::copy_from_slice(w.as_bytes())).collect()
    }

    #[test]
    fn names_are_case_insensitive_and_blocking_is_seen_in_the_arguments() {
        assert_eq!(classify(&words("hello 3")), Class::Handshake);
        assert_eq!(classify(&words("xread COUNT 1 STREAMS s 0")), Class::Normal);
        assert_eq!(classify(&words("xread block 0 STREAMS s 0")), Class::Blocking);
        assert_eq!(classify(&words("set k v")), Class::Normal);
    }

    #[test]
    fn hello_loses_its_credentials_and_nothing_else() {
        let out = hello_without_auth(&words("HELLO 3 AUTH default pw SETNAME me")).unwrap();
        assert_eq!(out, words("HELLO 3 SETNAME me"));
        assert_eq!(hello_without_auth(&words("HELLO 3")), None);
    }
}
