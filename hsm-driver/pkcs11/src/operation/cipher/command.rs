//! What goes to the engine of an encryption or a decryption.

use super::{By, Line};
use crate::abi::memory::Home;
use crate::operation::{Delivery, Naming, Pending};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_wire::command::{Decrypt, Encrypt};
use cryptoki_sys::{CKF_DECRYPT, CKF_ENCRYPT};

/// A command. Mechanisms are large, and one that is used again is not moved.
pub(super) enum Command {
    Encrypt(Encrypt),
    Decrypt(Decrypt),
}

impl Command {
    /// Has the engine do it; the result is then in the line's buffers. Returns the IV that the engine made.
    pub(super) fn run(&mut self, by: &By, (slot, scratch): Line<'_>, data: &[u8]) -> Outcome<Option<Vec<u8>>> {
        match self {
            Command::Encrypt(encrypt) => Ok(slot.call(scratch, encrypt, data).map_err(Rv::of_key)?.iv),
            Command::Decrypt(decrypt) => {
                decrypt.ticket = by.spend()?;
                slot.call(scratch, decrypt, data).map_err(Rv::of_decrypting).map(|_| None)
            }
        }
    }

    /// Puts it on the wire. An IV that the engine makes goes to `iv_home`.
    pub(super) fn begin(
        &mut self,
        by: &By,
        (slot, name): (&Slot, &'static str),
        (data, iv_home): (&[u8], Home),
    ) -> Outcome<Pending> {
        match self {
            Command::Encrypt(encrypt) => {
                let call = (&*encrypt, data, Rv::of_key as Naming);
                Pending::begin(slot, (name, CKF_ENCRYPT), call, move |_, _, (reply, bytes)| {
                    reply.iv.map_or(Ok(()), |iv| iv_home.write(&iv))?;
                    Ok(Delivery::bytes(bytes))
                })
            }
            Command::Decrypt(decrypt) => {
                decrypt.ticket = by.spend()?;
                let call = (&*decrypt, data, Rv::of_decrypting as Naming);
                let opened = |_: &Session, _: &mut State, (_, bytes)| Ok(Delivery::bytes(bytes));
                Pending::begin(slot, (name, CKF_DECRYPT), call, opened)
            }
        }
    }
}
