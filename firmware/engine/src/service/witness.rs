//! Commands about what the device vouches for, and about auditors.

use crate::call::{Call, Effect};
use crate::keyring::Key;
use crate::object::Object;
use crate::record::{AUDITORS, AuditorsRecord, Client};
use crate::service::device;
use crate::state::{Fact, Partition};
use crate::witness::{Subject, key_certificate};
use crate::{Image, Platform, auditor, policy};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode};

pub(crate) fn certificates<P: Platform>(
    call: &mut Call<'_, P>,
    _: DeviceCertificates,
) -> Result<DeviceCertificatesReply, ErrorCode> {
    let witness = call.engine.witness()?;
    Ok(DeviceCertificatesReply {
        device: witness.device.certificate.clone(),
        audit: witness.audit.certificate.clone(),
        attestation: witness.attestation.certificate.clone(),
    })
}

pub(crate) fn checkpoint<P: Platform>(
    call: &mut Call<'_, P>,
    _: AuditCheckpoint,
) -> Result<SignedCheckpoint, ErrorCode> {
    auditor::require_reader(call)?;
    call.engine.checkpoint()
}

/// What was noted is in the log when this returns.
pub(crate) fn note<P: Platform>(call: &mut Call<'_, P>, command: AuditNote) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let fits = (1..=MAX_NOTE).contains(&command.subject.len()) && !command.subject.chars().any(char::is_control);
    if !fits {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    call.detail = Some(command.detail());
    call.commit(Effect::on_device(), Done {})
}

/// Whoever sees a key may have the device say what it is.
pub(crate) fn attest<P: Platform>(call: &mut Call<'_, P>, command: KeyAttest) -> Result<KeyAttestReply, ErrorCode> {
    if command.nonce.len() > MAX_NONCE {
        return Err(ErrorCode::DataTooLong);
    }
    let (session, partition) = call.session()?;
    let object = policy::look_up(&session, &partition, command.object)?;
    let stated = state(call, &partition, &object, command.nonce)?;
    let mut statement = Vec::new();
    encode_head(&stated, &mut statement);
    let signer = call.engine.witness()?.attestation;
    let signature = signer.sign(call.engine, &statement_signed(&statement))?;
    let name = format!("{}", stated.object);
    let subject = Subject { name: &name, serial: stated.serial };
    let certify = |info: &Vec<u8>| key_certificate(call.engine, &signer, &subject, (info, &statement));
    let certificate = stated.public.as_ref().map(certify).transpose()?;
    call.note(&session, Some(object.id));
    Ok(KeyAttestReply { statement, signature, certificate })
}

fn state<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    object: &Object<Key<P>>,
    nonce: Vec<u8>,
) -> Result<KeyStatement, ErrorCode> {
    let key_type = object.number(A::KEY_TYPE).ok_or(ErrorCode::KeyTypeInconsistent)?;
    let device = call.engine.state().device().ok_or(ErrorCode::DeviceNotInitialized)?;
    let drawn = object.flag(A::LOCAL);
    let flags = ATTESTED_FLAGS.iter().filter(|flag| object.flag(**flag)).map(|flag| flag.0).collect();
    Ok(KeyStatement {
        serial: device.serial(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        time: call.engine.platform().now().if_set().map(|now| now.0),
        nonce,
        partition: partition.id,
        partition_label: partition.info().record.label.clone(),
        mode: partition.mode,
        object: object.id,
        class: object.class(),
        key_type,
        mechanism: object.number(A::KEY_GEN_MECHANISM).filter(|_| drawn),
        flags,
        public: object.bytes(A::PUBLIC_KEY_INFO).filter(|info| !info.is_empty()).map(<[u8]>::to_vec),
        image: call.engine.platform().image().map(image),
    })
}

fn image(image: Image) -> ImageStatement {
    ImageStatement { digest: image.digest, is_recorded: image.recorded.is_some() }
}

pub(crate) fn add_auditor<P: Platform>(call: &mut Call<'_, P>, command: AuditorAdd) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let bound = call.engine.bound_clients().iter().any(|(_, identity, _)| *identity == command.identity);
    // Who uses keys does not audit (R1).
    if command.name.is_empty() || !device::name(&command.name) || bound {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    change_auditors(call, |auditors| {
        auditors.retain(|a| a.identity != command.identity);
        auditors.push(Client { identity: command.identity, name: command.name });
    })
}

pub(crate) fn remove_auditor<P: Platform>(call: &mut Call<'_, P>, command: AuditorRemove) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    change_auditors(call, |auditors| auditors.retain(|a| a.identity != command.identity))
}

fn change_auditors<P: Platform>(call: &Call<'_, P>, change: impl FnOnce(&mut Vec<Client>)) -> Result<Done, ErrorCode> {
    let known = call.engine.state().auditors().known();
    let version = known.as_ref().map_or(0, |k| k.version);
    let mut auditors = known.map(|k| k.record.auditors.clone()).unwrap_or_default();
    change(&mut auditors);
    if auditors.len() > MAX_AUDITORS {
        return Err(ErrorCode::LimitReached);
    }
    let record = AuditorsRecord { auditors };
    let change = call.engine.device_change(AUDITORS, version, &record.clone(), Fact::Auditors(record))?;
    call.commit(Effect { changes: vec![change], ..Effect::on_device() }, Done {})
}

pub(crate) fn auditors<P: Platform>(call: &mut Call<'_, P>, _: AuditorList) -> Result<AuditorListReply, ErrorCode> {
    auditor::require_reader(call)?;
    let auditors = call.engine.state().auditors().list().into_iter();
    Ok(AuditorListReply { auditors: auditors.map(|a| AuditorAdd { identity: a.identity, name: a.name }).collect() })
}
