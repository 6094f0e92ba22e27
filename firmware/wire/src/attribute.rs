//! Object attributes: PKCS#11's numbers, with values that do not depend on a machine's word size or byte order.

use alloc::vec::Vec;
use minicbor::data::Type;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::Error as EncodeError;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::Zeroize;

/// Attributes in one template at most; PKCS#11 itself defines fewer than 120.
pub const MAX_ATTRIBUTES: usize = 128;

/// A `CK_ATTRIBUTE_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct AttributeType(#[n(0)] pub u32);

macro_rules! attribute_types {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[allow(missing_docs, reason = "PKCS#11 §4 names and numbers; from `STATE` on ours (`CKA_VENDOR_DEFINED`)")]
        impl AttributeType {
            $(pub const $name: AttributeType = AttributeType($number);)*
        }
    };
}
attribute_types! {
    CLASS = 0x000, TOKEN = 0x001, PRIVATE = 0x002, LABEL = 0x003, UNIQUE_ID = 0x004, APPLICATION = 0x010, VALUE = 0x011,
    OBJECT_ID = 0x012, CERTIFICATE_TYPE = 0x080, ISSUER = 0x081, SERIAL_NUMBER = 0x082, TRUSTED = 0x086,
    CERTIFICATE_CATEGORY = 0x087, JAVA_MIDP_SECURITY_DOMAIN = 0x088, URL = 0x089, HASH_OF_SUBJECT_PUBLIC_KEY = 0x08a,
    HASH_OF_ISSUER_PUBLIC_KEY = 0x08b, NAME_HASH_ALGORITHM = 0x08c, CHECK_VALUE = 0x090, KEY_TYPE = 0x100, SUBJECT = 0x101, ID = 0x102, SENSITIVE = 0x103,
    ENCRYPT = 0x104, DECRYPT = 0x105, WRAP = 0x106, UNWRAP = 0x107, SIGN = 0x108, SIGN_RECOVER = 0x109, VERIFY = 0x10a,
    VERIFY_RECOVER = 0x10b, DERIVE = 0x10c, START_DATE = 0x110, END_DATE = 0x111, MODULUS = 0x120, MODULUS_BITS = 0x121,
    PUBLIC_EXPONENT = 0x122, PRIVATE_EXPONENT = 0x123, PRIME_1 = 0x124, PRIME_2 = 0x125, EXPONENT_1 = 0x126,
    EXPONENT_2 = 0x127, COEFFICIENT = 0x128, PUBLIC_KEY_INFO = 0x129, VALUE_BITS = 0x160, VALUE_LEN = 0x161, EXTRACTABLE = 0x162,
    LOCAL = 0x163, NEVER_EXTRACTABLE = 0x164, ALWAYS_SENSITIVE = 0x165, KEY_GEN_MECHANISM = 0x166, MODIFIABLE = 0x170,
    COPYABLE = 0x171, DESTROYABLE = 0x172, EC_PARAMS = 0x180, EC_POINT = 0x181, ALWAYS_AUTHENTICATE = 0x202,
    WRAP_WITH_TRUSTED = 0x210, PROFILE_ID = 0x601, PARAMETER_SET = 0x61d, TRUST_SERVER_AUTH = 0x62c,
    TRUST_CLIENT_AUTH = 0x62d, TRUST_CODE_SIGNING = 0x62e, TRUST_EMAIL_PROTECTION = 0x62f, TRUST_IPSEC_IKE = 0x630,
    TRUST_TIME_STAMPING = 0x631, TRUST_OCSP_SIGNING = 0x632, ENCAPSULATE = 0x633, DECAPSULATE = 0x634,
    HASH_OF_CERTIFICATE = 0x635, SEED = 0x637, WRAP_TEMPLATE = 0x4000_0211, UNWRAP_TEMPLATE = 0x4000_0212,
    DERIVE_TEMPLATE = 0x4000_0213, ALLOWED_MECHANISMS = 0x4000_0600,
    STATE = 0x8000_c101, STATE_SINCE = 0x8000_c102, STATE_REASON = 0x8000_c103, ORGAN = 0x8000_c104, SITE = 0x8000_c105,
    PURPOSE = 0x8000_c106, OWNER = 0x8000_c107, CLASSIFICATION = 0x8000_c108, CRYPTO_PERIOD = 0x8000_c109,
    KEY_VERSION = 0x8000_c10a, PREDECESSOR = 0x8000_c10b, CREATED = 0x8000_c10c, ACTIVATED = 0x8000_c10d,
    MAX_USES = 0x8000_c10e, USES = 0x8000_c10f,
}

