//! The shim, in its own process: becomes a session leader, waits until it is registered with the
//! guardian, then turns into the program.
//!
//! Its stdin is a socket to the parent: `r` says "I am a session leader now", `g` from the parent
//! says go, and whatever follows is why the program could not be executed. The socket closes by
//! itself when it could. If the parent dies first, the read ends and so do we.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read, Write},
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::{Command, ExitCode},
};

/// Exit code when the shim ends without having become the program.
const NOT_STARTED: u8 = 127;

pub(super) fn main(args: &[OsString]) -> ExitCode {
    let Some((program, rest)) = args.split_first() else { return ExitCode::from(NOT_STARTED) };
    match run(program, rest) {
        Ok(never) => match never {},
        Err(()) => ExitCode::from(NOT_STARTED),
    }
}

fn run(program: &OsString, args: &[OsString]) -> Result<std::convert::Infallible, ()> {
    // Already a leader only if someone runs the hidden subcommand by hand.
    let _ = rustix::process::setsid();
    // A second belt for the day that guardian and parent are killed together. The parent starts us
    // from a thread that lives as long as it does, which is what this signal is tied to.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(drop)?;
    let mut socket = UnixStream::from(socket);
    let null = std::fs::File::open("/dev/null").map_err(drop)?;
    rustix::stdio::dup2_stdin(&null).map_err(drop)?;
    drop(null);
    socket.write_all(b"r").map_err(drop)?;
    let mut go = [0];
    socket.read_exact(&mut go).map_err(drop)?;
    let error = execute(program, args);
    let _ = match error.kind() {
        // The file is there, so it is what its first line names that is not.
        ErrorKind::NotFound if Path::new(program).is_file() => {
            write!(socket, "eit needs an interpreter or loader that is not there")
        }
        ErrorKind::NotFound => write!(socket, "n"),
        _ => write!(socket, "e{error}"),
    };
    Err(())
}

/// Returns only when it can't. A program that was just written may be "busy" for an instant, while
/// another thread's new child still holds the file open.
fn execute(program: &OsString, args: &[OsString]) -> std::io::Error {
    for _ in 0..100 {
        let error = Command::new(program).args(args).exec();
        if error.kind() != ErrorKind::ExecutableFileBusy {
            return error;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Command::new(program).args(args).exec()
}
