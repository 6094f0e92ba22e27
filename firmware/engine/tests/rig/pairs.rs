//! Keys of every type, made through the engine.

use super::Caller;
use coloa_wire::attribute::{key_type, parameter_set};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Template};

pub const P521: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x23];
pub const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
pub const X25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x6e];

/// The generating mechanism of a key pair's type, and what its public template says of the pair.
pub fn pair_template(kind: u64) -> (M, Template) {
    let template = Template::default();
    match kind {
        key_type::RSA => (M::RSA_PKCS_KEY_PAIR_GEN, template.with(A::MODULUS_BITS, 3072)),
        key_type::EC => (M::EC_KEY_PAIR_GEN, template.with(A::EC_PARAMS, super::P256)),
        key_type::EC_EDWARDS => (M::EC_EDWARDS_KEY_PAIR_GEN, template.with(A::EC_PARAMS, ED25519)),
        key_type::EC_MONTGOMERY => (M::EC_MONTGOMERY_KEY_PAIR_GEN, template.with(A::EC_PARAMS, X25519)),
        key_type::ML_DSA => (M::ML_DSA_KEY_PAIR_GEN, template.with(A::PARAMETER_SET, parameter_set::ML_DSA_44)),
        key_type::ML_KEM => (M::ML_KEM_KEY_PAIR_GEN, template.with(A::PARAMETER_SET, parameter_set::ML_KEM_512)),
        other => panic!("{other:#x} is no type of pairs"),
    }
}

impl Caller<'_> {
    /// A session pair whose halves may do `purposes` (the public one's, the private one's).
    pub fn pair(&self, kind: u64, purposes: (A, A)) -> Result<KeyPairReply, ErrorCode> {
        let (mechanism, public) = pair_template(kind);
        self.pair_by(mechanism, public.with(purposes.0, true), Template::default().with(purposes.1, true))
    }

    pub fn pair_by(&self, mechanism: M, public: Template, private: Template) -> Result<KeyPairReply, ErrorCode> {
        self.call(&KeyPairGenerate { mechanism: mechanism.into(), public, private })
    }

    /// A generated session secret of so many bytes.
    pub fn secret(&self, mechanism: M, length: u64, purposes: &[A]) -> Result<ObjectId, ErrorCode> {
        let template = purposes.iter().fold(Template::default(), |t, purpose| t.with(*purpose, true));
        let template = template.with(A::VALUE_LEN, length);
        self.call(&KeyGenerate { mechanism: mechanism.into(), template }).map(|reply| reply.object)
    }

    pub fn import(&self, template: Template) -> Result<ObjectId, ErrorCode> {
        self.call(&ObjectCreate { template }).map(|reply| reply.object)
    }

    pub fn sign_by(&self, key: ObjectId, mechanism: &Mechanism, data: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        self.call_with(&Sign { key, mechanism: mechanism.clone(), ticket: None }, data).map(|(_, made)| made)
    }

    pub fn verify_by(&self, key: ObjectId, mechanism: &Mechanism, data: &[u8], made: &[u8]) -> Result<(), ErrorCode> {
        let request = Verify { key, mechanism: mechanism.clone(), signature: made.len() as u32 };
        self.call_with(&request, &[data, made].concat()).map(|_| ())
    }

    /// The IV the engine made, and the ciphertext.
    pub fn encrypt(
        &self,
        key: ObjectId,
        mechanism: &Mechanism,
        data: &[u8],
    ) -> Result<(Option<Vec<u8>>, Vec<u8>), ErrorCode> {
        self.call_with(&Encrypt { key, mechanism: mechanism.clone() }, data).map(|(reply, sealed)| (reply.iv, sealed))
    }

    pub fn decrypt(&self, key: ObjectId, mechanism: &Mechanism, data: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        self.call_with(&Decrypt { key, mechanism: mechanism.clone(), ticket: None }, data).map(|(_, text)| text)
    }
}
