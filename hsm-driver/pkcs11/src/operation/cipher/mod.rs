//! `C_Encrypt*` and `C_Decrypt*` (§5.9, §5.10).
//!
//! The engine's commands are whole. What must be whole is gathered and processed by the final call: authenticated
//! encryption, of which nothing is released before its tag is verified, and XTS. ECB, CBC and CTR go to the engine in whole
//! blocks as they come ([`chain`]). RSA takes one block.

mod chain;
mod command;
mod whole;

use super::leave::Leave;
use super::{Begin, Buffer, NOT_INITIALIZED, Pending, begin_idle, data_limit};
use crate::abi::memory::{Input, Output};
use crate::key::KeyFacts;
use crate::mechanism::{Chaining, Ciphering};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use chain::Chain;
use coloa_client::Scratch;
use coloa_wire::attribute::class;
use coloa_wire::command::{Decrypt, Encrypt};
use coloa_wire::{AttributeType, Mechanism, MechanismType, ObjectId, UseTicket};
use command::Command;
use cryptoki_sys::*;
use std::cell::Cell;
use whole::{Size, Whole};
use zeroize::Zeroizing;

/// An encryption or decryption that is not done.
pub(crate) struct Cipher {
    by: By,
    way: Way,
    /// Parts that did not go to the engine yet.
    held: Buffer,
    /// A plaintext that did not fit its buffer, where the leave to make it is spent.
    kept: Option<Zeroizing<Vec<u8>>>,
    in_parts: bool,
}

/// Who does it.
pub(super) struct By {
    pub(super) key: ObjectId,
    pub(super) encrypts: bool,
    /// The most data one command takes.
    pub(super) limit: usize,
    leave: Cell<Leave>,
}

enum Way {
    Whole(Whole),
    Chain(Chain),
}

/// What a call produced.
pub(super) enum Made {
    Nothing,
    /// What the engine answered last.
    Bulk,
    /// What it answered in several calls.
    Joined(Zeroizing<Vec<u8>>),
}

impl Made {
    pub(super) fn bytes<'a>(&'a self, scratch: &'a Scratch) -> &'a [u8] {
        match self {
            Made::Nothing => &[],
            Made::Bulk => scratch.bulk(),
            Made::Joined(bytes) => bytes,
        }
    }
}

impl By {
    /// What goes to the engine; it is given leave when it goes.
    fn command(&self, mechanism: Mechanism) -> Command {
        let key = self.key;
        if self.encrypts {
            Command::Encrypt(Encrypt { key, mechanism })
        } else {
            Command::Decrypt(Decrypt { key, mechanism, ticket: None })
        }
    }

    /// Has the engine encrypt or decrypt; the result is then in `scratch`. Returns the IV that the engine made.
    pub(super) fn run(&self, line: Line<'_>, mechanism: Mechanism, data: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.command(mechanism).run(self, line, data)
    }

    /// Spends the leave to use the key once.
    fn spend(&self) -> Outcome<Option<UseTicket>> {
        let mut leave = self.leave.get();
        let ticket = leave.spend();
        self.leave.set(leave);
        ticket
    }

    /// `CKR_DATA_LEN_RANGE`, or what it is for ciphertext.
    pub(super) fn wrong_length(&self) -> Rv {
        if self.encrypts { Rv(CKR_DATA_LEN_RANGE) } else { Rv(CKR_ENCRYPTED_DATA_LEN_RANGE) }
    }

    /// Decides whether this key encrypts, or decrypts, by a mechanism of these keys.
    pub(super) fn new(key: &KeyFacts, key_type: u64, encrypts: bool, limit: usize) -> Outcome<Self> {
        let wanted = match (key_type, encrypts) {
            (coloa_wire::attribute::key_type::RSA, true) => class::PUBLIC_KEY,
            (coloa_wire::attribute::key_type::RSA, false) => class::PRIVATE_KEY,
            _ => class::SECRET_KEY,
        };
        if key.class != wanted || key.key_type != key_type {
            return Err(Rv(CKR_KEY_TYPE_INCONSISTENT));
        }
        key.permits(if encrypts { AttributeType::ENCRYPT } else { AttributeType::DECRYPT })?;
        Ok(By { key: key.id, encrypts, limit, leave: Cell::new(Leave::for_key(key)) })
    }
}

impl Cipher {
    fn new(session: &Session, given: crate::mechanism::Given, key: CK_OBJECT_HANDLE, encrypts: bool) -> Outcome<Self> {
        let kind = given.number()?;
        let ciphering = Ciphering::parse(given)?;
        session.slot.offers(kind, if encrypts { CKF_ENCRYPT } else { CKF_DECRYPT })?;
        let key = session.key(key)?;
        let head = match &ciphering {
            Ciphering::Aead(aead) => aead.aad.len().saturating_add(aead.iv.len()),
            _ => 0,
        };
        let by = By::new(&key, ciphering.key_type(), encrypts, data_limit(&session.slot, head))?;
        let way = Way::new(ciphering, &by, &key, session.slot.is_strict());
        Ok(Cipher { by, way, held: Buffer::default(), kept: None, in_parts: false })
    }
}

