//! The rules of object attributes: which belong to which class, what form their value has, who sets them and whether they
//! change later (PKCS#11 §4). A template is parsed against them into the attributes of a new object.

use crate::{Hash, period};
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::PartitionMode;
use coloa_wire::{Attribute, AttributeType as A, ErrorCode, MechanismType, Template, Value};

/// The longest byte string one attribute holds.
pub(crate) const MAX_VALUE: usize = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bool,
    /// What the engine does not have is not promised.
    False,
    Uint,
    Bytes,
    Uints,
    /// `CK_DATE`, or nothing.
    Date,
}

/// Who may set an attribute when the object is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
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
enum Change {
    No,
    Yes,
    ToTrue,
    ToFalse,
}

struct Rule {
    kind: A,
    form: Form,
    classes: u8,
    given: Given,
    change: Change,
}

const DATA: u8 = 1;
const CERT: u8 = 2;
const PUBLIC: u8 = 4;
const PRIVATE: u8 = 8;
const SECRET: u8 = 16;
const KEYS: u8 = PUBLIC | PRIVATE | SECRET;
const HIDDEN: u8 = PRIVATE | SECRET;
const ALL: u8 = DATA | CERT | KEYS;

const fn rule(kind: A, form: Form, classes: u8, given: Given, change: Change) -> Rule {
    Rule { kind, form, classes, given, change }
}

const RULES: &[Rule] = &[
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
    rule(A::VALUE, Form::Bytes, DATA | CERT | HIDDEN, Given::Imported, Change::No),
    rule(A::CERTIFICATE_TYPE, Form::Uint, CERT, Given::Always, Change::No),
    rule(A::CERTIFICATE_CATEGORY, Form::Uint, CERT, Given::Always, Change::No),
    rule(A::ISSUER, Form::Bytes, CERT, Given::Always, Change::Yes),
    rule(A::SERIAL_NUMBER, Form::Bytes, CERT, Given::Always, Change::Yes),
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
    rule(A::ALWAYS_AUTHENTICATE, Form::False, PRIVATE, Given::Always, Change::No),
    rule(A::EC_PARAMS, Form::Bytes, PUBLIC | PRIVATE, Given::Always, Change::No),
    rule(A::EC_POINT, Form::Bytes, PUBLIC, Given::Imported, Change::No),
    rule(A::PUBLIC_KEY_INFO, Form::Bytes, PUBLIC | PRIVATE, Given::Never, Change::No),
    rule(A::VALUE_LEN, Form::Uint, SECRET, Given::Generated, Change::No),
];

/// How a new object comes to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `C_CreateObject`.
    Import,
    /// By this mechanism.
    Generate(MechanismType),
}

/// What the caller wants a new object to be: every attribute has its form, belongs to the class and may be given.
pub(crate) struct Wanted {
    attributes: Vec<Attribute>,
    class: u64,
    origin: Origin,
}

impl Wanted {
    /// Parses a template. `implied` are the attributes that the mechanism itself tells (class, key type); the template may
    /// repeat them.
    pub(crate) fn parse(template: Template, implied: &[(A, u64)], origin: Origin) -> Result<Self, ErrorCode> {
        let mut attributes = template.0;
        for (kind, value) in implied {
            match attributes.iter().find(|a| a.kind == *kind) {
                Some(a) if a.value != Value::Uint(*value) => return Err(ErrorCode::TemplateInconsistent),
                Some(_) => {}
                None => attributes.push(Attribute { kind: *kind, value: Value::Uint(*value) }),
            }
        }
        let class = match attributes.iter().find(|a| a.kind == A::CLASS).map(|a| &a.value) {
            Some(Value::Uint(class)) => *class,
            _ => return Err(ErrorCode::TemplateIncomplete),
        };
        let bit = class_bit(class).ok_or(ErrorCode::AttributeValueInvalid)?;
        attributes.iter().try_for_each(|a| may_be_given(a, bit, origin))?;
        attributes.sort_by_key(|a| a.kind);
        if attributes.windows(2).any(|pair| matches!(pair, [a, b] if a.kind == b.kind)) {
            return Err(ErrorCode::TemplateInconsistent);
        }
        Ok(Wanted { attributes, class, origin })
    }

    pub(crate) fn class(&self) -> u64 {
        self.class
    }

    pub(crate) fn has(&self, kind: A) -> bool {
        self.value(kind).is_some()
    }

