//! Keys under other keys: wrap, unwrap, derive, encapsulate, decapsulate (§5.18.3 to §5.18.9).

use super::KeyFacts;
use crate::abi::memory::{Home, Input, Output};
use crate::attribute::wants_token;
use crate::mechanism::{Given, Parameter};
use crate::operation::{Delivery, Naming};
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyDecapsulate, KeyDerive, KeyEncapsulate, KeyUnwrap, KeyWrap};
use coloa_wire::{AttributeType as A, Template};
use cryptoki_sys::*;

impl Session {
    /// `C_WrapKey`. Nobody but the engine knows how long a wrapped key is, so a question for the length wraps too.
    pub(crate) fn wrap_key(
        &self,
        given: Given,
        wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        out: &Output,
    ) -> Outcome {
        let iv_home = match &given.parameter {
            Parameter::Aead(aead) => aead.iv_from_engine(self.slot.is_strict()),
            _ => Home::nowhere(),
        };
        let mechanism = self.of_keys(given, CKF_WRAP)?;
        let wrapping = self.key(wrapping).map_err(Rv::of_wrapping)?.id;
        let key = self.slot.handles.id(key).map_err(Rv::of_key)?;
        let scratch = &mut self.state().scratch;
        let command = KeyWrap { wrapping, mechanism, key };
        let reply = self.slot.call(scratch, &command, &[]).map_err(Rv::of_key)?;
        if !out.has_room(scratch.bulk().len())? {
            return Ok(());
        }
        reply.iv.map_or(Ok(()), |iv| iv_home.write(&iv))?;
        out.put(scratch.bulk())
    }

    /// `C_UnwrapKey` and `C_UnwrapKeyAuthenticated`.
    pub(crate) fn unwrap_key(
        &self,
        (function, given): (&'static str, Given),
        unwrapping: CK_OBJECT_HANDLE,
        wrapped: &Input,
        template: Template,
    ) -> Outcome<CK_OBJECT_HANDLE> {
        self.slot.offers(given.number()?, CKF_UNWRAP)?;
        let mechanism = given.into_decrypting()?;
        let facts = self.key(unwrapping).map_err(Rv::of_unwrapping)?;
        let token = wants_token(&template) || facts.unwraps_to_token();
        self.may_create(token)?;
        let command = KeyUnwrap { unwrapping: facts.id, mechanism, template, ticket: None };
        let call = (&command, wrapped.bytes(), Rv::of_unwrapping as Naming);
        self.make_object((function, CKF_UNWRAP), call, (token, |reply| reply.object))
    }

    /// `C_DeriveKey`.
    pub(crate) fn derive_key(
        &self,
        given: Given,
        base: CK_OBJECT_HANDLE,
        template: Template,
    ) -> Outcome<CK_OBJECT_HANDLE> {
        let mechanism = self.of_keys(given, CKF_DERIVE)?;
        let facts = self.key(base)?;
        let token = wants_token(&template) || facts.derives_to_token();
        self.may_create(token)?;
        let command = KeyDerive { base: facts.id, mechanism, template, ticket: None };
        self.make_object(("C_DeriveKey", CKF_DERIVE), (&command, &[], Rv::of_key), (token, |reply| reply.object))
    }

    /// `C_EncapsulateKey`: no key is made by a question for the length; none comes of a buffer that is too small.
    pub(crate) fn encapsulate_key(
        &self,
        given: Given,
        key: CK_OBJECT_HANDLE,
        template: Template,
        out: &Output,
    ) -> Outcome<Option<CK_OBJECT_HANDLE>> {
        let mechanism = self.of_keys(given, CKF_ENCAPSULATE)?;
        let facts = self.key(key)?;
        is_kem(&facts, class::PUBLIC_KEY, A::ENCAPSULATE)?;
        let token = wants_token(&template);
        self.may_create(token)?;
        let room = facts.output_bytes;
        if !out.has_room(room)? {
            return Ok(None);
        }
        let command = KeyEncapsulate { key: facts.id, mechanism, template };
        let function = ("C_EncapsulateKey", CKF_ENCAPSULATE);
        let made =
            self.carry_out(function, (&command, &[], Rv::of_key), Some((out, room)), move |of, state, (reply, _)| {
                let object = state.adopt(&of.slot, reply.object, token);
                Ok(Delivery { bytes: Some(reply.ciphertext.into()), objects: [object, 0] })
            })?;
        Ok(Some(made.objects[0]))
    }

    /// `C_DecapsulateKey`.
    pub(crate) fn decapsulate_key(
        &self,
        given: Given,
        key: CK_OBJECT_HANDLE,
        template: Template,
        ciphertext: &Input,
    ) -> Outcome<CK_OBJECT_HANDLE> {
        let mechanism = self.of_keys(given, CKF_DECAPSULATE)?;
        let facts = self.key(key)?;
        is_kem(&facts, class::PRIVATE_KEY, A::DECAPSULATE)?;
        let token = wants_token(&template);
        self.may_create(token)?;
        let command = KeyDecapsulate { key: facts.id, mechanism, template, ticket: None };
        let call = (&command, ciphertext.bytes(), Rv::of_decrypting as Naming);
        self.make_object(("C_DecapsulateKey", CKF_DECAPSULATE), call, (token, |reply| reply.object))
    }
}

fn is_kem(key: &KeyFacts, class: u64, purpose: A) -> Outcome {
    if key.class != class || key.key_type != key_type::ML_KEM {
        return Err(Rv(CKR_KEY_TYPE_INCONSISTENT));
    }
    key.permits(purpose)
}
