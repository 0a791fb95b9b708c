//! The process of `kubectl cortenlb`.

fn main() -> std::process::ExitCode {
    cortenlb_cli::run::main(std::env::args_os())
}
