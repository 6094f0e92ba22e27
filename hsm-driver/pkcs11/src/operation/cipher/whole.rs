//! What the engine encrypts or decrypts at once.

use super::{By, Command, Line, Made};
use crate::abi::memory::Home;
use crate::mechanism::{Aead, BLOCK};
use crate::operation::Pending;
use crate::rv::Outcome;
use crate::slot::Slot;
use coloa_wire::Mechanism;

/// A mechanism that is used once.
pub(super) struct Whole {
    command: Command,
    /// Where an IV goes that the engine makes.
    iv_home: Home,
    pub(super) size: Size,
    /// CCM's `ulDataLen`.
    data_bytes: Option<usize>,
}

/// How long a ciphertext is.
#[derive(Clone, Copy)]
pub(super) enum Size {
    /// Its plaintext and a tag.
    Tag(usize),
    /// An RSA modulus.
    Modulus(usize),
    /// Its plaintext.
    Same,
    /// Its plaintext, padded to whole blocks.
    Padded,
}

impl Whole {
    pub(super) fn new(by: &By, mechanism: Mechanism, size: Size) -> Self {
        let command = by.command(mechanism);
        Whole { command, iv_home: Home::nowhere(), size, data_bytes: None }
    }

    /// Authenticated encryption. `strict` is whether the engine chooses IVs.
    pub(super) fn aead(by: &By, aead: Aead, strict: bool) -> Self {
        let (size, data_bytes) = (Size::Tag(aead.tag_bytes), aead.data_bytes);
        let iv_home = if by.encrypts { aead.iv_from_engine(strict) } else { Home::nowhere() };
        let mechanism = if by.encrypts { aead.encrypting(strict) } else { aead.decrypting() };
        Whole { iv_home, data_bytes, ..Whole::new(by, mechanism, size) }
    }

    /// The most that comes of `given` bytes; an error for lengths that cannot be.
    pub(super) fn most(&self, by: &By, given: usize) -> Outcome<usize> {
        if given > by.limit || !self.has_said_length(by.encrypts, given) {
            return Err(by.wrong_length());
        }
        let most = match (self.size, by.encrypts) {
            (Size::Tag(tag), true) => given.checked_add(tag),
            (Size::Tag(tag), false) => given.checked_sub(tag),
            (Size::Modulus(bytes), true) => (given <= bytes).then_some(bytes),
            (Size::Modulus(bytes), false) => (given == bytes).then_some(bytes),
            (Size::Same, _) => Some(given),
            (Size::Padded, true) => Some(given / BLOCK * BLOCK + BLOCK),
            (Size::Padded, false) => (given > 0 && given.is_multiple_of(BLOCK)).then(|| given - 1),
        };
        most.ok_or(by.wrong_length())
    }

    /// CCM's caller says beforehand how long the data is; of a decryption some mean the ciphertext.
    fn has_said_length(&self, encrypts: bool, given: usize) -> bool {
        match (self.data_bytes, self.size) {
            (Some(said), Size::Tag(tag)) if !encrypts => given == said || given.checked_sub(tag) == Some(said),
            (Some(said), _) => given == said,
            (None, _) => true,
        }
    }

    /// Whether [`Whole::most`] is what comes.
    pub(super) fn is_exact(&self, encrypts: bool) -> bool {
        encrypts || matches!(self.size, Size::Tag(_) | Size::Same)
    }

    /// Does it. The command stays, for a caller whose buffer is too small for the result.
    pub(super) fn run(&mut self, by: &By, line: Line<'_>, data: &[u8]) -> Outcome<Made> {
        let iv = self.command.run(by, line, data)?;
        iv.map_or(Ok(()), |iv| self.iv_home.write(&iv))?;
        Ok(Made::Bulk)
    }

    /// Puts it on the wire.
    pub(super) fn begin(&mut self, by: &By, at: (&Slot, &'static str), data: &[u8]) -> Outcome<Pending> {
        self.command.begin(by, at, (data, self.iv_home.clone()))
    }
}
