//! A program loads the module, begins, ends while its threads are in calls, and unloads it, over and over. Each thread gets
//! the answers that the standard has for that, and what the module had open is closed.

use crate::fuzzed::is_sound;
use crate::rig::c::*;
use crate::rig::chance::{Chance, seed};
use crate::rig::every::every_function;
use crate::rig::{Rig, functions_of, library};
use cryptoki_sys::*;
use std::ptr::null_mut;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Milliseconds until the module ends.
const LONGEST: u64 = 60;
/// For a thread that was joined to leave `/proc`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls until the module ends: the last answer.
type Part = fn(CK_SESSION_HANDLE, CK_OBJECT_HANDLE) -> CK_RV;

const PARTS: [(&str, Part); 7] = [
    ("waits", |_, _| ck!(C_WaitForSlotEvent(0, &mut 0, null_mut()))),
    ("waits", |_, _| ck!(C_WaitForSlotEvent(0, &mut 0, null_mut()))),
    ("signs", |s, key| answer(sign(s, mechanism(CKM_SHA256_HMAC), key, b"x"))),
    ("signs", |s, key| answer(sign(s, mechanism(CKM_SHA256_HMAC), key, b"x"))),
    ("makes", |s, _| answer(make_and_destroy(s))),
    ("opens", |_, _| answer(session(0).and_then(|s| ok(ck!(C_CloseSession(s)))))),
    ("calls everything", |s, _| {
        every_function(s, CK_ULONG::MAX).into_iter().for_each(|(name, rv)| _ = is_sound(rv, name));
        ck!(C_GetInfo(&mut CK_INFO::default()))
    }),
];

/// Who is in a call when its session and what belongs to it go may be told that instead.
const LAST: [CK_RV; 3] = [CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID];

/// So many times.
pub fn play(cycles: usize) {
    let _rig = Rig::new("compatible");
    // Loads it once and for all on the way, so everything that a first time leaves behind is there.
    let first = load();
    set_up();
    finalize();
    drop(first);
    let mut chance = Chance::new(seed());
    cycle(&mut chance);
    let before = (entries("task"), entries("fd"));
    (0..cycles).for_each(|_| cycle(&mut chance));
    let end = Instant::now() + PATIENCE;
    let after = || (entries("task"), entries("fd"));
    while after() != before && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(after(), before, "threads and descriptors");
}

/// The library, and its functions for `ck!`.
fn load() -> libloading::Library {
    // SAFETY: loading runs no code of ours.
    let library = unsafe { libloading::Library::new(library()) }.unwrap();
    functions_of(&library);
    library
}

fn cycle(chance: &mut Chance) {
    let library = load();
    let begun = twice(|| ck!(C_Initialize(null_mut())));
    assert_eq!(begun, [CKR_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED]);
    let s = session(0).unwrap();
    assert_eq!(log_in(s), CKR_OK);
    let key = import(s, CKK_GENERIC_SECRET, &[7; 32], &[CKA_SIGN]);
    std::thread::scope(|scope| {
        let start = |(name, part): (&'static str, Part)| {
            let own = session(0).unwrap();
            (name, scope.spawn(move || until_it_fails(|| part(own, key))))
        };
        let parts = PARTS.map(start);
        std::thread::sleep(Duration::from_millis(chance.below(LONGEST)));
        assert_eq!(twice(|| ck!(C_Finalize(null_mut()))), [CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED]);
        for (name, thread) in parts {
            let rv = thread.join().unwrap();
            assert!(LAST.contains(&rv), "who {name}: {rv:#x}");
        }
    });
    library.close().unwrap();
}

/// The answers of two threads that call it at once, the lesser first.
fn twice(call: impl Fn() -> CK_RV + Sync) -> [CK_RV; 2] {
    let together = Barrier::new(2);
    let both = || {
        together.wait();
        call()
    };
    let mut answers = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(both), scope.spawn(both));
        [one.join().unwrap(), two.join().unwrap()]
    });
    answers.sort_unstable();
    answers
}

fn until_it_fails(call: impl Fn() -> CK_RV) -> CK_RV {
    loop {
        let rv = call();
        if rv != CKR_OK {
            return rv;
        }
    }
}

fn make_and_destroy(s: CK_SESSION_HANDLE) -> Answer<()> {
    let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_TOKEN, CKA_ENCRYPT]);
    let made = generate(s, mechanism(CKM_AES_KEY_GEN), template)?;
    ok(ck!(C_DestroyObject(s, made)))
}

fn answer<T>(of: Answer<T>) -> CK_RV {
    of.err().unwrap_or(CKR_OK)
}

/// How many this process has of them.
fn entries(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}
