//! How long a command will take: for bodies that answer slow commands beside the quick ones.

use crate::{Engine, Peer, Platform};
use coloa_wire::attribute::Value;
use coloa_wire::command::{
    Decrypt, KeyDecapsulate, KeyDerive, KeyEncapsulate, KeyGenerate, KeyPairGenerate, KeyUnwrap, ObjectCreate,
    ObjectDestroy, Sign, decode_head,
};
use coloa_wire::{AttributeType, CommandCode, ErrorCode, Frame, FrameKind, MechanismType, Template};

/// How long a frame's answer takes. A guess: a wrong one costs time and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Microseconds.
    Quick,
    /// Waits for the medium.
    Commits,
    /// Tens of milliseconds, or more.
    Slow,
    /// Stretches a PIN, or stands for that: memory and a core for tens of milliseconds.
    Login,
}

/// Whether a call computes for milliseconds where others take microseconds, so that a flood of it would starve them: RSA with
/// a private key. Asked only where cores are short, as the head has to be read for it.
pub fn computes_long(frame: &[u8]) -> bool {
    let Ok(frame) = Frame::parse(frame) else { return false };
    let mechanism = match CommandCode::try_from(frame.code) {
        Ok(CommandCode::Sign) => decode_head::<Sign>(frame.head).map(|c| c.mechanism.kind),
        Ok(CommandCode::Decrypt) => decode_head::<Decrypt>(frame.head).map(|c| c.mechanism.kind),
        Ok(CommandCode::KeyUnwrap) => decode_head::<KeyUnwrap>(frame.head).map(|c| c.mechanism.kind),
        _ => return false,
    };
    mechanism.is_ok_and(is_rsa)
}

/// PKCS#11 numbers RSA's mechanisms without hash from 1 to 15, and has three rows of those with one.
fn is_rsa(mechanism: MechanismType) -> bool {
    use MechanismType as M;
    let rows = [
        (M::RSA_PKCS, M::RSA_PKCS_PSS),
        (M::SHA256_RSA_PKCS, M::SHA224_RSA_PKCS_PSS),
        (M::SHA3_256_RSA_PKCS, M::SHA3_224_RSA_PKCS_PSS),
        (M::RSA_AES_KEY_WRAP, M::RSA_AES_KEY_WRAP),
    ];
    rows.iter().any(|(first, last)| (first.0..=last.0).contains(&mechanism.0))
}

impl<P: Platform> Engine<P> {
    /// Of a whole frame; what cannot be parsed is refused quickly.
    pub fn pace(&self, peer: &Peer, frame: &[u8]) -> Pace {
        match Frame::parse(frame) {
            Ok(frame) if frame.kind == FrameKind::Call => self.of_call(peer, &frame).unwrap_or(Pace::Quick),
            _ => Pace::Quick,
        }
    }

    fn of_call(&self, peer: &Peer, frame: &Frame<'_>) -> Result<Pace, ErrorCode> {
        use CommandCode as C;
        let head = frame.head;
        Ok(match CommandCode::try_from(frame.code)? {
            C::Login | C::ContextLogin | C::TicketLogin | C::PinChange | C::UserPinInitialize | C::TokenInitialize => {
                Pace::Login
            }
            C::AuditRead => Pace::Slow,
            C::BackupExportPage | C::BackupRestorePage | C::BackupRestoreFinish | C::BackupRestoreAbort => Pace::Slow,
            C::Batch => Pace::Commits,
            C::KeyPairGenerate => {
                let command: KeyPairGenerate = decode_head(head)?;
                // A search for primes.
                let slow = command.mechanism.kind == MechanismType::RSA_PKCS_KEY_PAIR_GEN;
                if slow { Pace::Slow } else { making(&[&command.public, &command.private]) }
            }
            C::KeyGenerate => {
                let command: KeyGenerate = decode_head(head)?;
                let slow = command.mechanism.kind == MechanismType::PKCS5_PBKD2;
                if slow { Pace::Slow } else { making(&[&command.template]) }
            }
            C::ObjectCreate => making(&[&decode_head::<ObjectCreate>(head)?.template]),
            C::KeyUnwrap => making(&[&decode_head::<KeyUnwrap>(head)?.template]),
            C::KeyDerive => making(&[&decode_head::<KeyDerive>(head)?.template]),
            C::KeyEncapsulate => making(&[&decode_head::<KeyEncapsulate>(head)?.template]),
            C::KeyDecapsulate => making(&[&decode_head::<KeyDecapsulate>(head)?.template]),
            C::ObjectDestroy => {
                let command: ObjectDestroy = decode_head(head)?;
                let session = self.sessions().find(frame.session.ok_or(ErrorCode::SessionUnknown)?, peer)?;
                if session.object(command.object).is_some() { Pace::Quick } else { Pace::Commits }
            }
            other if other.changes_state() => Pace::Commits,
            _ => Pace::Quick,
        })
    }
}

/// Objects of the session are nowhere but in memory.
fn making(templates: &[&Template]) -> Pace {
    let stored = |template: &&Template| template.value(AttributeType::TOKEN) == Some(&Value::Bool(true));
    if templates.iter().any(stored) { Pace::Commits } else { Pace::Quick }
}
