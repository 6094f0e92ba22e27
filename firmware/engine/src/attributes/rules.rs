//! The table of attributes: which belong to which class, what form their value has, who sets them and whether they change
//! later (PKCS#11 §4).

use super::{MAX_VALUE, Origin};
use crate::{MAX_GCM_INVOCATIONS, period};
use coloa_wire::attribute::class;
use coloa_wire::command::KeyState;
use coloa_wire::{Attribute, AttributeType as A, ErrorCode, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    /// What the engine does not have is not promised.
    False,
    Uint,
    /// A number from 0 to this.
    UpTo(u64),
    Bytes,
    Uints,
    /// `CK_DATE`, or nothing.
    Date,
    /// What another key must have.
    Template,
    /// What a person wrote: UTF-8 without control characters, at most [`MAX_TEXT`] bytes.
    Text,
    /// The state of a new key: pre-active or active.
    Initial,
}

/// Bytes of what people say of a key at most.
pub(crate) const MAX_TEXT: usize = 128;
/// Days of a crypto-period at most: a century.
pub(crate) const MAX_PERIOD: u64 = 36_525;

/// Who may set an attribute when the object is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// `C_CreateObject`, generation and copy.
    Always,
    /// `C_CreateObject` only: elsewhere the engine knows it.
    Imported,
    /// Generation only.
    Generated,
    /// Only the engine.
    Never,
}

/// How an attribute may change later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    No,
    Yes,
    ToTrue,
    ToFalse,
}

pub(super) struct Rule {
    pub kind: A,
    pub form: Form,
    pub classes: u8,
    pub given: Given,
    pub change: Change,
}

const DATA: u8 = 1;
const CERT: u8 = 2;
const PUBLIC: u8 = 4;
const PRIVATE: u8 = 8;
const SECRET: u8 = 16;
const TRUST: u8 = 32;
const KEYS: u8 = PUBLIC | PRIVATE | SECRET;
const HIDDEN: u8 = PRIVATE | SECRET;
const ALL: u8 = DATA | CERT | KEYS | TRUST;
/// `CK_TRUST`: unknown, trusted, anchor, not trusted, to be verified (PKCS#11 3.2 §4.16).
const TRUST_LEVEL: Form = Form::UpTo(4);

const fn rule(kind: A, form: Form, classes: u8, given: Given, change: Change) -> Rule {
    Rule { kind, form, classes, given, change }
}

