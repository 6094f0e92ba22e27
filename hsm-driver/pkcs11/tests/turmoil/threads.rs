//! Eight threads of one process give one module any calls there are, and it forks meanwhile.

use crate::fuzzed::{is_sound, parameters, templates};
use crate::rig::c::*;
use crate::rig::chance::{Chance, seed};
use crate::rig::every::{always, every_function};
use crate::rig::forked::in_child;
use crate::rig::keys::Keys;
use crate::rig::{P256, Rig};
use crate::slot;
use cryptoki_sys::*;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

/// Two tokens: in the second slot nobody is sure of anything.
const TOKENS: &str = "[[token]]\nbody = \"embedded\"\ndirectory = \"store\"\nmode = \"compatible\"\n\
     [[token]]\nbody = \"embedded\"\ndirectory = \"second\"\nmode = \"compatible\"\n";
const LABEL: &[u8] = b"lasting";
/// Neither a session nor an object that anybody was given.
const WILD: [CK_ULONG; 7] =
    [0, CK_ULONG::MAX, CK_ULONG::MAX - 15, 1 << 63, (1 << 63) - 1, CK_ULONG::MAX / 24 + 1, 1 << 40];

/// What all threads know.
struct Stage {
    keys: Keys,
    kinds: Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)>,
    /// A session that several threads use at once, which no careful program does.
    shared: CK_SESSION_HANDLE,
    second: slot::Known,
}

/// One call, or a few, in a session of its own.
type Part = fn(&Stage, CK_SESSION_HANDLE, &mut Chance);

const PARTS: [Part; 8] =
    [give_a_template, give_a_template, give_a_parameter, share, share, call_everything, upset, upset];

fn give_a_template(stage: &Stage, own: CK_SESSION_HANDLE, chance: &mut Chance) {
    templates::play(own, &stage.keys, &chance.bytes(400));
}

fn give_a_parameter(stage: &Stage, own: CK_SESSION_HANDLE, chance: &mut Chance) {
    parameters::play(own, &stage.keys, &stage.kinds, &chance.bytes(300));
}

fn share(stage: &Stage, _: CK_SESSION_HANDLE, chance: &mut Chance) {
    parameters::play(stage.shared, &stage.keys, &stage.kinds, &chance.bytes(300));
}

/// In a session whose operations others begin and end, in one of its own, and in none.
fn call_everything(stage: &Stage, own: CK_SESSION_HANDLE, chance: &mut Chance) {
    let n = chance.pick(&WILD);
    for (name, rv) in every_function(chance.pick(&WILD), n) {
        assert_eq!(rv, always(name).unwrap_or(CKR_SESSION_HANDLE_INVALID), "{name} in no session, {n:#x}");
    }
    for (name, rv) in every_function(chance.pick(&[own, stage.shared]), n) {
        is_sound(rv, name);
        assert!(always(name).is_none_or(|only| rv == only), "{name} {n:#x}: {rv:#x}");
    }
}

fn upset(stage: &Stage, _: CK_SESSION_HANDLE, chance: &mut Chance) {
    slot::play(&stage.second, chance);
}

/// All of it for this long, while so many threads fork.
pub fn play(length: Duration, forking: usize) {
    let rig = Rig::new("compatible");
    rig.configure(TOKENS);
    let shared = set_up();
    let kinds = parameters::kinds();
    let stage = Stage { keys: Keys::new(shared), kinds, shared, second: slot::Known::new(new_token(1)) };
    make_lasting_key(shared);
    let (seed, end) = (seed(), Instant::now() + length);
    std::thread::scope(|scope| {
        for (index, part) in (0..).zip(PARTS) {
            let stage = &stage;
            scope.spawn(move || {
                let calls = perform(stage, part, Chance::new(seed + index), end);
                println!("thread {index}: {calls} times");
            });
        }
        for _ in 0..forking {
            scope.spawn(move || {
                let mut children = 0;
                while Instant::now() < end {
                    in_child(sign_anew);
                    children += 1;
                }
                println!("{children} children");
            });
        }
    });
    assert_eq!(sign_with_lasting_key(shared), Ok(()));
    finalize();
}

/// How often it was done.
fn perform(stage: &Stage, part: Part, mut chance: Chance, end: Instant) -> usize {
    let own = session(0).unwrap();
    let mut calls = 0;
    while Instant::now() < end {
        part(stage, own, &mut chance);
        calls += 1;
    }
    assert_eq!(ck!(C_CloseSession(own)), CKR_OK);
    calls
}

fn make_lasting_key(s: CK_SESSION_HANDLE) {
    let lasting = Attributes::new().bytes(CKA_LABEL, LABEL).yes(&[CKA_TOKEN]);
    let public = lasting.clone().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
    generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, lasting.yes(&[CKA_SIGN])).unwrap();
}

fn sign_with_lasting_key(s: CK_SESSION_HANDLE) -> Answer<()> {
    let of = |class| find(s, Attributes::new().bytes(CKA_LABEL, LABEL).number(CKA_CLASS, class));
    let (public, private) = (of(CKO_PUBLIC_KEY)?, of(CKO_PRIVATE_KEY)?);
    let signature = sign(s, mechanism(CKM_ECDSA_SHA256), private[0], b"x")?;
    ok(verify(s, mechanism(CKM_ECDSA_SHA256), public[0], b"x", &signature))
}

/// A child of a process whose threads may be anywhere.
fn sign_anew() -> Result<(), String> {
    let say = |what: &'static str| move |rv: CK_RV| format!("{what}: {rv:#x}");
    match ck!(C_GetInfo(&mut CK_INFO::default())) {
        CKR_CRYPTOKI_NOT_INITIALIZED => {}
        other => return Err(format!("a child is initialised: {other:#x}")),
    }
    ok(ck!(C_Initialize(null_mut()))).map_err(say("C_Initialize"))?;
    let s = session(0).map_err(say("C_OpenSession"))?;
    ok(log_in(s)).map_err(say("C_Login"))?;
    sign_with_lasting_key(s).map_err(say("a signature"))?;
    ok(ck!(C_Finalize(null_mut()))).map_err(say("C_Finalize"))
}
