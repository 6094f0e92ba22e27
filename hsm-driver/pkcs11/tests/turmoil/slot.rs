//! The second slot: threads open and close each other's sessions, log in and out with right and wrong PINs, and make the
//! token anew. Each function answers with one of the codes that PKCS#11 has for that.

use crate::rig::c::{Answer, Attributes, find, generate_pair, log_in, session};
use crate::rig::chance::Chance;
use crate::rig::{P256, PIN, SO_PIN};
use cryptoki_sys::*;
use std::ptr::null_mut;
use std::sync::Mutex;

const SLOT: CK_SLOT_ID = 1;
/// Sessions that are remembered, closed ones among them.
const MOST: usize = 12;

/// What any of the threads opened.
pub struct Known(Mutex<Vec<CK_SESSION_HANDLE>>);

impl Known {
    pub fn new(first: CK_SESSION_HANDLE) -> Self {
        Known(Mutex::new(vec![first]))
    }

    fn add(&self, session: CK_SESSION_HANDLE) {
        let mut all = self.0.lock().unwrap();
        all.insert(0, session);
        all.truncate(MOST);
    }

    fn any(&self, chance: &mut Chance) -> CK_SESSION_HANDLE {
        chance.pick(&self.0.lock().unwrap())
    }
}

/// A function, and what it may answer besides `CKR_OK`.
struct Act {
    name: &'static str,
    perform: fn(&Known, CK_SESSION_HANDLE) -> CK_RV,
    answers: &'static [CK_RV],
}

const fn act(name: &'static str, perform: fn(&Known, CK_SESSION_HANDLE) -> CK_RV, answers: &'static [CK_RV]) -> Act {
    Act { name, perform, answers }
}

/// What any function answers in a session that somebody has closed.
const GONE: CK_RV = CKR_SESSION_HANDLE_INVALID;
const LOGIN: &[CK_RV] = &[
    GONE,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
    CKR_USER_PIN_NOT_INITIALIZED,
    CKR_SESSION_READ_ONLY_EXISTS,
    CKR_PIN_INCORRECT,
    CKR_PIN_LOCKED,
];
const CHANGE: &[CK_RV] = &[GONE, CKR_USER_NOT_LOGGED_IN, CKR_SESSION_READ_ONLY, CKR_PIN_INCORRECT, CKR_PIN_LOCKED];

const ACTS: [Act; 13] = [
    act("C_OpenSession", |known, _| open(known, CKF_RW_SESSION), &[]),
    act("C_OpenSession to read", |known, _| open(known, 0), &[CKR_SESSION_READ_WRITE_SO_EXISTS]),
    act("C_CloseSession", |_, s| ck!(C_CloseSession(s)), &[GONE]),
    act("C_GetTokenInfo", |_, _| ck!(C_GetTokenInfo(SLOT, &mut CK_TOKEN_INFO::default())), &[]),
    act("C_WaitForSlotEvent", |_, _| ck!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &mut 0, null_mut())), &[CKR_NO_EVENT]),
    act("C_GetSessionInfo", |_, s| ck!(C_GetSessionInfo(s, &mut CK_SESSION_INFO::default())), &[GONE]),
    act("C_Login", |_, s| log_in(s), LOGIN),
    act("C_Login as officer", |_, s| with_pin(SO_PIN, |pin, n| ck!(C_Login(s, CKU_SO, pin, n))), LOGIN),
    act("C_Login in vain", |_, s| with_pin("1234567", |pin, n| ck!(C_Login(s, CKU_USER, pin, n))), LOGIN),
    act("C_Logout", |_, s| ck!(C_Logout(s)), &[GONE, CKR_USER_NOT_LOGGED_IN]),
    // To what it is, whoever is logged in.
    act("C_SetPIN", |_, s| with_pin(PIN, |pin, n| ck!(C_SetPIN(s, pin, n, pin, n))), CHANGE),
    act("C_FindObjects", |_, s| answer(find(s, Attributes::new())), FIND),
    act("C_GenerateKeyPair", |_, s| make(s), CHANGE),
];
/// Two threads may search in one session.
const FIND: &[CK_RV] = &[GONE, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED];
/// In so many acts the token is made anew once.
const SELDOM: u64 = 60;

/// Does one of these in a session that may be closed any time.
pub fn play(known: &Known, chance: &mut Chance) {
    if chance.below(SELDOM) == 0 {
        return begin_anew(known);
    }
    let act = &ACTS[chance.below(ACTS.len() as u64) as usize];
    let rv = (act.perform)(known, known.any(chance));
    assert!(rv == CKR_OK || act.answers.contains(&rv), "{}: {rv:#x}", act.name);
}

/// As far as the others let it.
fn begin_anew(known: &Known) {
    let mut label = [b' '; 32];
    assert_eq!(ck!(C_CloseAllSessions(SLOT)), CKR_OK);
    let made = with_pin(SO_PIN, |pin, n| ck!(C_InitToken(SLOT, pin, n, label.as_mut_ptr())));
    assert!([CKR_OK, CKR_SESSION_EXISTS].contains(&made), "{made:#x}");
    if let Ok(s) = session(SLOT) {
        known.add(s);
        let officer = with_pin(SO_PIN, |pin, n| ck!(C_Login(s, CKU_SO, pin, n)));
        assert!(officer == CKR_OK || LOGIN.contains(&officer), "{officer:#x}");
        let set = with_pin(PIN, |pin, n| ck!(C_InitPIN(s, pin, n)));
        assert!(set == CKR_OK || CHANGE.contains(&set), "{set:#x}");
    }
}

fn open(known: &Known, flag: CK_FLAGS) -> CK_RV {
    let mut made = 0;
    let rv = ck!(C_OpenSession(SLOT, CKF_SERIAL_SESSION | flag, null_mut(), None, &mut made));
    if rv == CKR_OK {
        known.add(made);
    }
    rv
}

fn with_pin(pin: &str, call: impl FnOnce(*mut CK_BYTE, CK_ULONG) -> CK_RV) -> CK_RV {
    let mut pin = pin.as_bytes().to_vec();
    call(pin.as_mut_ptr(), pin.len() as CK_ULONG)
}

fn make(s: CK_SESSION_HANDLE) -> CK_RV {
    let public = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_TOKEN]);
    answer(generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, Attributes::new().yes(&[CKA_SIGN])))
}

fn answer<T>(of: Answer<T>) -> CK_RV {
    of.err().unwrap_or(CKR_OK)
}