pub(super) const RULES: &[Rule] = &[
    rule(A::CLASS, Form::Uint, ALL, Given::Always, Change::No),
    rule(A::TOKEN, Form::Bool, ALL, Given::Always, Change::No),
    rule(A::PRIVATE, Form::Bool, ALL, Given::Always, Change::No),
    rule(A::LABEL, Form::Bytes, ALL, Given::Always, Change::Yes),
    rule(A::UNIQUE_ID, Form::Bytes, ALL, Given::Never, Change::No),
    rule(A::MODIFIABLE, Form::Bool, ALL, Given::Always, Change::No),
    rule(A::COPYABLE, Form::Bool, ALL, Given::Always, Change::ToFalse),
    rule(A::DESTROYABLE, Form::Bool, ALL, Given::Always, Change::No),
    rule(A::APPLICATION, Form::Bytes, DATA, Given::Always, Change::Yes),
    rule(A::OBJECT_ID, Form::Bytes, DATA, Given::Always, Change::Yes),
    rule(A::VALUE, Form::Bytes, DATA, Given::Always, Change::Yes),
    rule(A::VALUE, Form::Bytes, CERT | KEYS, Given::Imported, Change::No),
    rule(A::CERTIFICATE_TYPE, Form::Uint, CERT, Given::Always, Change::No),
    rule(A::CERTIFICATE_CATEGORY, Form::UpTo(3), CERT, Given::Always, Change::No),
    rule(A::JAVA_MIDP_SECURITY_DOMAIN, Form::UpTo(3), CERT, Given::Always, Change::No),
    rule(A::URL, Form::Bytes, CERT, Given::Always, Change::No),
    rule(A::HASH_OF_SUBJECT_PUBLIC_KEY, Form::Bytes, CERT, Given::Always, Change::No),
    rule(A::HASH_OF_ISSUER_PUBLIC_KEY, Form::Bytes, CERT, Given::Always, Change::No),
    rule(A::NAME_HASH_ALGORITHM, Form::Uint, CERT | TRUST, Given::Always, Change::No),
    rule(A::TRUSTED, Form::False, CERT, Given::Always, Change::No),
    rule(A::PUBLIC_KEY_INFO, Form::Bytes, CERT, Given::Always, Change::No),
    rule(A::CHECK_VALUE, Form::Bytes, CERT | SECRET, Given::Always, Change::No),
    rule(A::ISSUER, Form::Bytes, CERT, Given::Always, Change::Yes),
    rule(A::SERIAL_NUMBER, Form::Bytes, CERT, Given::Always, Change::Yes),
    rule(A::ISSUER, Form::Bytes, TRUST, Given::Always, Change::No),
    rule(A::SERIAL_NUMBER, Form::Bytes, TRUST, Given::Always, Change::No),
    rule(A::HASH_OF_CERTIFICATE, Form::Bytes, TRUST, Given::Always, Change::No),
    rule(A::TRUST_SERVER_AUTH, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_CLIENT_AUTH, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_CODE_SIGNING, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_EMAIL_PROTECTION, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_IPSEC_IKE, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_TIME_STAMPING, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::TRUST_OCSP_SIGNING, TRUST_LEVEL, TRUST, Given::Always, Change::Yes),
    rule(A::SUBJECT, Form::Bytes, CERT | PUBLIC | PRIVATE, Given::Always, Change::Yes),
    rule(A::ID, Form::Bytes, CERT | KEYS, Given::Always, Change::Yes),
    rule(A::START_DATE, Form::Date, CERT | KEYS, Given::Always, Change::Yes),
    rule(A::END_DATE, Form::Date, CERT | KEYS, Given::Always, Change::Yes),
    rule(A::KEY_TYPE, Form::Uint, KEYS, Given::Always, Change::No),
    rule(A::DERIVE, Form::Bool, KEYS, Given::Always, Change::Yes),
    rule(A::LOCAL, Form::Bool, KEYS, Given::Never, Change::No),
    rule(A::KEY_GEN_MECHANISM, Form::Uint, KEYS, Given::Never, Change::No),
    rule(A::ALLOWED_MECHANISMS, Form::Uints, KEYS, Given::Always, Change::No),
    rule(A::SENSITIVE, Form::Bool, HIDDEN, Given::Always, Change::ToTrue),
    rule(A::EXTRACTABLE, Form::Bool, HIDDEN, Given::Always, Change::ToFalse),
    rule(A::ALWAYS_SENSITIVE, Form::Bool, HIDDEN, Given::Never, Change::No),
    rule(A::NEVER_EXTRACTABLE, Form::Bool, HIDDEN, Given::Never, Change::No),
    rule(A::WRAP_WITH_TRUSTED, Form::Bool, HIDDEN, Given::Always, Change::ToTrue),
    rule(A::ENCRYPT, Form::Bool, PUBLIC | SECRET, Given::Always, Change::Yes),
    rule(A::DECRYPT, Form::Bool, HIDDEN, Given::Always, Change::Yes),
    rule(A::SIGN, Form::Bool, HIDDEN, Given::Always, Change::Yes),
    rule(A::SIGN_RECOVER, Form::Bool, PRIVATE, Given::Always, Change::Yes),
    rule(A::VERIFY, Form::Bool, PUBLIC | SECRET, Given::Always, Change::Yes),
    rule(A::VERIFY_RECOVER, Form::Bool, PUBLIC, Given::Always, Change::Yes),
    rule(A::WRAP, Form::Bool, PUBLIC | SECRET, Given::Always, Change::Yes),
    rule(A::UNWRAP, Form::Bool, HIDDEN, Given::Always, Change::Yes),
    rule(A::TRUSTED, Form::Bool, PUBLIC | SECRET, Given::Always, Change::Yes),
    rule(A::WRAP_TEMPLATE, Form::Template, PUBLIC | SECRET, Given::Always, Change::No),
    rule(A::UNWRAP_TEMPLATE, Form::Template, HIDDEN, Given::Always, Change::No),
    rule(A::DERIVE_TEMPLATE, Form::Template, HIDDEN, Given::Always, Change::No),
    rule(A::ALWAYS_AUTHENTICATE, Form::Bool, PRIVATE, Given::Always, Change::No),
    rule(A::ENCAPSULATE, Form::Bool, PUBLIC, Given::Always, Change::Yes),
    rule(A::DECAPSULATE, Form::Bool, PRIVATE, Given::Always, Change::Yes),
    rule(A::MODULUS, Form::Bytes, PUBLIC | PRIVATE, Given::Imported, Change::No),
    rule(A::MODULUS_BITS, Form::Uint, PUBLIC, Given::Generated, Change::No),
    rule(A::PUBLIC_EXPONENT, Form::Bytes, PUBLIC | PRIVATE, Given::Always, Change::No),
    rule(A::PRIVATE_EXPONENT, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::PRIME_1, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::PRIME_2, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::EXPONENT_1, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::EXPONENT_2, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::COEFFICIENT, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::PARAMETER_SET, Form::Uint, PUBLIC | PRIVATE, Given::Always, Change::No),
    rule(A::SEED, Form::Bytes, PRIVATE, Given::Imported, Change::No),
    rule(A::EC_PARAMS, Form::Bytes, PUBLIC | PRIVATE, Given::Always, Change::No),
    rule(A::EC_POINT, Form::Bytes, PUBLIC, Given::Imported, Change::No),
    rule(A::PUBLIC_KEY_INFO, Form::Bytes, PUBLIC | PRIVATE, Given::Never, Change::No),
    rule(A::VALUE_LEN, Form::Uint, SECRET, Given::Generated, Change::No),
    // A key's life: only `coloa_wire::command::life` changes it.
    rule(A::STATE, Form::Initial, KEYS, Given::Always, Change::No),
    rule(A::STATE_SINCE, Form::Bytes, KEYS, Given::Never, Change::No),
    rule(A::STATE_REASON, Form::Text, KEYS, Given::Never, Change::No),
    rule(A::ORGAN, Form::Text, KEYS, Given::Always, Change::No),
    rule(A::SITE, Form::Text, KEYS, Given::Always, Change::No),
    rule(A::PURPOSE, Form::Text, KEYS, Given::Always, Change::No),
    rule(A::OWNER, Form::Text, KEYS, Given::Always, Change::No),
    rule(A::CLASSIFICATION, Form::UpTo(3), KEYS, Given::Always, Change::No),
    rule(A::CRYPTO_PERIOD, Form::UpTo(MAX_PERIOD), KEYS, Given::Always, Change::No),
    rule(A::KEY_VERSION, Form::Uint, KEYS, Given::Never, Change::No),
    rule(A::PREDECESSOR, Form::Bytes, KEYS, Given::Never, Change::No),
    rule(A::CREATED, Form::Bytes, KEYS, Given::Never, Change::No),
    rule(A::ACTIVATED, Form::Bytes, KEYS, Given::Never, Change::No),
    rule(A::MAX_USES, Form::UpTo(MAX_GCM_INVOCATIONS), HIDDEN, Given::Always, Change::No),
    rule(A::USES, Form::Uint, HIDDEN, Given::Never, Change::No),
];

