//! `coloa backup`: the master backup key and its shares, archives, and restoring them on another device.
//!
//! Archives come and go as the engine seals them; nothing is opened here. A share is in this process's memory on its way to
//! or from its holder, and is wiped.

pub mod archive;
pub mod arguments;
pub mod create;
pub mod key;
pub mod paper;
mod progress;
pub mod restore;
mod show;
mod trouble;

pub use trouble::Trouble;

use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use arguments::{Backup, Key};

pub fn run(open: impl Fn() -> Result<AdminSocket, Fault>, screen: &Screen, asked: &Backup) -> Result<(), Fault> {
    match asked {
        Backup::Key(Key::Create { threshold, holders, out_dir }) => {
            key::create(&mut open()?, screen, (*threshold, holders), out_dir.as_deref())
        }
        Backup::Key(Key::HandOut { holder, out_dir }) => {
            key::hand_out(&mut open()?, screen, holder.as_deref(), out_dir.as_deref())
        }
        Backup::Key(Key::Show) => key::show(&mut open()?, screen),
        Backup::Create { out, since } => create::create(&mut open()?, screen, out, since.as_deref()),
        Backup::Show { file } => show::show(screen, file),
        Backup::Verify { files, shares, full } if shares.is_empty() && !full => show::verify(screen, files),
        Backup::Verify { files, shares, .. } => restore::verify(&mut open()?, screen, files, shares),
        Backup::Restore { files, shares, step } => restore::restore(&mut open()?, screen, files, (shares, *step)),
        Backup::GiveShare { share } => restore::give_one(&mut open()?, screen, share.as_deref()),
    }
}