impl AttributeType {
    /// Whether it holds a key's secret part (PKCS#11 §4.9, §6).
    pub fn is_secret(self) -> bool {
        const SECRETS: [AttributeType; 8] = [
            AttributeType::VALUE,
            AttributeType::SEED,
            AttributeType::PRIVATE_EXPONENT,
            AttributeType::PRIME_1,
            AttributeType::PRIME_2,
            AttributeType::EXPONENT_1,
            AttributeType::EXPONENT_2,
            AttributeType::COEFFICIENT,
        ];
        SECRETS.contains(&self)
    }
}

/// Values of `CKA_CLASS`.
#[allow(missing_docs, reason = "PKCS#11 names and numbers")]
pub mod class {
    pub const DATA: u64 = 0;
    pub const CERTIFICATE: u64 = 1;
    pub const PUBLIC_KEY: u64 = 2;
    pub const PRIVATE_KEY: u64 = 3;
    pub const SECRET_KEY: u64 = 4;
    pub const PROFILE: u64 = 9;
    pub const TRUST: u64 = 11;
}

/// Values of `CKA_KEY_TYPE`.
#[allow(missing_docs, reason = "PKCS#11 names and numbers")]
pub mod key_type {
    pub const RSA: u64 = 0x00;
    pub const EC: u64 = 0x03;
    pub const GENERIC_SECRET: u64 = 0x10;
    pub const AES: u64 = 0x1f;
    pub const SHA256_HMAC: u64 = 0x2b;
    pub const SHA384_HMAC: u64 = 0x2c;
    pub const SHA512_HMAC: u64 = 0x2d;
    pub const SHA224_HMAC: u64 = 0x2e;
    pub const AES_XTS: u64 = 0x35;
    pub const SHA3_224_HMAC: u64 = 0x36;
    pub const SHA3_256_HMAC: u64 = 0x37;
    pub const SHA3_384_HMAC: u64 = 0x38;
    pub const SHA3_512_HMAC: u64 = 0x39;
    pub const EC_EDWARDS: u64 = 0x40;
    pub const EC_MONTGOMERY: u64 = 0x41;
    pub const HKDF: u64 = 0x42;
    pub const ML_KEM: u64 = 0x49;
    pub const ML_DSA: u64 = 0x4a;
}

/// Values of `CKA_PARAMETER_SET`.
#[allow(missing_docs, reason = "PKCS#11 names and numbers")]
pub mod parameter_set {
    pub const ML_DSA_44: u64 = 1;
    pub const ML_DSA_65: u64 = 2;
    pub const ML_DSA_87: u64 = 3;
    pub const ML_KEM_512: u64 = 1;
    pub const ML_KEM_768: u64 = 2;
    pub const ML_KEM_1024: u64 = 3;
}

/// One attribute's value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `CK_BBOOL`.
    Bool(bool),
    /// `CK_ULONG` and the types made of it.
    Uint(u64),
    /// Byte arrays, big integers, RFC 2279 strings and dates (`YYYYMMDD`).
    Bytes(Vec<u8>),
    /// An array of `CK_MECHANISM_TYPE` (`CKA_ALLOWED_MECHANISMS`).
    Uints(Vec<u64>),
    /// A template (`CKA_WRAP_TEMPLATE` and its like). There is none inside another.
    Template(Vec<Attribute>),
}