/// Whether the next version of a key has this from the one before: what people chose, but not trust, state, dates or value.
pub(crate) fn is_inherited(kind: A) -> bool {
    const ANEW: [A; 8] =
        [A::TRUSTED, A::STATE, A::START_DATE, A::END_DATE, A::CHECK_VALUE, A::VALUE, A::PUBLIC_KEY_INFO, A::UNIQUE_ID];
    let chosen = |rule: &&Rule| {
        matches!(rule.given, Given::Always | Given::Generated) && rule.classes & KEYS != 0 && rule.kind == kind
    };
    !ANEW.contains(&kind) && RULES.iter().any(|rule| chosen(&rule))
}

/// Whether an attribute may stand in the template of a new object.
pub(super) fn may_be_given(attribute: &Attribute, class: u8, origin: Origin) -> Result<(), ErrorCode> {
    let rule = rule_of(attribute.kind, class)?;
    has_form(attribute, rule)?;
    let allowed = match rule.given {
        Given::Always => true,
        Given::Imported => origin == Origin::Import,
        Given::Generated => origin != Origin::Import || attribute.kind == A::VALUE_LEN,
        Given::Never => false,
    };
    if allowed { Ok(()) } else { Err(ErrorCode::AttributeReadOnly) }
}

/// The rule of an attribute for a class.
pub(super) fn rule_of(kind: A, class: u8) -> Result<&'static Rule, ErrorCode> {
    RULES.iter().find(|r| r.kind == kind && r.classes & class != 0).ok_or(ErrorCode::AttributeTypeInvalid)
}

