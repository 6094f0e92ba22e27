//! Who may use which key for what. This module is the only maker of [`Authorized`]; every use of a key demands one.

use crate::keyring::Key;
use crate::mechanism::{self, Served, Service};
use crate::object::{Object, Search};
use crate::session::Session;
use crate::state::Partition;
use crate::{Engine, Peer, Platform, approval, attributes, life, period, profile};
use alloc::sync::Arc;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::{KeyState, PartitionMode, Role};
use coloa_wire::{AttributeType, ErrorCode, MechanismType, ObjectId, PartitionId, Template, UseTicket, Value};
use core::cell::Cell;
use core::marker::PhantomData;
use subtle::ConstantTimeEq;

/// A use of a key.
pub trait Use {
    /// The attribute that permits it.
    const PERMISSION: AttributeType;
    /// What the mechanism must be able to do.
    #[doc(hidden)]
    fn service() -> ServiceTag;
}

/// Hides the engine's table of services from the public trait.
#[doc(hidden)]
pub struct ServiceTag(pub(crate) Service);

macro_rules! uses {
    ($($(#[$doc:meta])* $name:ident $permission:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Use for $name {
            const PERMISSION: AttributeType = AttributeType::$permission;
            fn service() -> ServiceTag {
                ServiceTag(Service::$name)
            }
        }
    )*};
}
uses! {
    /// Signing, or making a MAC.
    Sign SIGN;
    /// Verifying either.
    Verify VERIFY;
    /// Encryption.
    Encrypt ENCRYPT;
    /// Decryption.
    Decrypt DECRYPT;
    /// Wrapping another key.
    Wrap WRAP;
    /// Unwrapping another key.
    Unwrap UNWRAP;
    /// Deriving another key.
    Derive DERIVE;
    /// Making a shared secret for the holder of the private key.
    Encapsulate ENCAPSULATE;
    /// Getting it back.
    Decapsulate DECAPSULATE;
}

/// Proof that this caller may use this key in this way, now.
pub struct Authorized<U: Use, K> {
    object: Arc<Object<K>>,
    approved: bool,
    purpose: PhantomData<U>,
}

impl<U: Use, K> Authorized<U, K> {
    pub(crate) fn object(&self) -> &Arc<Object<K>> {
        &self.object
    }

    /// Whether the use is an approved service (R8).
    pub(crate) fn is_approved(&self) -> bool {
        self.approved
    }
}

/// What a call has for a key that asks for the PIN at each use (`CKA_ALWAYS_AUTHENTICATE`).
#[derive(Clone, Copy)]
pub(crate) enum Leave {
    None,
    Ticket(UseTicket),
    /// This very call has spent it on this key, and is computed anew.
    Spent(ObjectId),
}

/// Decides whether a session may use a key, and proves it. A strict partition demands a login for every key that has a
/// secret, also for one that is not `CKA_PRIVATE` (R1).
pub(crate) fn authorize<U: Use, P: Platform>(
    session: &Session<P>,
    object: Arc<Object<Key<P>>>,
    mechanism: MechanismType,
    platform: &P,
    leave: &Cell<Leave>,
) -> Result<Authorized<U, Key<P>>, ErrorCode> {
    let served = served(platform.crypto(), &session.partition, mechanism, U::service().0)?;
    handles_objects(session)?;
    let role = session.role();
    let anonymous = session.partition.mode == PartitionMode::Strict && object.has_secret_value();
    if role == Some(Role::SecurityOfficer) || (anonymous && role != Some(Role::User)) {
        return Err(ErrorCode::NotLoggedIn);
    }
    let key_type = object.number(AttributeType::KEY_TYPE).filter(|kind| served.key_types().contains(kind));
    if !key_type.is_some_and(|kind| fits_class(&object, kind, U::PERMISSION)) {
        return Err(ErrorCode::KeyTypeInconsistent);
    }
    let approved = approval::is_approved_with(mechanism, U::service().0, session.partition.mode, &object);
    if !approved && session.partition.approved_only {
        return Err(ErrorCode::ServiceNotApproved);
    }
    let strict = session.partition.mode == PartitionMode::Strict;
    let in_time = !strict || period::permits(&object, platform.now(), U::PERMISSION);
    if !object.flag(U::PERMISSION) || !allows(&object, mechanism) || !in_time {
        return Err(ErrorCode::KeyUseForbidden);
    }
    in_state(session, &object, platform, U::PERMISSION)?;
    if object.flag(AttributeType::ALWAYS_AUTHENTICATE) {
        take_leave(session, object.id, leave)?;
    }
    Ok(Authorized { object, approved, purpose: PhantomData })
}

