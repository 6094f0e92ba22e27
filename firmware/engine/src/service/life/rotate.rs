//! Rotation: a new key in the place of an old one, which goes on decrypting and verifying.
//!
//! Both have the same label and id. An application that is to protect with the newest looks for the label and for
//! [`A::STATE`] active: there is one. What it keeps of the old ciphertexts' keys it finds by label and state deactivated.

use super::super::key::{make_pair, random_secret};
use super::super::object::{Draft, Place, draft, place};
use super::{announced, family, moves, reason, standing, stored_key};
use crate::attributes::{Origin, Wanted};
use crate::call::{Call, Effect};
use crate::keyring::Key;
use crate::object::Object;
use crate::policy::{self, Governing};
use crate::{Platform, keypair, life};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::command::{KeyRotate, KeyRotateReply, KeyState};
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType, Template};
use zeroize::Zeroizing;

pub(crate) fn rotate<P: Platform>(call: &mut Call<'_, P>, command: KeyRotate) -> Result<KeyRotateReply, ErrorCode> {
    let partition = standing(call, command.partition, Governing::Replace)?;
    let place = place(call)?;
    let reason = reason(command.reason)?;
    let old = stored_key(call, &partition, command.object)?;
    if !policy::sees(&place.session, &old) {
        return Err(ErrorCode::ObjectUnknown);
    }
    if !life::may_follow(life::stated(&old), KeyState::Deactivated) || life::stated(&old) != KeyState::Active {
        return Err(ErrorCode::KeyTransitionIllegal);
    }
    let kin = family(call, &partition, &old)?;
    let drafts = successors(call, &place, &old, &kin)?;
    let version = version_after(&old);
    let (ids, mut changes) = moves(call, &partition, &kin, (KeyState::Deactivated, &reason))?;
    changes.push(announced(call, &partition)?);
    let object = drafts.first().map(|draft| draft.object.id).ok_or(ErrorCode::Internal)?;
    let public = drafts.get(1).map(|draft| draft.object.id);
    let changes: Vec<_> = drafts.into_iter().filter_map(|draft| draft.change).chain(changes).collect();
    call.detail = Some(format!("rotated: {reason}"));
    let effect = Effect { object: Some(object), ..Effect::on_partition(partition.id, changes) };
    call.commit(effect, KeyRotateReply { object, public, version, old: ids })
}

fn version_after<K>(old: &Object<K>) -> u64 {
    old.number(A::KEY_VERSION).unwrap_or(1).saturating_add(1)
}

/// The new key, and its public half when it has one.
fn successors<P: Platform>(
    call: &Call<'_, P>,
    place: &Place<P>,
    old: &Object<Key<P>>,
    kin: &[Arc<Object<Key<P>>>],
) -> Result<Vec<Draft<P>>, ErrorCode> {
    let made = old.number(A::KEY_GEN_MECHANISM).and_then(|number| u32::try_from(number).ok()).map(MechanismType);
    let made = made.filter(|made| old.flag(A::LOCAL) && *made != MechanismType::PKCS5_PBKD2);
    let mechanism = made.ok_or(ErrorCode::KeyNotRotatable)?;
    policy::has_mechanism(&place.partition, mechanism)?;
    let origin = Origin::Generate(mechanism);
    let mode = place.partition.mode;
    let wanted = |from: &Object<Key<P>>| succeeding(from, life::inherited(from), origin);
    match old.class() {
        class::SECRET_KEY => {
            let kind = old.number(A::KEY_TYPE).ok_or(ErrorCode::StoreCorrupt)?;
            let secret = random_secret(call, kind, old.number(A::VALUE_LEN).ok_or(ErrorCode::StoreCorrupt)?)?;
            Ok(vec![draft(call, place, wanted(old)?.complete(mode)?, secret)?])
        }
        class::PRIVATE_KEY => {
            let half = kin.iter().find(|other| other.class() == class::PUBLIC_KEY).ok_or(ErrorCode::KeyNotRotatable)?;
            let (mut public, mut private) = (wanted(half)?, wanted(old)?);
            let (kind, pair) = make_pair(call, &public)?;
            keypair::write_public(&mut public, kind, &pair.public)?;
            keypair::write_private(&mut private, kind, &pair.public)?;
            let private = draft(call, place, private.complete(mode)?, pair.secret)?;
            Ok(vec![private, draft(call, place, public.complete(mode)?, Zeroizing::default())?])
        }
        _ => Err(ErrorCode::KeyNotRotatable),
    }
}

fn succeeding<K>(old: &Object<K>, template: Template, origin: Origin) -> Result<Wanted, ErrorCode> {
    let mut wanted = Wanted::parse(template, &[], origin)?;
    wanted.set(A::KEY_VERSION, version_after(old));
    wanted.set(A::PREDECESSOR, old.id.0.to_vec());
    Ok(wanted)
}