/// Whether a value has the form its rule wants.
pub(super) fn has_form(attribute: &Attribute, rule: &Rule) -> Result<(), ErrorCode> {
    let fits = match (&attribute.value, rule.form) {
        (Value::Bool(_), Form::Bool) | (Value::Uint(_), Form::Uint) | (Value::Uints(_), Form::Uints) => true,
        (Value::Bool(value), Form::False) => !value,
        (Value::Uint(value), Form::UpTo(most)) => *value <= most,
        (Value::Bytes(bytes), Form::Bytes) => bytes.len() <= MAX_VALUE,
        (Value::Bytes(bytes), Form::Date) => period::is_valid(bytes),
        (Value::Bytes(bytes), Form::Text) => is_text(bytes),
        (Value::Uint(value), Form::Initial) => {
            matches!(KeyState::from_number(*value), Some(KeyState::PreActive | KeyState::Active))
        }
        (Value::Template(list), Form::Template) => may_be_demanded(list),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ErrorCode::AttributeValueInvalid) }
}

fn is_text(bytes: &[u8]) -> bool {
    let text = core::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_TEXT);
    text.is_some_and(|text| !text.chars().any(char::is_control))
}

/// Whether attributes may stand in a template that is kept for other keys: known ones with their form, each once, and no
/// key's value.
fn may_be_demanded(list: &[Attribute]) -> bool {
    let sound = |attribute: &Attribute| {
        let mut rules = RULES.iter().filter(|rule| rule.kind == attribute.kind && rule.form != Form::Template);
        !attribute.kind.is_secret() && rules.any(|rule| has_form(attribute, rule).is_ok())
    };
    let once = |attribute: &Attribute| list.iter().filter(|other| other.kind == attribute.kind).count() == 1;
    list.iter().all(|attribute| sound(attribute) && once(attribute))
}

/// The bit of a class in [`Rule::classes`].
pub(super) fn class_bit(class: u64) -> Option<u8> {
    match class {
        class::DATA => Some(DATA),
        class::CERTIFICATE => Some(CERT),
        class::PUBLIC_KEY => Some(PUBLIC),
        class::PRIVATE_KEY => Some(PRIVATE),
        class::SECRET_KEY => Some(SECRET),
        class::TRUST => Some(TRUST),
        _ => None,
    }
}