impl Way {
    fn new(ciphering: Ciphering, by: &By, key: &KeyFacts, strict: bool) -> Self {
        match ciphering {
            Ciphering::Aead(aead) => Way::Whole(Whole::aead(by, aead, strict)),
            Ciphering::Xts(mechanism) => Way::Whole(Whole::new(by, mechanism, Size::Same)),
            Ciphering::Rsa(mechanism) => Way::Whole(Whole::new(by, mechanism, Size::Modulus(key.output_bytes))),
            // Blocks before the last go by plain CBC: a key that is for the padded mode only has all at once.
            Ciphering::Chained(Chaining::CbcPad(iv)) if !key.allows(MechanismType::AES_CBC) => {
                let iv = coloa_wire::Parameter::Iv(Some(iv.to_vec()));
                Way::Whole(Whole::new(by, Mechanism::with(MechanismType::AES_CBC_PAD, iv), Size::Padded))
            }
            Ciphering::Chained(chaining) => Way::Chain(Chain(chaining)),
        }
    }
}

impl Session {
    pub(crate) fn encrypt_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin_idle(state, (CKF_ENCRYPT, |s| &mut s.encrypt), given)? else { return Ok(()) };
        state.encrypt = Some(Cipher::new(self, given, key, true)?);
        Ok(())
    }

    pub(crate) fn decrypt_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin_idle(state, (CKF_DECRYPT, |s| &mut s.decrypt), given)? else { return Ok(()) };
        state.decrypt = Some(Cipher::new(self, given, key, false)?);
        Ok(())
    }

    pub(crate) fn encrypt(&self, data: &Input, out: &Output) -> Outcome {
        self.end(("C_Encrypt", true), Some(data), out)
    }

    pub(crate) fn decrypt(&self, data: &Input, out: &Output) -> Outcome {
        self.end(("C_Decrypt", false), Some(data), out)
    }

    pub(crate) fn encrypt_update(&self, part: &Input, out: &Output) -> Outcome {
        let State { encrypt, scratch, .. } = &mut *self.state();
        update(encrypt, (&self.slot, scratch), part, out).map(drop)
    }

    pub(crate) fn decrypt_update(&self, part: &Input, out: &Output) -> Outcome {
        let State { decrypt, scratch, .. } = &mut *self.state();
        update(decrypt, (&self.slot, scratch), part, out).map(drop)
    }

    pub(crate) fn encrypt_final(&self, out: &Output) -> Outcome {
        self.end(("C_EncryptFinal", true), None, out)
    }

    pub(crate) fn decrypt_final(&self, out: &Output) -> Outcome {
        self.end(("C_DecryptFinal", false), None, out)
    }

    /// The function that ends an operation: with all the data, or after its parts.
    fn end(&self, (function, encrypts): (&'static str, bool), data: Option<&Input>, out: &Output) -> Outcome {
        let state = &mut *self.state();
        state.is_idle()?;
        let State { encrypt, decrypt, scratch, pending, .. } = state;
        let operation = if encrypts { encrypt } else { decrypt };
        let active = operation.as_mut().ok_or(NOT_INITIALIZED)?;
        match data {
            Some(_) if active.in_parts => return Err(Rv(CKR_OPERATION_ACTIVE)),
            None if !active.takes_parts() => return Err(NOT_INITIALIZED),
            _ => (),
        }
        let later = self.overlaps.then_some(function);
        match active.end((&self.slot, scratch), data, out, later) {
            Ok(Ending::Asked) => return Ok(()),
            stands @ Err(Rv(CKR_BUFFER_TOO_SMALL | CKR_ARGUMENTS_BAD)) => return stands.map(drop),
            Ok(Ending::Done) => *operation = None,
            Ok(Ending::Later(call)) => {
                *operation = None;
                *pending = Some(call);
                return Err(Rv(CKR_PENDING));
            }
            Err(why) => {
                *operation = None;
                return Err(why);
            }
        }
        Ok(())
    }
}

/// How the function that ends an operation went.
enum Ending {
    /// Only the length was asked for.
    Asked,
    Done,
    Later(Pending),
}

/// The engine's end of a call, and its buffers.
pub(super) type Line<'a> = (&'a Slot, &'a mut Scratch);

/// Takes a part; `None` when only the length was asked for.
pub(super) fn update(
    operation: &mut Option<Cipher>,
    (slot, scratch): Line<'_>,
    part: &Input,
    out: &Output,
) -> Outcome<Option<Made>> {
    let active = operation.as_mut().filter(|o| o.takes_parts()).ok_or(NOT_INITIALIZED)?;
    let ready = match &active.way {
        Way::Whole(_) => 0,
        Way::Chain(chain) => chain.ready(&active.by, active.held.0.len().saturating_add(part.len())),
    };
    if !out.has_room(ready)? {
        return Ok(None);
    }
    active.in_parts = true;
    let made = active.part((slot, scratch), part.bytes(), ready).inspect_err(|_| *operation = None)?;
    out.put(made.bytes(scratch)).inspect_err(|_| *operation = None)?;
    Ok(Some(made))
}

