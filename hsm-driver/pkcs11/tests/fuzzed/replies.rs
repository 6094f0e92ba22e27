//! The module before a lying server: whatever comes back for a command is a result or an error. No panic, no hang, no more
//! memory than an honest server's answers take, and nothing beside the caller's buffers.

use super::liar::{Liar, MOST_TOO_MUCH};
use super::lies::{self, Lie};
use super::memory::Memory;
use super::script::Script;
use super::truth::OBJECTS;
use super::uses;
use crate::rig::{PIN, configure};
use cryptoki_sys::*;
use std::ptr::null_mut;

/// One call of the module asks the server no more often: what goes in parts here has few, and a reply that promises a better
/// one later is not believed for ever.
const MOST_ASKED: usize = 200;

/// Bytes of buffers that are looked at after each call.
const MOST_KEPT: usize = 2 << 20;

/// One initialised module, and what its script has left.
pub struct Stage<'a> {
    pub s: CK_SESSION_HANDLE,
    pub script: Script<'a>,
    pub memory: Memory,
    liar: &'a Liar,
    objects: Vec<CK_OBJECT_HANDLE>,
    /// What each function answered.
    pub answers: Vec<(&'static str, CK_RV)>,
}

/// Uses the module as the first part of the input says, and lies as the second does.
pub fn play(liar: &Liar, input: &[u8]) {
    let (mut script, lies) = Script::new(input).split();
    liar.tell(lies);
    configure(&liar.config(script.once_in(4)));
    let mut stage = Stage::new(liar, script);
    stage.enter();
    for _ in 0..16 {
        let which = stage.script.below(uses::ALL.len());
        uses::ALL[which](&mut stage);
        stage.tidy_up();
        if stage.script.is_over() {
            break;
        }
    }
    stage.leave();
}

/// Each use once with an engine that does not lie: what every function answered.
pub fn honestly(liar: &Liar, over_tls: bool) -> Vec<(&'static str, CK_RV)> {
    liar.tell(Script::new(&[]));
    configure(&liar.config(over_tls));
    let mut stage = Stage::new(liar, Script::new(&[]));
    stage.enter();
    for each in uses::ALL {
        each(&mut stage);
        stage.tidy_up();
    }
    stage.leave();
    stage.answers
}

/// Calls a function of the list and looks at what it did.
#[macro_export]
macro_rules! said {
    ($stage:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let rv = $crate::ck!($name($($argument),*));
        $stage.look(stringify!($name), rv)
    }};
}

impl<'a> Stage<'a> {
    fn new(liar: &'a Liar, script: Script<'a>) -> Self {
        Stage { s: 0, script, memory: Memory::default(), liar, objects: vec![], answers: vec![] }
    }

    /// A token, a session, a login and the objects.
    pub fn enter(&mut self) {
        let (mut slots, mut count) = ([0; 4], 4);
        said!(self, C_Initialize(null_mut()));
        said!(self, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &mut count));
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        said!(self, C_OpenSession(0, flags, null_mut(), None, &mut self.s));
        let mut pin = PIN.as_bytes().to_vec();
        said!(self, C_Login(self.s, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG));
        self.find();
    }

    /// Objects as the server shows them.
    pub fn find(&mut self) {
        let (s, mut count) = (self.s, 0);
        let mut found = vec![0; OBJECTS.len() + 1];
        said!(self, C_FindObjectsInit(s, null_mut(), 0));
        said!(self, C_FindObjects(s, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count));
        assert!(count as usize <= found.len(), "{count} objects in {}", found.len());
        found.truncate(count as usize);
        said!(self, C_FindObjectsFinal(s));
        self.objects = found;
    }

    pub fn leave(&mut self) {
        said!(self, C_CloseSession(self.s));
        said!(self, C_Finalize(null_mut()));
    }

    /// The handle of this object, or of none.
    pub fn object(&self, number: usize) -> CK_OBJECT_HANDLE {
        self.objects.get(number).copied().unwrap_or(77)
    }

    /// Room for a result, with a border that a liar's longest answer ends in.
    pub fn room(&mut self, length: usize) -> (*mut CK_BYTE, CK_ULONG) {
        (self.memory.room(length, MOST_TOO_MUCH + 4096) as *mut CK_BYTE, length as CK_ULONG)
    }

    /// Frees the buffers when they are many.
    fn tidy_up(&mut self) {
        if self.memory.size() > MOST_KEPT {
            self.end_all();
        }
    }

    /// Ends what has begun: no buffer is needed any more.
    fn end_all(&mut self) {
        said!(self, C_SessionCancel(self.s, CK_FLAGS::MAX));
        self.memory = Memory::default();
    }

    pub fn data(&mut self, length: usize) -> (*mut CK_BYTE, CK_ULONG) {
        (self.memory.input(&vec![0x44; length]) as *mut CK_BYTE, length as CK_ULONG)
    }

    /// Judges one call.
    pub fn look(&mut self, name: &'static str, rv: CK_RV) -> CK_RV {
        assert_ne!(rv, CKR_GENERAL_ERROR, "{name} panicked");
        self.memory.is_sound(name);
        let asked = self.liar.asked();
        assert!(asked <= MOST_ASKED, "{name} asked {asked} times");
        self.answers.push((name, rv));
        rv
    }
}

/// Each use with a server that insists on a lie once the application is logged in: what every function answered.
pub fn insisting(liar: &Liar, lie: Lie) -> Vec<(&'static str, CK_RV)> {
    liar.tell(Script::new(&[]));
    configure(&liar.config(true));
    let mut stage = Stage::new(liar, Script::new(&[]));
    stage.enter();
    stage.answers.clear();
    for each in uses::ALL {
        liar.insist(lie);
        each(&mut stage);
        liar.tell(Script::new(&[]));
        stage.end_all();
    }
    stage.leave();
    stage.answers
}

/// A search with this lie, by a caller who has room for so many handles and claims to have room for any number: the answer,
/// how many were found, and how often the server was asked.
pub fn search(liar: &Liar, lie: Lie, room: usize) -> (CK_RV, usize, usize) {
    liar.tell(Script::new(&[]));
    configure(&liar.config(false));
    let mut stage = Stage::new(liar, Script::new(&[]));
    stage.enter();
    liar.insist(lie);
    let (s, mut count, mut found) = (stage.s, 0, vec![0; room]);
    assert_eq!(ck!(C_FindObjectsInit(s, null_mut(), 0)), CKR_OK);
    let rv = ck!(C_FindObjects(s, found.as_mut_ptr(), 1 << 40, &mut count));
    let asked = liar.asked();
    liar.tell(Script::new(&[]));
    stage.leave();
    (rv, count as usize, asked)
}

/// How many slots there are, each time the server is asked and tells of others.
pub fn count_slots(liar: &Liar, times: usize) -> Vec<usize> {
    liar.insist(lies::tokens_galore);
    configure(&liar.config(false));
    assert_eq!(ck!(C_Initialize(null_mut())), CKR_OK);
    let count = || {
        let mut count = 0;
        assert_eq!(ck!(C_GetSlotList(CK_FALSE, null_mut(), &mut count)), CKR_OK);
        count as usize
    };
    let counts = (0..times).map(|_| count()).collect();
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
    counts
}
