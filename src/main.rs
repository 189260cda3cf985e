//! The `cachelab` binary: everything is in the library, see [`cachelab`].

fn main() -> std::process::ExitCode {
    cachelab::cli::main()
}
