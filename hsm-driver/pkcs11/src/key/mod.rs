//! Keys: generating them, and carrying them under other keys (§5.18).

mod carry;
mod facts;

pub(crate) use facts::KeyFacts;

use crate::attribute::wants_token;
use crate::mechanism::Given;
use crate::operation::Delivery;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::command::{KeyGenerate, KeyPairGenerate};
use coloa_wire::{Mechanism, Template};
use cryptoki_sys::*;

impl Session {
    /// `C_GenerateKey`.
    pub(crate) fn generate_key(&self, given: Given, template: Template) -> Outcome<CK_OBJECT_HANDLE> {
        let mechanism = self.of_keys(given, CKF_GENERATE)?;
        let token = wants_token(&template);
        self.may_create(token)?;
        let command = KeyGenerate { mechanism, template };
        self.make_object(("C_GenerateKey", CKF_GENERATE), (&command, &[], |rv| rv), (token, |reply| reply.object))
    }

    /// `C_GenerateKeyPair`: the public key's handle, then the private key's.
    pub(crate) fn generate_key_pair(
        &self,
        given: Given,
        public: Template,
        private: Template,
    ) -> Outcome<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let mechanism = self.of_keys(given, CKF_GENERATE_KEY_PAIR)?;
        let (public_token, private_token) = (wants_token(&public), wants_token(&private));
        self.may_create(public_token || private_token)?;
        let command = KeyPairGenerate { mechanism, public, private };
        let function = ("C_GenerateKeyPair", CKF_GENERATE_KEY_PAIR);
        let made = self.carry_out(function, (&command, &[], |rv| rv), None, move |of, state, (reply, _)| {
            let public = state.adopt(&of.slot, reply.public, public_token);
            let objects = [public, state.adopt(&of.slot, reply.private, private_token)];
            Ok(Delivery { objects, ..Delivery::default() })
        })?;
        Ok(made.objects.into())
    }

    /// A mechanism that the slot offers for this service, as it goes to the engine.
    fn of_keys(&self, given: Given, service: CK_FLAGS) -> Outcome<Mechanism> {
        self.slot.offers(given.number()?, service)?;
        given.into_wire(self.slot.is_strict(), |handle| self.slot.handles.id(handle).map_err(Rv::of_key))
    }
}
