//! Keys under other keys: wrap, unwrap, derive, encapsulate, decapsulate (§5.18.3 to §5.18.9).

use super::KeyFacts;
use crate::abi::memory::{Home, Input, Output};
use crate::attribute::wants_token;
use crate::mechanism::{Given, Parameter};
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
            Parameter::Aead(aead) => aead.iv_home.clone(),
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

    /// `C_UnwrapKey`.
    pub(crate) fn unwrap_key(
        &self,
        given: Given,
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
        let reply = self.slot.call(&mut self.state().scratch, &command, wrapped.bytes()).map_err(Rv::of_unwrapping)?;
        Ok(self.adopt(reply.object, token))
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
        let reply =
            self.slot.ask(&KeyDerive { base: facts.id, mechanism, template, ticket: None }).map_err(Rv::of_key)?;
        Ok(self.adopt(reply.object, token))
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
        if !out.has_room(facts.output_bytes)? {
            return Ok(None);
        }
        let reply = self.slot.ask(&KeyEncapsulate { key: facts.id, mechanism, template }).map_err(Rv::of_key)?;
        if reply.ciphertext.len() > facts.output_bytes {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        out.put(&reply.ciphertext)?;
        Ok(Some(self.adopt(reply.object, token)))
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
        let reply = self.slot.call(&mut self.state().scratch, &command, ciphertext.bytes());
        Ok(self.adopt(reply.map_err(|e| e.of_key().of_ciphertext())?.object, token))
    }
}

fn is_kem(key: &KeyFacts, class: u64, purpose: A) -> Outcome {
    if key.class != class || key.key_type != key_type::ML_KEM {
        return Err(Rv(CKR_KEY_TYPE_INCONSISTENT));
    }
    key.permits(purpose)
}