impl Cipher {
    pub(super) fn leave(&mut self) -> &mut Leave {
        self.by.leave.get_mut()
    }

    /// Where only the engine knows how long a plaintext is, a buffer that may be too small is tried, and the operation stays
    /// as it was when it is; a call that is answered `later` begins with enough room only.
    fn end(
        &mut self,
        (slot, scratch): Line<'_>,
        data: Option<&Input>,
        out: &Output,
        later: Option<&'static str>,
    ) -> Outcome<Ending> {
        let most = self.most(data.map_or(self.held.0.len(), Input::len))?;
        let Some(room) = out.capacity(most)? else { return Ok(Ending::Asked) };
        if room < most && (later.is_some() || self.is_exact()) {
            return out.has_room(most).map(|_| Ending::Asked);
        }
        let data = data.map(Input::bytes);
        if let Some(function) = later
            && let Some(call) = self.begin((slot, function), data)?
        {
            return Ok(Ending::Later(call.into_buffer(out, if self.is_exact() { most..=most } else { 0..=room })));
        }
        let made = match self.kept.take() {
            Some(kept) => Made::Joined(kept),
            None => self.run((slot, &mut *scratch), data)?,
        };
        if self.is_exact() && made.bytes(scratch).len() != most {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        let delivered = out.put_within(room, made.bytes(scratch));
        if delivered == Err(Rv(CKR_BUFFER_TOO_SMALL)) {
            self.keep(made.bytes(scratch));
        }
        delivered.map(|()| Ending::Done)
    }

    /// The most that comes of the last `given` bytes; an error for lengths that cannot be.
    fn most(&self, given: usize) -> Outcome<usize> {
        match &self.way {
            Way::Whole(whole) => whole.most(&self.by, given),
            Way::Chain(chain) => chain.most(&self.by, given),
        }
    }

    /// Has the engine process the data, or what is held.
    fn run(&mut self, line: Line<'_>, data: Option<&[u8]>) -> Outcome<Made> {
        let data = data.unwrap_or(&self.held.0);
        match &mut self.way {
            Way::Whole(whole) => whole.run(&self.by, line, data),
            Way::Chain(chain) => chain.all(&self.by, line, data),
        }
    }

    /// Puts that on the wire, if it is one command.
    fn begin(&mut self, at: (&Slot, &'static str), data: Option<&[u8]>) -> Outcome<Option<Pending>> {
        let data = data.unwrap_or(&self.held.0);
        match &mut self.way {
            Way::Whole(whole) => whole.begin(&self.by, at, data).map(Some),
            Way::Chain(chain) if chain.is_one(&self.by, data) => chain.begin(&self.by, at, data).map(Some),
            Way::Chain(_) => Ok(None),
        }
    }

    /// Keeps what can be made only once.
    fn keep(&mut self, made: &[u8]) {
        if !matches!(self.by.leave.get(), Leave::Free) {
            self.kept = Some(Zeroizing::new(made.to_vec()));
        }
    }

    /// Whether data may come in parts: RSA takes one block (§6.1.6, §6.1.8).
    fn takes_parts(&self) -> bool {
        !matches!(&self.way, Way::Whole(Whole { size: Size::Modulus(_), .. }))
    }

    /// Whether the length of a result is known before it is there.
    fn is_exact(&self) -> bool {
        match &self.way {
            Way::Whole(whole) => whole.is_exact(self.by.encrypts),
            Way::Chain(chain) => chain.is_exact(self.by.encrypts),
        }
    }

    /// Takes a part, of which, with what is held, `ready` bytes go to the engine.
    fn part(&mut self, line: Line<'_>, part: &[u8], ready: usize) -> Outcome<Made> {
        match &mut self.way {
            Way::Chain(chain) if ready > 0 => {
                let held = std::mem::take(&mut self.held);
                let from_part = ready.saturating_sub(held.0.len());
                let (now, later) = part.split_at_checked(from_part).ok_or(Rv(CKR_GENERAL_ERROR))?;
                let made = if held.0.is_empty() {
                    chain.run(&self.by, line, now)
                } else {
                    let joined = Zeroizing::new([&held.0, now].concat());
                    chain.run(&self.by, line, &joined)
                };
                self.held.push(later, usize::MAX)?;
                made
            }
            Way::Whole(_) | Way::Chain(_) => {
                let pushed = self.held.push(part, self.by.limit);
                pushed.map_err(|_| self.by.wrong_length()).map(|()| Made::Nothing)
            }
        }
    }
}
