//! coloa: the operator's and administrator's command. See `coloa --help`.
//!
//! It talks to an appliance's local socket; `token` and `pin` go the way applications go, through the module's
//! configuration. A client's private key is made here and never leaves.
#![forbid(unsafe_code)]

mod arguments;
mod attest;
mod audit;
mod auditor;
mod backup;
mod ceremony;
mod certificate;
mod client;
mod custodian;
mod device;
mod doctor;
mod fault;
mod firmware;
mod inventory;
mod key;
mod link;
mod partition;
mod quorum;
mod reads;
mod screen;
mod seal;
mod secret;
mod socket;
mod status;
mod token;
mod zeroize;

use arguments::{Arguments, Client, Command, CustodianSet, PinCommand, Token};
use clap::Parser;
use fault::Fault;
use screen::Screen;
use socket::AdminSocket;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new(arguments.lang, arguments.json);
    match run(&arguments, &screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            screen.fault(&fault);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, screen: &Screen) -> Result<(), Fault> {
    let open = || AdminSocket::open(&arguments.socket);
    match &arguments.command {
        Command::Init { label, custodians, threshold } => {
            let asked = threshold.map(|threshold| CustodianSet { custodians: custodians.clone(), threshold });
            device::init(&mut open()?, screen, label, asked.as_ref())
        }
        Command::Status => status::show(&mut open()?, screen),
        Command::Zeroize { confirm } => zeroize::zeroize(&mut open()?, screen, confirm.as_deref()),
        Command::Custodian(asked) => custodian::run(open, screen, asked),
        Command::Quorum(asked) => quorum::run(open, screen, asked),
        Command::Partition(asked) => partition::run(open, screen, asked),
        Command::Client(Client::Enrol(asked)) => client::enrol(&mut open()?, screen, asked),
        Command::Client(Client::List) => client::list(&mut open()?, screen),
        Command::Client(Client::Remove { partition, name, identity }) => {
            client::remove(&mut open()?, screen, partition, (name.as_deref(), identity.as_deref()))
        }
        Command::Key(command) => key::run(open, screen, command),
        Command::Inventory(asked) => inventory::show(&mut open()?, screen, asked),
        Command::Report(asked) => inventory::report(&mut open()?, screen, asked),
        Command::Expiring(asked) => inventory::expiring(&mut open()?, screen, asked),
        Command::Auditor(asked) => auditor::run(&mut open()?, screen, asked),
        Command::Attest(asked) => attest::run(screen, asked),
        Command::Audit(asked) => audit::run(open, screen, asked),
        Command::Backup(asked) => backup::run(open, screen, asked),
        Command::Ceremony(asked) => ceremony::run(open, screen, &asked.command),
        Command::Firmware(asked) => firmware::run(screen, asked),
        Command::Token(Token::List) => token::list(screen),
        Command::Doctor(asked) => doctor::examine(screen, asked),
        Command::Link { words } => link::hand_over(arguments, words),
        Command::Pin(PinCommand::SetUser { token, so, user }) => token::set_user(screen, token, so, user),
        Command::Pin(PinCommand::Change { token, role, old, new }) => {
            token::change(screen, token, *role, (old.source(), new.source()))
        }
    }
}
