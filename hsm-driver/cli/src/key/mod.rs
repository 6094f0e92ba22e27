//! `coloa key`: a key's life, as an operator governs it. Nothing here uses a key or sees its value.

mod acts;
pub mod arguments;
pub mod pages;
mod words;

pub use arguments::Key;
pub use pages::{all, choose};
pub use words::{class_word, date, document, label, state_word, type_word};

use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_wire::command::KeyState;

/// Carries out a command.
pub fn run(open: impl Fn() -> Result<AdminSocket, Fault>, screen: &Screen, command: &Key) -> Result<(), Fault> {
    match command {
        Key::List { partition } => pages::list(&mut open()?, screen, partition),
        Key::Show(chosen) => pages::show(&mut open()?, screen, chosen),
        Key::Suspend(act) => acts::restrict(&mut open()?, screen, act, KeyState::Suspended),
        Key::Deactivate(act) => acts::restrict(&mut open()?, screen, act, KeyState::Deactivated),
        Key::Compromise(act) => acts::restrict(&mut open()?, screen, act, KeyState::Compromised),
        Key::Activate { act, so } | Key::Resume { act, so } => acts::release(&mut open()?, screen, act, so),
        Key::Describe { chosen, said } => acts::describe(&mut open()?, screen, chosen, said),
        Key::Destroy { act, so, confirm } => acts::destroy(&mut open()?, screen, (act, so), confirm.as_deref()),
        Key::Rotate { token, key, reason, user } => acts::rotate(screen, (token, key), reason, user),
    }
}