/// A mechanism that the engine, the partition's rules and its settings have.
///
/// # Errors
/// `MechanismUnsupported`, `MechanismForbidden`.
pub(crate) fn served<P: Platform>(
    crypto: &P::Crypto,
    partition: &Partition<P>,
    mechanism: MechanismType,
    service: Service,
) -> Result<Served, ErrorCode> {
    let served = mechanism::served(crypto, mechanism, service, partition.mode)?;
    has_mechanism(partition, mechanism).map(|()| served)
}

/// `MechanismForbidden` where the administrator has taken a mechanism from the partition.
pub(crate) fn has_mechanism<P: Platform>(partition: &Partition<P>, mechanism: MechanismType) -> Result<(), ErrorCode> {
    let allowed = partition.setting(|s| s.mechanisms.as_ref().map(|all| all.contains(&mechanism)));
    if allowed.unwrap_or(true) { Ok(()) } else { Err(ErrorCode::MechanismForbidden) }
}

/// Whether a key's state permits a use (R11), on every partition; a session's copy asks the key that it is a copy of too.
fn in_state<P: Platform>(
    session: &Session<P>,
    object: &Object<Key<P>>,
    platform: &P,
    permission: AttributeType,
) -> Result<(), ErrorCode> {
    let now = platform.now();
    life::permits(life::state(object, now), permission)?;
    // A session's key that came from outside may be a stored one, carried round before that was suspended.
    if !object.is_stored() && object.has_secret_value() && !object.flag(AttributeType::LOCAL) {
        value_permits(&session.partition, object.secret(), permission)?;
    }
    match object.origin() {
        Some(origin) => match session.partition.get(origin)? {
            Some(original) => life::permits(life::state(&original, now), permission),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// Whether no stored key that has this value is in a state that forbids such a use. `Conflict` when some must be read first.
pub(crate) fn value_permits<P: Platform>(
    partition: &Partition<P>,
    value: &[u8],
    permission: AttributeType,
) -> Result<(), ErrorCode> {
    let mut unread = false;
    for state in [KeyState::Suspended, KeyState::Deactivated, KeyState::Compromised] {
        let template = Template::default().with(AttributeType::STATE, state.number());
        let search = Search { template: &template, after: None, max: usize::MAX, sees_private: true };
        let found = partition.objects.read().find(&search).unwrap_or_else(|unread| unread);
        for id in found {
            match partition.get(id) {
                Err(ErrorCode::Conflict) => unread = true,
                Ok(Some(key)) if key.has_secret_value() && bool::from(key.secret().as_slice().ct_eq(value)) => {
                    life::permits(state, permission)?;
                }
                other => drop(other?),
            }
        }
    }
    if unread { Err(ErrorCode::Conflict) } else { Ok(()) }
}

/// Whether a key's value may be put into another object, or shown: not where the other could do more than the key (R11).
pub(crate) fn may_leave<P: Platform>(
    session: &Session<P>,
    object: &Object<Key<P>>,
    platform: &P,
) -> Result<(), ErrorCode> {
    in_state(session, object, platform, AttributeType::WRAP)
}

/// What somebody does to a key's life without using it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Governing {
    /// Sees which keys there are, and nothing of their values.
    Survey,
    /// Takes something from what a key may do, or says whose it is.
    Restrict,
    /// Gives it back.
    Release,
    /// Ends it.
    Destroy,
    /// Has it replaced by a new one.
    Replace,
}

/// Who may govern the keys of a partition (boundary B6). Restricting is open to everyone in charge, so that a key that is
/// suspected is stopped at once by whoever learns of it; nothing is won by it but a refusal, which the log shows. Giving
/// back is the security officer's alone: not of the administrator of the machine, who has no part in a partition's keys,
/// and not of the user, whom the suspicion may be about. Destruction wants a login of the partition: the administrator can
/// only destroy all of it, for all to see. Replacing makes a key, so it is the user's, as making keys is.
pub(crate) fn may_govern(peer: &Peer, role: Option<Role>, act: Governing) -> Result<(), ErrorCode> {
    let allowed = match act {
        Governing::Survey | Governing::Restrict => peer.administrates() || role.is_some(),
        Governing::Release => role == Some(Role::SecurityOfficer),
        Governing::Destroy => role.is_some(),
        Governing::Replace => role == Some(Role::User),
    };
    if allowed { Ok(()) } else { Err(ErrorCode::NotLoggedIn) }
}

/// PKCS#11 §4.9: each use of such a key wants a login of its own.
fn take_leave<P: Platform>(session: &Session<P>, key: ObjectId, leave: &Cell<Leave>) -> Result<(), ErrorCode> {
    match leave.get() {
        Leave::Spent(same) if same == key => Ok(()),
        Leave::Ticket(ticket) => {
            session.spend(ticket)?;
            leave.set(Leave::Spent(key));
            Ok(())
        }
        Leave::None | Leave::Spent(_) => Err(ErrorCode::NotLoggedIn),
    }
}

/// Of a pair the private half signs, decrypts, unwraps, derives and decapsulates; the public one does the rest.
fn fits_class<K>(object: &Object<K>, key: u64, permission: AttributeType) -> bool {
    use AttributeType as A;
    let wanted = match (is_pair(key), permission) {
        (true, A::VERIFY | A::ENCRYPT | A::WRAP | A::ENCAPSULATE) => class::PUBLIC_KEY,
        (true, _) => class::PRIVATE_KEY,
        (false, _) => class::SECRET_KEY,
    };
    object.class() == wanted
}

fn is_pair(key: u64) -> bool {
    use key_type::*;
    matches!(key, RSA | EC | EC_EDWARDS | EC_MONTGOMERY | ML_DSA | ML_KEM)
}

fn allows<K>(object: &Object<K>, mechanism: MechanismType) -> bool {
    match object.value(AttributeType::ALLOWED_MECHANISMS) {
        Some(Value::Uints(allowed)) if !allowed.is_empty() => allowed.contains(&u64::from(mechanism.0)),
        _ => true,
    }
}

/// Proof that this key may leave under that wrapping key, now.
pub(crate) struct Wrappable<K>(Arc<Object<K>>);

impl<K> Wrappable<K> {
    pub(crate) fn object(&self) -> &Object<K> {
        &self.0
    }
}

/// Decides whether a key may leave, wrapped by another (PKCS#11 §5.18.3). On a strict partition every key is one that only
/// trusted keys wrap, and only the user has it wrapped (R9, R13).
pub(crate) fn wrappable<P: Platform>(
    session: &Session<P>,
    wrapping: &Authorized<Wrap, Key<P>>,
    key: Arc<Object<Key<P>>>,
    platform: &P,
) -> Result<Wrappable<Key<P>>, ErrorCode> {
    use AttributeType as A;
    let strict = session.partition.mode == PartitionMode::Strict;
    if !key.has_secret_value() {
        return Err(ErrorCode::KeyNotWrappable);
    }
    if strict {
        session.require(Role::User)?;
    }
    if !key.flag(A::EXTRACTABLE) {
        return Err(ErrorCode::KeyUnextractable);
    }
    may_leave(session, &key, platform)?;
    if (strict || key.flag(A::WRAP_WITH_TRUSTED)) && !wrapping.object.flag(A::TRUSTED) {
        return Err(ErrorCode::KeyNotWrappable);
    }
    let wanted = wrapping.object.template(A::WRAP_TEMPLATE);
    let typed = wanted.iter().any(|a| a.kind == A::KEY_TYPE);
    let free = || attributes::travels_freely(key.class(), key.number(A::KEY_TYPE), |kind| key.flag(kind));
    let bound = !strict || typed || free();
    let matches = bound && key.matches(&Template(wanted.to_vec()));
    if matches { Ok(Wrappable(key)) } else { Err(ErrorCode::KeyOutsideTemplate) }
}

/// Whether a key may come to be trusted, or lose it: by the SO, and as a wrapping key of which the engine knows that nobody
/// ever had it: drawn here, always sensitive, and wrapped by none or, on a strict partition, by trusted ones only. There it
/// also takes in as what it let out.
pub(crate) fn may_trust<P: Platform>(
    session: &Session<P>,
    before: Option<&Object<Key<P>>>,
    after: &Object<Key<P>>,
) -> Result<(), ErrorCode> {
    use AttributeType as A;
    let was = before.is_some_and(|object| object.flag(A::TRUSTED));
    if was == after.flag(A::TRUSTED) || after.number(A::KEY_TYPE).is_none() {
        return Ok(());
    }
    if session.role() != Some(Role::SecurityOfficer) {
        return Err(ErrorCode::AttributeReadOnly);
    }
    if was || is_fit_for_trust(session.partition.mode, after) { Ok(()) } else { Err(ErrorCode::TemplateInconsistent) }
}

/// See [`may_trust`].
pub(crate) fn is_fit_for_trust<K>(mode: PartitionMode, after: &Object<K>) -> bool {
    use AttributeType as A;
    let strict = mode == PartitionMode::Strict;
    let drawn = after.flag(A::LOCAL) && after.number(A::KEY_GEN_MECHANISM) != Some(PBKD2);
    let held = strict || after.flag(A::NEVER_EXTRACTABLE);
    let unknown = !after.has_secret_value() || (drawn && after.flag(A::ALWAYS_SENSITIVE) && held);
    let (wrap, unwrap) = (after.template(A::WRAP_TEMPLATE), after.template(A::UNWRAP_TEMPLATE));
    let bound = !strict || !after.flag(A::UNWRAP) || attributes::mirrors(wrap, unwrap);
    unknown && bound && attributes::wraps_only(|kind| after.flag(kind))
}

const PBKD2: u64 = MechanismType::PKCS5_PBKD2.0 as u64;

/// Whether a session may make this change: the SO touches no secret key of a strict partition, but marks those it trusts.
pub(crate) fn may_change<P: Platform>(
    session: &Session<P>,
    object: &Object<Key<P>>,
    changes: &Template,
) -> Result<(), ErrorCode> {
    let marks = !changes.0.is_empty() && changes.0.iter().all(|a| a.kind == AttributeType::TRUSTED);
    match session.role() {
        Some(Role::SecurityOfficer) if marks && object.is_stored() => handles_objects(session),
        _ => may_make(session, object),
    }
}

/// Whether a session sees an object: private ones only with the user logged in (PKCS#11 §4.4).
pub(crate) fn sees<P: Platform>(session: &Session<P>, object: &Object<Key<P>>) -> bool {
    role_sees(session.role(), object)
}

pub(crate) fn role_sees<K>(role: Option<Role>, object: &Object<K>) -> bool {
    !object.is_private() || sees_private(role)
}

pub(crate) fn sees_private(role: Option<Role>) -> bool {
    role == Some(Role::User)
}

/// An object the session sees: one of its own, or one of the partition's. `Conflict` when it has to be read from the store
/// first: the command is computed anew when that is done.
pub(crate) fn look_up<P: Platform>(
    session: &Session<P>,
    partition: &Partition<P>,
    id: ObjectId,
) -> Result<Arc<Object<Key<P>>>, ErrorCode> {
    let stored = partition.get(id)?;
    let own = stored.or_else(|| session.object(id));
    let object = own.or_else(|| profile::look_up(id)).ok_or(ErrorCode::ObjectUnknown)?;
    if sees(session, &object) { Ok(object) } else { Err(ErrorCode::ObjectUnknown) }
}

/// Whether a caller may know of a partition (R21, R22).
pub(crate) fn may_see<P: Platform>(partition: &Partition<P>, peer: &Peer) -> bool {
    match peer {
        Peer::Administrator(_) | Peer::Owner => true,
        Peer::Client { identity, .. } => partition.is_bound_to(identity),
    }
}

/// The partition, if the caller may know of it.
pub(crate) fn partition_for<P: Platform>(
    engine: &Engine<P>,
    peer: &Peer,
    id: PartitionId,
) -> Result<Arc<Partition<P>>, ErrorCode> {
    let partition = engine.state().partition(id)?;
    if may_see(&partition, peer) { Ok(partition) } else { Err(ErrorCode::PartitionUnknown) }
}

/// An operator on the local socket manages tokens but uses no key (R1).
pub(crate) fn may_log_in(peer: &Peer, role: Role) -> Result<(), ErrorCode> {
    match (peer, role) {
        (Peer::Administrator(_), Role::User) => Err(ErrorCode::ChannelForbidden),
        _ => Ok(()),
    }
}

/// An operator on the local socket makes, changes and uses no object (R1).
fn handles_objects<P: Platform>(session: &Session<P>) -> Result<(), ErrorCode> {
    let operator = matches!(**session.peer(), Peer::Administrator(_));
    if operator { Err(ErrorCode::ChannelForbidden) } else { Ok(()) }
}

/// Whether a session may make, change or destroy such an object: a private one only with the user logged in. A strict
/// partition wants the user for every key that has a secret, so that the SO plants none, and some login for what is stored.
pub(crate) fn may_make<P: Platform>(session: &Session<P>, object: &Object<Key<P>>) -> Result<(), ErrorCode> {
    role_may_make(session, session.role(), object)
}

/// [`may_make`] with a role that the caller holds still.
pub(crate) fn role_may_make<P: Platform>(
    session: &Session<P>,
    role: Option<Role>,
    object: &Object<Key<P>>,
) -> Result<(), ErrorCode> {
    handles_objects(session)?;
    let strict = session.partition.mode == PartitionMode::Strict;
    let allowed = match role {
        Some(Role::User) => true,
        Some(Role::SecurityOfficer) => !(object.is_private() || strict && object.has_secret_value()),
        None => !(object.is_private() || strict && (object.has_secret_value() || object.is_stored())),
    };
    if allowed { Ok(()) } else { Err(ErrorCode::NotLoggedIn) }
}
