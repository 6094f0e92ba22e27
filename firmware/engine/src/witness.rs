//! What the device signs with: an identity that only certifies, a key for checkpoints of the audit log (R17), a key for
//! what is known of keys. One key, one purpose (R10); all on P-384, drawn here and sealed under the device key.
//!
//! They are drawn when they are first needed, in one commit, so that a device of an earlier version gets them too, and a
//! board that never vouches for anything never pays for them. Their certificates never end (RFC 5280 §4.1.2.5): a key lives
//! as long as its device, and what it signed is looked at later.

mod certificate;

pub(crate) use certificate::{Subject, key_certificate};

use crate::ledger::Change;
use crate::record::{self, CHECKPOINT, WITNESS};
use crate::state::Fact;
use crate::{Crypto, Curve, Engine, Hash, KeyKind, PairKind, Platform, Timestamp};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::{CheckpointText, SignedCheckpoint};
use core::sync::atomic::Ordering;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The audit log is signed after so many new records, or after [`MAX_UNSIGNED_MS`] when there are any.
const MAX_UNSIGNED: u64 = 1_000;
const MAX_UNSIGNED_MS: u64 = 3_600_000;
/// How often a commit is tried anew because somebody else was first.
const MAX_TRIES: usize = 16;

const KIND: PairKind = PairKind::Ec(Curve::P384);

/// One signing key with its certificate.
#[derive(Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(map)]
pub(crate) struct Signer {
    #[cbor(n(0), with = "minicbor::bytes")]
    secret: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub public: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
}

/// The device's signing keys.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct WitnessRecord {
    #[n(0)]
    pub device: Signer,
    #[n(1)]
    pub audit: Signer,
    #[n(2)]
    pub attestation: Signer,
}

/// How far the audit log was signed.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub number: u64,
    pub time: Timestamp,
}

impl Signer {
    /// A key without a certificate.
    fn draw<P: Platform>(engine: &Engine<P>) -> Result<Self, ErrorCode> {
        let pair = engine.platform().crypto().generate(KIND).map_err(|error| engine.crypto_failed(error))?;
        Ok(Signer { secret: pair.secret.to_vec(), public: pair.public.clone(), certificate: Vec::new() })
    }

    /// `r ‖ s`, with SHA-384.
    pub(crate) fn sign<P: Platform>(&self, engine: &Engine<P>, text: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let crypto = engine.platform().crypto();
        let failed = |error| engine.crypto_failed(error);
        let key = crypto.load(KeyKind::Pair(KIND), &self.secret).map_err(failed)?;
        let digest = crypto.digest(Hash::Sha384, &[text]);
        crypto.sign(&key, crate::Scheme::Ecdsa, digest.as_ref()).map_err(failed)
    }
}

impl<P: Platform> Engine<P> {
    /// The device's signing keys; drawn now if there are none.
    pub(crate) fn witness(&self) -> Result<WitnessRecord, ErrorCode> {
        for _ in 0..MAX_TRIES {
            if let Some((_, plain)) = self.device_record(&WITNESS)? {
                return record::decode(&plain);
            }
            let drawn = self.draw_witness()?;
            let change = self.device_change(WITNESS, 0, &drawn, Fact::Opaque)?;
            match self.commit_quietly(vec![change]) {
                Ok(()) => return Ok(drawn),
                Err(ErrorCode::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorCode::Conflict)
    }

    fn draw_witness(&self) -> Result<WitnessRecord, ErrorCode> {
        let device = self.state().device().ok_or(ErrorCode::DeviceNotInitialized)?;
        let mut signers = [Signer::draw(self)?, Signer::draw(self)?, Signer::draw(self)?];
        certificate::certify(self, &device, &mut signers)?;
        let [device, audit, attestation] = signers;
        Ok(WitnessRecord { device, audit, attestation })
    }

    /// Signs the present end of the audit log and keeps that. When nothing is new it is the checkpoint that was kept.
    ///
    /// # Errors
    /// `DeviceNotInitialized`, `ErrorState`, `StoreFull`, `StoreFailed`, `EntropyFailed`.
    pub fn checkpoint(&self) -> Result<SignedCheckpoint, ErrorCode> {
        self.flush_uses()?;
        let witness = self.witness()?;
        for _ in 0..MAX_TRIES {
            let (head, generation) = self.position();
            let kept = self.kept_checkpoint()?;
            let version = match kept {
                Some((_, kept)) if (kept.text.number, kept.text.digest) == (head.number, head.digest) => {
                    return Ok(kept);
                }
                Some((version, _)) => version,
                None => 0,
            };
            let serial = self.state().device().ok_or(ErrorCode::DeviceNotInitialized)?.serial();
            let time = self.platform().now();
            let text = CheckpointText { serial, number: head.number, digest: head.digest, time: time.0, generation };
            let signature = witness.audit.sign(self, &text.signed())?;
            let made = SignedCheckpoint { text, signature };
            let change: Change<_> = self.device_change(CHECKPOINT, version, &made, Fact::Opaque)?;
            match self.commit_quietly(vec![change]) {
                Ok(()) => {
                    *self.signed().write() = Mark { number: made.text.number, time };
                    return Ok(made);
                }
                Err(ErrorCode::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorCode::Conflict)
    }

    fn kept_checkpoint(&self) -> Result<Option<(u64, SignedCheckpoint)>, ErrorCode> {
        let kept = self.device_record(&CHECKPOINT)?;
        kept.map(|(version, plain)| record::decode(&plain).map(|made| (version, made))).transpose()
    }

    /// What fails now is tried again after [`MAX_UNSIGNED_MS`] or as many new records: the log goes on.
    pub(crate) fn sign_log_if_due(&self) {
        let (now, head) = (self.platform().now(), self.audit_head().0);
        let mark = *self.signed().read();
        let new = head.saturating_sub(mark.number);
        let waited = now.0.abs_diff(mark.time.0) >= MAX_UNSIGNED_MS;
        let operational = self.lifecycle() == coloa_wire::command::Lifecycle::Operational;
        if !operational || self.has_ended().load(Ordering::Acquire) || !(new >= MAX_UNSIGNED || (waited && new > 0)) {
            return;
        }
        *self.signed().write() = Mark { number: head, time: now };
        if let Err(error) = self.checkpoint() {
            tracing::error!(error = error.name(), "the audit log could not be signed");
        }
    }
}