impl Zeroize for Value {
    fn zeroize(&mut self) {
        match self {
            Value::Bytes(bytes) => bytes.zeroize(),
            Value::Uints(list) => list.zeroize(),
            Value::Template(list) => list.iter_mut().for_each(|attribute| attribute.value.zeroize()),
            Value::Bool(_) | Value::Uint(_) => {}
        }
    }
}

/// A type with its value. It may hold a key's value on its way in, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Attribute {
    /// Which attribute.
    #[n(0)]
    pub kind: AttributeType,
    /// Its value.
    #[n(1)]
    pub value: Value,
}

/// A `CK_ATTRIBUTE` array, at most [`MAX_ATTRIBUTES`] long.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Template(pub Vec<Attribute>);

impl Template {
    /// The value of the first attribute of this type.
    pub fn value(&self, kind: AttributeType) -> Option<&Value> {
        self.0.iter().find(|a| a.kind == kind).map(|a| &a.value)
    }

    /// The same template with one attribute more.
    #[must_use]
    pub fn with(mut self, kind: AttributeType, value: impl Into<Value>) -> Self {
        self.0.push(Attribute { kind, value: value.into() });
        self
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        if self.kind.is_secret() {
            self.value.zeroize();
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Value::Bool(v)
    }
}
impl From<u64> for Value {
    fn from(v: u64) -> Self {
        Value::Uint(v)
    }
}
impl From<&[u8]> for Value {
    fn from(v: &[u8]) -> Self {
        Value::Bytes(v.to_vec())
    }
}
impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Self {
        Value::Bytes(v)
    }
}

impl<C> Encode<C> for Value {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        match self {
            Value::Bool(v) => e.bool(*v)?.ok(),
            Value::Uint(v) => e.u64(*v)?.ok(),
            Value::Bytes(v) => e.bytes(v)?.ok(),
            Value::Uints(v) => {
                e.array(v.len() as u64)?;
                v.iter().try_for_each(|n| e.u64(*n).map(|_| ()))
            }
            Value::Template(v) => {
                e.map(v.len() as u64)?;
                v.iter().try_for_each(|a| {
                    e.u32(a.kind.0)?;
                    a.value.encode(e, &mut ())
                })
            }
        }
    }
}

impl<'b, C> Decode<'b, C> for Value {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        match d.datatype()? {
            Type::Map => nested(d).map(Value::Template),
            _ => flat(d),
        }
    }
}

/// A value that holds no template.
fn flat(d: &mut Decoder<'_>) -> Result<Value, DecodeError> {
    match d.datatype()? {
        Type::Bool => d.bool().map(Value::Bool),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => d.u64().map(Value::Uint),
        Type::Bytes => d.bytes().map(Value::from),
        Type::Array => uints(d).map(Value::Uints),
        other => Err(DecodeError::type_mismatch(other)),
    }
}

fn nested(d: &mut Decoder<'_>) -> Result<Vec<Attribute>, DecodeError> {
    let len = bounded(d.map()?)?;
    (0..len).map(|_| Ok(Attribute { kind: AttributeType(d.u32()?), value: flat(d)? })).collect()
}

fn uints(d: &mut Decoder<'_>) -> Result<Vec<u64>, DecodeError> {
    let len = bounded(d.array()?)?;
    (0..len).map(|_| d.u64()).collect()
}

fn bounded(length: Option<u64>) -> Result<u64, DecodeError> {
    match length {
        Some(len) if len <= MAX_ATTRIBUTES as u64 => Ok(len),
        _ => Err(DecodeError::message("an array without length, or too long")),
    }
}

impl<C> Encode<C> for Template {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|a| a.encode(e, ctx))
    }
}

impl<'b, C> Decode<'b, C> for Template {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let len = bounded(d.array()?)?;
        (0..len).map(|_| Attribute::decode(d, ctx)).collect::<Result<_, _>>().map(Template)
    }
}