    pub(crate) fn number(&self, kind: A) -> Option<u64> {
        match self.value(kind) {
            Some(Value::Uint(n)) => Some(*n),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, kind: A) -> Option<&[u8]> {
        match self.value(kind) {
            Some(Value::Bytes(b)) => Some(b),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, kind: A) -> bool {
        matches!(self.value(kind), Some(Value::Bool(true)))
    }

    fn value(&self, kind: A) -> Option<&Value> {
        self.attributes.iter().find(|a| a.kind == kind).map(|a| &a.value)
    }

    /// Takes an attribute out.
    pub(crate) fn take(&mut self, kind: A) -> Option<Value> {
        let at = self.attributes.iter().position(|a| a.kind == kind)?;
        let mut taken = self.attributes.swap_remove(at);
        Some(core::mem::replace(&mut taken.value, Value::Bool(false)))
    }

    /// Sets an attribute, whatever it was.
    pub(crate) fn set(&mut self, kind: A, value: impl Into<Value>) {
        self.take(kind);
        self.attributes.push(Attribute { kind, value: value.into() });
    }

    fn default(&mut self, kind: A, value: impl Into<Value>) {
        if !self.has(kind) {
            self.set(kind, value);
        }
    }

    /// Adds what the caller left out and what only the engine knows, and holds the whole to the partition's rules.
    pub(crate) fn complete(mut self, mode: PartitionMode) -> Result<Template, ErrorCode> {
        self.default_storage();
        match self.class {
            class::PUBLIC_KEY => self.default_public(),
            class::PRIVATE_KEY | class::SECRET_KEY => self.default_hidden(),
            _ => {}
        }
        let template = Template(self.attributes);
        obey(&template, self.class, self.origin, mode)?;
        Ok(template)
    }

    fn default_storage(&mut self) {
        let hidden = matches!(self.class, class::PRIVATE_KEY | class::SECRET_KEY);
        self.default(A::TOKEN, false);
        self.default(A::PRIVATE, hidden);
        self.default(A::LABEL, Vec::new());
        [A::MODIFIABLE, A::COPYABLE, A::DESTROYABLE].into_iter().for_each(|kind| self.default(kind, true));
        match self.class {
            class::DATA => [A::APPLICATION, A::OBJECT_ID].into_iter().for_each(|k| self.default(k, Vec::new())),
            class::CERTIFICATE => {
                [A::ID, A::ISSUER, A::SERIAL_NUMBER].into_iter().for_each(|k| self.default(k, Vec::new()));
            }
            _ => [A::ID, A::START_DATE, A::END_DATE].into_iter().for_each(|k| self.default(k, Vec::new())),
        }
        if matches!(self.class, class::PUBLIC_KEY | class::PRIVATE_KEY) {
            self.default(A::SUBJECT, Vec::new());
        }
    }

    fn default_public(&mut self) {
        self.default_purposes(&[A::VERIFY], &[A::ENCRYPT, A::WRAP, A::DERIVE, A::VERIFY_RECOVER]);
        self.set_origin();
    }

    fn default_hidden(&mut self) {
        let natural: &[A] = match (self.class, self.number(A::KEY_TYPE)) {
            (class::PRIVATE_KEY, _) => &[A::SIGN],
            (_, Some(key_type::AES)) => &[A::ENCRYPT, A::DECRYPT],
            _ => &[A::SIGN, A::VERIFY],
        };
        let others: &[A] = match self.class {
            class::PRIVATE_KEY => &[A::DECRYPT, A::UNWRAP, A::DERIVE, A::SIGN_RECOVER],
            _ => &[A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY, A::WRAP, A::UNWRAP, A::DERIVE],
        };
        self.default_purposes(natural, others);
        self.default(A::SENSITIVE, true);
        self.default(A::EXTRACTABLE, false);
        self.default(A::WRAP_WITH_TRUSTED, false);
        if self.class == class::PRIVATE_KEY {
            self.default(A::ALWAYS_AUTHENTICATE, false);
        }
        let generated = self.origin != Origin::Import;
        let (sensitive, extractable) = (self.flag(A::SENSITIVE), self.flag(A::EXTRACTABLE));
        self.set(A::ALWAYS_SENSITIVE, generated && sensitive);
        self.set(A::NEVER_EXTRACTABLE, generated && !extractable);
        self.set_origin();
    }

    /// A caller who names no purpose gets the natural one; who names some gets those.
    fn default_purposes(&mut self, natural: &[A], others: &[A]) {
        let named = natural.iter().chain(others).any(|kind| self.has(*kind));
        natural.iter().for_each(|kind| self.default(*kind, !named));
        others.iter().for_each(|kind| self.default(*kind, false));
    }

    fn set_origin(&mut self) {
        let mechanism = match self.origin {
            // CK_UNAVAILABLE_INFORMATION
            Origin::Import => u64::MAX,
            Origin::Generate(mechanism) => u64::from(mechanism.0),
        };
        self.set(A::LOCAL, self.origin != Origin::Import);
        self.set(A::KEY_GEN_MECHANISM, mechanism);
    }
}

/// Applies `C_SetAttributeValue` or the template of `C_CopyObject` to an object's attributes.
pub(crate) fn change(current: Template, changes: Template, copying: bool) -> Result<Template, ErrorCode> {
    let class = match current.value(A::CLASS) {
        Some(Value::Uint(class)) => *class,
        _ => return Err(ErrorCode::StoreCorrupt),
    };
    let bit = class_bit(class).ok_or(ErrorCode::StoreCorrupt)?;
    let mut attributes = current.0;
    for new in changes.0 {
        let rule = rule_of(new.kind, bit)?;
        has_form(&new, rule)?;
        let old = attributes.iter_mut().find(|a| a.kind == new.kind);
        let same = old.as_ref().is_some_and(|a| a.value == new.value);
        let published = new.kind == A::PRIVATE && new.value == Value::Bool(false);
        let placed =
            copying && !published && matches!(new.kind, A::TOKEN | A::PRIVATE | A::MODIFIABLE | A::DESTROYABLE);
        let allowed = match rule.change {
            Change::Yes => true,
            Change::ToTrue => new.value == Value::Bool(true),
            Change::ToFalse => new.value == Value::Bool(false),
            Change::No => placed,
        };
        if !allowed && !same {
            return Err(ErrorCode::AttributeReadOnly);
        }
        match old {
            Some(attribute) => attribute.value = new.value.clone(),
            None => attributes.push(new),
        }
    }
    Ok(Template(attributes))
}

/// What a key may be for.
const PURPOSES: [A; 9] =
    [A::SIGN, A::VERIFY, A::SIGN_RECOVER, A::VERIFY_RECOVER, A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP, A::DERIVE];

/// On a strict partition a key's purposes only become fewer, or a DEK could become a KEK in two steps (R10), and its
/// crypto-period only shorter (R12).
pub(crate) fn only_narrows(old: &Template, new: &Template) -> Result<(), ErrorCode> {
    let flag = |template: &Template, kind: A| template.value(kind) == Some(&Value::Bool(true));
    if PURPOSES.iter().any(|kind| flag(new, *kind) && !flag(old, *kind)) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    let date = |template: &Template, kind: A| match template.value(kind) {
        Some(Value::Bytes(date)) => date.clone(),
        _ => Vec::new(),
    };
    let (start, end) = (date(old, A::START_DATE), date(old, A::END_DATE));
    let kept = start.is_empty() || start == date(new, A::START_DATE);
    if kept && period::may_end(&end, &date(new, A::END_DATE)) { Ok(()) } else { Err(ErrorCode::AttributeReadOnly) }
}

/// Holds the attributes of a key to the partition's rules (ARCHITECTURE decision 8, R9, R10).
pub(crate) fn obey(template: &Template, class: u64, origin: Origin, mode: PartitionMode) -> Result<(), ErrorCode> {
    if mode == PartitionMode::Compatible || !matches!(class, class::PRIVATE_KEY | class::SECRET_KEY | class::PUBLIC_KEY)
    {
        return Ok(());
    }
    let flag = |kind: A| template.value(kind) == Some(&Value::Bool(true));
    let any = |kinds: &[A]| kinds.iter().any(|k| flag(*k));
    let purposes = [
        any(&[A::SIGN, A::VERIFY, A::SIGN_RECOVER, A::VERIFY_RECOVER]),
        any(&[A::ENCRYPT, A::DECRYPT]),
        any(&[A::WRAP, A::UNWRAP]),
        flag(A::DERIVE),
    ];
    let hidden = class != class::PUBLIC_KEY;
    let many = purposes.iter().filter(|p| **p).count() > 1;
    let readable = hidden && flag(A::EXTRACTABLE) && !flag(A::SENSITIVE);
    let known_wrapper = hidden && origin == Origin::Import && any(&[A::WRAP, A::UNWRAP, A::DERIVE]);
    if many || readable || known_wrapper { Err(ErrorCode::TemplateInconsistent) } else { Ok(()) }
}

fn may_be_given(attribute: &Attribute, class: u8, origin: Origin) -> Result<(), ErrorCode> {
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

fn rule_of(kind: A, class: u8) -> Result<&'static Rule, ErrorCode> {
    RULES.iter().find(|r| r.kind == kind && r.classes & class != 0).ok_or(ErrorCode::AttributeTypeInvalid)
}

fn has_form(attribute: &Attribute, rule: &Rule) -> Result<(), ErrorCode> {
    let fits = match (&attribute.value, rule.form) {
        (Value::Bool(_), Form::Bool) | (Value::Uint(_), Form::Uint) | (Value::Uints(_), Form::Uints) => true,
        (Value::Bool(value), Form::False) => !value,
        (Value::Bytes(bytes), Form::Bytes) => bytes.len() <= MAX_VALUE,
        (Value::Bytes(bytes), Form::Date) => period::is_valid(bytes),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ErrorCode::AttributeValueInvalid) }
}

fn class_bit(class: u64) -> Option<u8> {
    match class {
        class::DATA => Some(DATA),
        class::CERTIFICATE => Some(CERT),
        class::PUBLIC_KEY => Some(PUBLIC),
        class::PRIVATE_KEY => Some(PRIVATE),
        class::SECRET_KEY => Some(SECRET),
        _ => None,
    }
}

/// The hash an HMAC or ECDSA mechanism names.
pub(crate) fn hash_of(mechanism: MechanismType) -> Option<Hash> {
    use MechanismType as M;
    match mechanism {
        M::ECDSA_SHA256 | M::SHA256_HMAC => Some(Hash::Sha256),
        M::ECDSA_SHA384 | M::SHA384_HMAC => Some(Hash::Sha384),
        M::ECDSA_SHA512 | M::SHA512_HMAC => Some(Hash::Sha512),
        _ => None,
    }
}
