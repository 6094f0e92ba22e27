//! What tests of wrapping and deriving share.

use super::*;
use coloa_wire::mechanism::{OaepParams, RsaAesParams};
use coloa_wire::{Parameter, Value};

impl Caller<'_> {
    /// The wrapped key, with the IV in front that the engine made.
    pub fn wrap(&self, wrapping: ObjectId, mechanism: &Mechanism, key: ObjectId) -> Result<Vec<u8>, ErrorCode> {
        self.wrap_with_iv(wrapping, mechanism, key).map(|(_, wrapped)| wrapped)
    }

    pub fn wrap_with_iv(
        &self,
        wrapping: ObjectId,
        mechanism: &Mechanism,
        key: ObjectId,
    ) -> Result<(Option<Vec<u8>>, Vec<u8>), ErrorCode> {
        let request = KeyWrap { wrapping, mechanism: mechanism.clone(), key };
        self.call_with(&request, &[]).map(|(reply, wrapped)| (reply.iv, wrapped))
    }

    pub fn unwrap(
        &self,
        unwrapping: ObjectId,
        mechanism: &Mechanism,
        wrapped: &[u8],
        template: Template,
    ) -> Result<ObjectId, ErrorCode> {
        let request = KeyUnwrap { unwrapping, mechanism: mechanism.clone(), template, ticket: None };
        self.call_with(&request, wrapped).map(|(reply, _)| reply.object)
    }

    pub fn derive(&self, base: ObjectId, mechanism: Mechanism, template: Template) -> Result<ObjectId, ErrorCode> {
        self.call(&KeyDerive { base, mechanism, template, ticket: None }).map(|reply| reply.object)
    }

    pub fn create(&self, template: Template) -> Result<ObjectId, ErrorCode> {
        self.call(&ObjectCreate { template }).map(|reply| reply.object)
    }

    /// An attribute's value, if it may be read.
    pub fn shown(&self, object: ObjectId, kind: A) -> Option<Value> {
        let reply = self.call(&AttributesRead { object, kinds: vec![kind] }).expect("the object is there");
        reply.values.first().map(|attribute| attribute.value.clone())
    }

    pub fn flag(&self, object: ObjectId, kind: A) -> bool {
        self.shown(object, kind) == Some(Value::Bool(true))
    }

    /// A key's value, if it may be read.
    pub fn value(&self, object: ObjectId) -> Option<Vec<u8>> {
        match self.shown(object, A::VALUE) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub fn write(&self, object: ObjectId, template: Template) -> Result<Done, ErrorCode> {
        self.call(&AttributesWrite { object, template })
    }

    /// A token key that the SO may mark: it wraps, unwraps and is seen without a login.
    pub fn kek(&self, more: Template) -> ObjectId {
        let template = Template::default().with(A::TOKEN, true).with(A::PRIVATE, false);
        let template = template.with(A::WRAP, true).with(A::UNWRAP, true);
        self.generate_aes(joined(template, more)).expect("a key")
    }
}

/// The attributes of both.
pub fn joined(mut one: Template, other: Template) -> Template {
    one.0.extend(other.0.iter().cloned());
    one
}

/// A template as an attribute's value.
pub fn nested(template: Template) -> Value {
    Value::Template(template.0.to_vec())
}

/// The SO on a token.
pub fn officer(engine: &RamEngine, partition: PartitionId) -> Caller<'_> {
    let mut officer = Caller::new(engine, client(1));
    officer.open(partition).expect("open");
    officer.log_in(Role::SecurityOfficer, SO_PIN).expect("SO login");
    officer
}

/// The SO marks a key as trusted.
pub fn trust(engine: &RamEngine, partition: PartitionId, key: ObjectId) -> Result<Done, ErrorCode> {
    officer(engine, partition).write(key, Template::default().with(A::TRUSTED, true))
}

/// What a new secret key shows to everybody who asks.
pub fn open_secret(kind: u64) -> Template {
    let template = Template::default().with(A::CLASS, class::SECRET_KEY).with(A::KEY_TYPE, kind);
    template.with(A::SENSITIVE, false).with(A::EXTRACTABLE, true)
}

pub fn of_class(class: u64, kind: u64) -> Template {
    Template::default().with(A::CLASS, class).with(A::KEY_TYPE, kind)
}

pub fn oaep() -> OaepParams {
    OaepParams { hash: MechanismType::SHA256, mgf: MechanismType::SHA256, label: Vec::new() }
}

pub fn rsa_aes() -> Mechanism {
    let params = RsaAesParams { aes_bits: 256, oaep: oaep() };
    Mechanism::with(MechanismType::RSA_AES_KEY_WRAP, Parameter::RsaAes(params))
}

pub fn cbc_pad(iv: Option<&[u8]>) -> Mechanism {
    Mechanism::with(MechanismType::AES_CBC_PAD, Parameter::Iv(iv.map(<[u8]>::to_vec)))
}

pub const BOTH: [PartitionMode; 2] = [PartitionMode::Strict, PartitionMode::Compatible];

pub fn yes(kinds: &[A]) -> Template {
    kinds.iter().fold(Template::default(), |template, kind| template.with(*kind, true))
}

/// A key that is to leave only under trusted keys, which is what every key of a strict partition is.
pub fn treasure(caller: &Caller<'_>) -> ObjectId {
    caller.generate_aes(yes(&[A::EXTRACTABLE, A::WRAP_WITH_TRUSTED, A::ENCRYPT, A::DECRYPT])).unwrap()
}

pub fn kwp() -> Mechanism {
    MechanismType::AES_KEY_WRAP_KWP.into()
}

pub fn aes() -> Template {
    of_class(class::SECRET_KEY, key_type::AES)
}

/// Puts a key into a state; how many objects changed.
pub fn set(caller: &Caller<'_>, partition: PartitionId, object: ObjectId, state: KeyState) -> Result<usize, ErrorCode> {
    let command = KeyStateSet { partition, object, state, reason: "test".into() };
    caller.call(&command).map(|reply| reply.objects.len())
}

/// Brings a key into a state, as the officer.
pub fn bring(engine: &RamEngine, partition: PartitionId, object: ObjectId, state: KeyState) {
    set(&officer(engine, partition), partition, object, state).unwrap();
}
