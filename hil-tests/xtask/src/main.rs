//! `cargo xtask`: what a developer types.
//!
//! It trusts the working tree it was built from and nothing else: tools have pinned versions, and what it installs goes
//! through apt, rustup, crates.io and PyPI. Every subcommand says what it is about to do and ends with a verdict.

#![forbid(unsafe_code)]

mod check;
mod firmware;
mod fuzz;
mod gates;
mod kryoptic;
mod miri;
mod package;
mod product;
mod python;
mod required;
mod run;
mod setup;
mod soak;
mod testing;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};
use coloa_xtask::stand::Stand;

/// Build, test, show and measure Cổ Loa.
///
/// Start with `cargo xtask demo` (the product at work, judged by OpenSSL, tcpdump and iperf3) or
/// `cargo xtask test` (every test). Both install what is missing first: on Debian through apt-get,
/// which needs root.
#[derive(Parser)]
#[command(verbatim_doc_comment, name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    #[command(flatten)]
    Stand(Stand),
    Setup(setup::Args),
    Check(check::Args),
    Test(testing::Args),
    Firmware(firmware::Args),
    Package(package::Args),
    Fuzz(fuzz::Args),
    Soak(soak::Args),
    Miri(miri::Args),
    Requirements(required::Args),
}

fn main() -> std::process::ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<()> {
    std::env::set_current_dir(run::root())?;
    match task {
        Task::Stand(a) => product::main(&a),
        Task::Setup(a) => setup::main(&a),
        Task::Check(a) => check::main(&a),
        Task::Test(a) => testing::main(&a),
        Task::Firmware(a) => firmware::main(&a),
        Task::Package(a) => package::main(&a),
        Task::Fuzz(a) => fuzz::main(&a),
        Task::Soak(a) => soak::main(&a),
        Task::Miri(a) => miri::main(&a),
        Task::Requirements(a) => required::main(&a),
    }
}
