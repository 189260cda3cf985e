//! Commands that are dangerous on a server with somebody's data, and why.
//!
//! Owns: the list. Must not know: whose server it is, how the question is asked.

use super::state::is;

/// Keys in one DEL or UNLINK beyond which it is asked.
const MANY: usize = 10;

/// One sentence on what the command would do to a server that is not ours; `None` when it is harmless
/// enough.
pub(super) fn danger(arguments: &[Vec<u8>]) -> Option<String> {
    let name = arguments.first()?.to_ascii_lowercase();
    let keys = arguments.len() - 1;
    let fixed = |text: &str| Some(text.to_owned());
    match name.as_slice() {
        b"flushall" => fixed("FLUSHALL deletes every key in every database of this server"),
        b"flushdb" => fixed("FLUSHDB deletes every key in this database"),
        b"swapdb" => fixed("SWAPDB exchanges two databases for every client at once"),
        b"shutdown" => fixed("SHUTDOWN stops the server for everybody"),
        b"failover" | b"replicaof" | b"slaveof" => fixed("this changes who replicates whom, and may drop all data"),
        b"keys" => fixed("KEYS reads every key in one go and blocks all clients meanwhile; SCAN does it in steps"),
        b"monitor" => fixed("MONITOR shows every client's commands and may halve the server's throughput"),
        b"save" => fixed("SAVE blocks all clients until the whole data set is on disk; BGSAVE does not"),
        b"debug" => fixed("DEBUG can block or crash the server"),
        b"del" | b"unlink" if keys > MANY => Some(format!("it deletes {keys} keys")),
        b"migrate" => fixed("MIGRATE blocks both servers and deletes the keys here unless COPY is given"),
        b"config" if is(arguments, 1, "set") => fixed("CONFIG SET changes the server for everybody"),
        b"config" if is(arguments, 1, "rewrite") => fixed("CONFIG REWRITE overwrites the server's configuration file"),
        b"config" if is(arguments, 1, "resetstat") => {
            fixed("CONFIG RESETSTAT erases statistics that somebody may watch")
        }
        b"script" if is(arguments, 1, "flush") => fixed("SCRIPT FLUSH removes scripts that programs may rely on"),
        b"function" if is(arguments, 1, "flush") || is(arguments, 1, "delete") => {
            fixed("this removes functions that programs may rely on")
        }
        b"client" if is(arguments, 1, "kill") => fixed("CLIENT KILL cuts off other programs"),
        b"client" if is(arguments, 1, "pause") => fixed("CLIENT PAUSE stops every client's commands"),
        b"acl" if is(arguments, 1, "setuser") || is(arguments, 1, "deluser") || is(arguments, 1, "load") => {
            fixed("this changes who may do what on this server")
        }
        b"cluster"
            if ["reset", "failover", "forget", "delslots", "flushslots"].iter().any(|word| is(arguments, 1, word)) =>
        {
            fixed("this changes the cluster for everybody")
        }
        b"module" if !is(arguments, 1, "list") => fixed("this loads code into the server, or removes it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::split_args;

    #[test]
    fn dangerous_commands_have_a_reason() {
        let asked = |line: &str| danger(&split_args(line.as_bytes()).unwrap()).is_some();
        for line in
            ["flushall", "FLUSHDB async", "KEYS *", "shutdown nosave", "config set maxmemory 1", "debug sleep 1"]
        {
            assert!(asked(line), "{line}");
        }
        assert!(asked(&format!("del{}", " k".repeat(11))));
        for line in ["get k", "del a b", "config get *", "client list", "scan 0", "module list", "script load x"] {
            assert!(!asked(line), "{line}");
        }
    }
}
