//! coloa-stand: the product driven from outside. `cargo xtask demo`, `playground` and `bench` build it and hand over to it.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod playground;
mod tunnel;

use clap::Parser;
use coloa_xtask::stand::Stand;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Stand,
}

fn main() -> std::process::ExitCode {
    let done = match Cli::parse().command {
        Stand::Playground(args) => playground::main(&args),
        Stand::Demo(args) => demo::main(&args),
        Stand::Bench(args) => bench::main(&args),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
