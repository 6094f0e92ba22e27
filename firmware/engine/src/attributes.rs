//! The rules of object attributes: which belong to which class, what form their value has, who sets them and whether they
//! change later (PKCS#11 §4). A template is parsed against them into the attributes of a new object.

mod certificate;
mod partition;
mod rules;

pub(crate) use partition::{mirrors, narrowest, obey, only_narrows, travels_freely, wraps_only};
pub(crate) use rules::{MAX_PERIOD, MAX_TEXT, is_inherited};

use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyState, PartitionMode};
use coloa_wire::{Attribute, AttributeType as A, ErrorCode, MechanismType, Template, Value};
use rules::{Change, class_bit, has_form, may_be_given, rule_of};

/// The longest byte string one attribute holds.
pub(crate) const MAX_VALUE: usize = 16 * 1024;

/// How a new object comes to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `C_CreateObject`.
    Import,
    /// By this mechanism.
    Generate(MechanismType),
    /// Unwrapped, encapsulated or decapsulated: the value was outside (§5.18.4, §5.18.8).
    Carried,
    /// Derived from a key that always was sensitive, and never extractable.
    Derived { sensitive: bool, unextractable: bool },
}

impl Origin {
    fn is_local(self) -> bool {
        matches!(self, Origin::Generate(_))
    }

    /// Whether the caller knows the value: it gave it, or the password it comes from.
    fn is_known(self) -> bool {
        matches!(self, Origin::Import | Origin::Generate(MechanismType::PKCS5_PBKD2))
    }
}

/// A caller's template with what the key that makes the new one demands of it: its `CKA_UNWRAP_TEMPLATE` or
/// `CKA_DERIVE_TEMPLATE` (§5.18).
pub(crate) fn merged(mut template: Template, demanded: &[Attribute]) -> Result<Template, ErrorCode> {
    for attribute in demanded {
        match template.value(attribute.kind) {
            Some(given) if *given != attribute.value => return Err(ErrorCode::TemplateInconsistent),
            Some(_) => {}
            None => template.0.push(attribute.clone()),
        }
    }
    Ok(template)
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
        self.contradicts_itself()?;
        match self.class {
            class::PUBLIC_KEY => self.default_public(),
            class::PRIVATE_KEY | class::SECRET_KEY => self.default_hidden(mode),
            _ => {}
        }
        let template = Template(self.attributes);
        obey(&template, self.class, Some(self.origin), mode)?;
        Ok(template)
    }

    fn default_storage(&mut self) {
        let hidden = matches!(self.class, class::PRIVATE_KEY | class::SECRET_KEY);
        self.default(A::TOKEN, false);
        self.default(A::PRIVATE, hidden);
        self.default(A::LABEL, Vec::new());
        [A::MODIFIABLE, A::COPYABLE, A::DESTROYABLE].into_iter().for_each(|kind| self.default(kind, true));
        match self.class {
            class::DATA => {
                [A::APPLICATION, A::OBJECT_ID, A::VALUE].into_iter().for_each(|k| self.default(k, Vec::new()))
            }
            class::CERTIFICATE => self.default_certificate(),
            class::TRUST => self.default_trust(),
            _ => [A::ID, A::START_DATE, A::END_DATE].into_iter().for_each(|k| self.default(k, Vec::new())),
        }
        if matches!(self.class, class::PUBLIC_KEY | class::PRIVATE_KEY) {
            self.default(A::SUBJECT, Vec::new());
        }
    }

    /// PKCS#11 §4.9: who must give the PIN for each use must be logged in to see the key at all.
    fn contradicts_itself(&self) -> Result<(), ErrorCode> {
        let open = self.flag(A::ALWAYS_AUTHENTICATE) && !self.flag(A::PRIVATE);
        if open { Err(ErrorCode::TemplateInconsistent) } else { Ok(()) }
    }

    fn default_public(&mut self) {
        let natural = match self.number(A::KEY_TYPE) {
            Some(key_type::ML_KEM) => &[A::ENCAPSULATE][..],
            Some(key_type::EC_MONTGOMERY) => &[A::DERIVE],
            _ => &[A::VERIFY],
        };
        const ALL: &[A] = &[A::VERIFY, A::ENCRYPT, A::WRAP, A::DERIVE, A::VERIFY_RECOVER, A::ENCAPSULATE];
        self.default_purposes(natural, ALL);
        self.set_origin();
    }

    fn default_hidden(&mut self, mode: PartitionMode) {
        const OF_PRIVATE: &[A] = &[A::SIGN, A::DECRYPT, A::UNWRAP, A::DERIVE, A::SIGN_RECOVER, A::DECAPSULATE];
        const OF_SECRET: &[A] = &[A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY, A::WRAP, A::UNWRAP, A::DERIVE];
        let others = if self.class == class::PRIVATE_KEY { OF_PRIVATE } else { OF_SECRET };
        self.default_purposes(natural(self.class, self.number(A::KEY_TYPE)), others);
        self.default(A::SENSITIVE, true);
        // What was outside goes there again (§5.18.4), unless the partition is strict.
        self.default(A::EXTRACTABLE, self.origin == Origin::Carried && mode == PartitionMode::Compatible);
        self.default(A::WRAP_WITH_TRUSTED, mode == PartitionMode::Strict);
        if self.class == class::PRIVATE_KEY {
            self.default(A::ALWAYS_AUTHENTICATE, false);
        }
        let (always, never) = match self.origin {
            Origin::Import | Origin::Carried => (false, false),
            Origin::Generate(_) => (true, true),
            Origin::Derived { sensitive, unextractable } => (sensitive, unextractable),
        };
        let (sensitive, extractable) = (self.flag(A::SENSITIVE), self.flag(A::EXTRACTABLE));
        self.set(A::ALWAYS_SENSITIVE, always && sensitive);
        self.set(A::NEVER_EXTRACTABLE, never && !extractable);
        self.set_origin();
    }

    /// A caller who names no purpose gets the natural one; who names some gets those.
    fn default_purposes(&mut self, natural: &[A], others: &[A]) {
        let named = natural.iter().chain(others).any(|kind| self.has(*kind));
        natural.iter().for_each(|kind| self.default(*kind, !named));
        others.iter().for_each(|kind| self.default(*kind, false));
    }

    fn set_origin(&mut self) {
        self.default(A::STATE, KeyState::Active.number());
        let mechanism = match self.origin {
            Origin::Generate(mechanism) => u64::from(mechanism.0),
            // CK_UNAVAILABLE_INFORMATION
            Origin::Import | Origin::Carried | Origin::Derived { .. } => u64::MAX,
        };
        self.set(A::LOCAL, self.origin.is_local());
        self.set(A::KEY_GEN_MECHANISM, mechanism);
    }
}

/// What a hidden key of this class and type is for when nobody says.
fn natural(class: u64, kind: Option<u64>) -> &'static [A] {
    match (class, kind) {
        (class::PRIVATE_KEY, Some(key_type::ML_KEM)) => &[A::DECAPSULATE],
        (class::PRIVATE_KEY, Some(key_type::EC_MONTGOMERY)) => &[A::DERIVE],
        (class::PRIVATE_KEY, _) => &[A::SIGN],
        (_, Some(key_type::AES | key_type::AES_XTS)) => &[A::ENCRYPT, A::DECRYPT],
        (_, Some(key_type::HKDF)) => &[A::DERIVE],
        _ => &[A::SIGN, A::VERIFY],
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
