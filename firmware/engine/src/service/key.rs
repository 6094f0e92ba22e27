//! Commands that generate keys.

use super::object::{curve, draft, place, publish, usable};
use crate::attributes::{Origin, Wanted};
use crate::call::Call;
use crate::mechanism::{self, MAX_SECRET, Service};
use crate::{Crypto, KeyKind, PairKind, Platform};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyGenerate, KeyPairGenerate, KeyPairReply, ObjectReply};
use coloa_wire::{AttributeType as A, ErrorCode};
use zeroize::Zeroizing;

/// The shortest secret the engine generates: 112 bits (SP 800-131A).
const MIN_SECRET: u64 = 14;

pub(crate) fn generate<P: Platform>(call: &mut Call<'_, P>, command: KeyGenerate) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let mechanism = command.mechanism.kind;
    let kind = mechanism::key_type_for(mechanism, Service::Generate)?;
    let implied = [(A::CLASS, class::SECRET_KEY), (A::KEY_TYPE, kind)];
    let wanted = Wanted::parse(command.template, &implied, Origin::Generate(mechanism))?;
    let length = wanted.number(A::VALUE_LEN).ok_or(ErrorCode::TemplateIncomplete)?;
    let secret = random_secret(call, kind, length)?;
    let template = wanted.complete(place.partition.mode)?;
    let draft = draft(call, &place, template, secret)?;
    let reply = ObjectReply { object: draft.object.id };
    publish(call, &place, vec![draft], reply)
}

fn random_secret<P: Platform>(call: &Call<'_, P>, kind: u64, length: u64) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let (key, fits) = match kind {
        key_type::AES => (KeyKind::Aes, matches!(length, 16 | 24 | 32)),
        _ => (KeyKind::Hmac, (MIN_SECRET..=u64::from(MAX_SECRET)).contains(&length)),
    };
    let length = usize::try_from(length).ok().filter(|_| fits).ok_or(ErrorCode::KeySize)?;
    let mut secret = Zeroizing::new(vec![0; length]);
    let drawn = call.engine.platform().crypto().random(&mut secret);
    drawn.map_err(|error| call.engine.crypto_failed(error))?;
    usable(call, key, &secret)?;
    Ok(secret)
}

pub(crate) fn generate_pair<P: Platform>(
    call: &mut Call<'_, P>,
    command: KeyPairGenerate,
) -> Result<KeyPairReply, ErrorCode> {
    let place = place(call)?;
    let mechanism = command.mechanism.kind;
    let kind = mechanism::key_type_for(mechanism, Service::GeneratePair)?;
    let origin = Origin::Generate(mechanism);
    let implied = |class| [(A::CLASS, class), (A::KEY_TYPE, kind)];
    let mut public = Wanted::parse(command.public, &implied(class::PUBLIC_KEY), origin)?;
    let mut private = Wanted::parse(command.private, &implied(class::PRIVATE_KEY), origin)?;
    let curve = curve(&public)?;
    let params = public.bytes(A::EC_PARAMS).unwrap_or_default().to_vec();
    if private.bytes(A::EC_PARAMS).is_some_and(|given| given != params) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    let generated = call.engine.platform().crypto().generate(PairKind::Ec(curve));
    let pair = generated.map_err(|error| call.engine.crypto_failed(error))?;
    let info = crate::curve::public_key_info(curve, &pair.public);
    public.set(A::EC_POINT, crate::curve::wrap_octet_string(&pair.public));
    public.set(A::PUBLIC_KEY_INFO, info.clone());
    private.set(A::EC_PARAMS, params);
    private.set(A::PUBLIC_KEY_INFO, info);
    let mode = place.partition.mode;
    let public = draft(call, &place, public.complete(mode)?, Zeroizing::default())?;
    let private = draft(call, &place, private.complete(mode)?, pair.secret)?;
    let reply = KeyPairReply { public: public.object.id, private: private.object.id };
    publish(call, &place, vec![private, public], reply)
}
