//! The command line: arguments, the work of each command, and what people and machines read.

mod arguments;
mod found;
mod look;
mod package;
mod pin;
mod screen;
mod work;

use std::process::ExitCode;

use clap::Parser;
use coloa_pki::Result;
use coloa_pki::message::Language;

use arguments::{Arguments, Command, JournalCommand};
use screen::Screen;

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let language = arguments.lang.unwrap_or_else(Language::of_environment);
    let screen = Screen::new(language, arguments.json);
    match dispatch(&arguments.command, &screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &Command, screen: &Screen) -> Result<()> {
    match command {
        Command::InitRoot(a) => found::root(a, screen),
        Command::InitIssuing(a) => found::issuing(a, screen),
        Command::DeviceKey(a) => work::device_key(a, screen),
        Command::Issue(a) => work::issue(a, screen),
        Command::Revoke(a) => work::revoke(a, screen),
        Command::Crl(a) => work::list(a, screen),
        Command::List(a) => look::inventory(a, screen),
        Command::Export(a) => look::export(a, screen),
        Command::Verify(a) => look::verify(a, screen),
        Command::Journal { command: JournalCommand::Verify(a) } => look::journal_verify(a, screen),
        Command::Journal { command: JournalCommand::Show(a) } => look::journal_show(a, screen),
        Command::Package { command } => package::run(command, screen),
        Command::Profiles => look::profiles(screen),
    }
}
