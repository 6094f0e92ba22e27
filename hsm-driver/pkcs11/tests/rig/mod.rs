//! A token of its own for each test: the built library, loaded as an application loads it, on the embedded body.
#![allow(dead_code, reason = "each test binary uses its part")]

#[macro_use]
pub mod c;
pub mod alone;
pub mod chance;
pub mod every;
pub mod forked;
pub mod keys;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use cryptoki_sys::*;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub const SO_PIN: &str = "12345678";
pub const PIN: &str = "123456";
pub const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Bytes around a caller's memory that must stay as they are.
pub const BORDER: usize = 33;
pub const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Cryptoki's state is the process's, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

pub struct Rig {
    pub directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Rig {
    /// A configuration that names a new embedded token; nothing is initialised yet.
    pub fn new(mode: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let rig = Rig { directory, _turn: turn };
        rig.configure(&format!("[[token]]\nbody = \"embedded\"\ndirectory = \"store\"\nmode = \"{mode}\"\n"));
        rig
    }

    pub fn configure(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
        configure(&self.config());
    }

    pub fn config(&self) -> PathBuf {
        self.directory.path().join("coloa.toml")
    }
}

/// Names the configuration that the next `C_Initialize` reads.
pub fn configure(file: &Path) {
    // SAFETY: only tests that hold the turn read or write the environment.
    unsafe { std::env::set_var("COLOA_CONF", file) };
}

/// The library that cargo built beside this test.
pub fn library() -> PathBuf {
    let beside = std::env::current_exe().unwrap();
    let path = beside.parent().unwrap().join("libcoloa_pkcs11.so");
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// An initialised module through the `cryptoki` crate, finalized on drop.
pub struct Token {
    pub module: Pkcs11,
    pub slot: Slot,
    pub rig: Rig,
}

impl Token {
    /// A token with SO and user PIN.
    pub fn new(mode: &str) -> Self {
        let rig = Rig::new(mode);
        let module = open();
        let slot = module.get_all_slots().unwrap()[0];
        set_pins(&module, slot);
        Token { module, slot, rig }
    }

    /// A read-write session with the user logged in.
    pub fn user(&self) -> Session {
        let session = self.module.open_rw_session(self.slot).unwrap();
        session.login(UserType::User, Some(&pin(PIN))).unwrap();
        session
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _ = self.module.clone().finalize();
    }
}

pub fn open() -> Pkcs11 {
    let module = Pkcs11::new(library()).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    module
}

pub fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// A key pair for signatures: public, private.
pub fn key_pair(session: &Session, curve: &[u8], token: bool) -> (ObjectHandle, ObjectHandle) {
    let public = [Attribute::EcParams(curve.to_vec()), Attribute::Verify(true), Attribute::Token(token)];
    let private =
        [Attribute::Sign(true), Attribute::Token(token), Attribute::Sensitive(true), Attribute::Private(true)];
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap()
}

/// An AES-256 key.
pub fn aes_key(session: &Session) -> ObjectHandle {
    let template = [
        Attribute::ValueLen(32_u64.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &template).unwrap()
}

static FUNCTIONS: OnceLock<usize> = OnceLock::new();

/// The function list of 3.2, as a C program gets it, of a library that stays loaded.
pub fn functions() -> &'static CK_FUNCTION_LIST_3_2 {
    let list = *FUNCTIONS.get_or_init(|| {
        // SAFETY: loading runs no code of ours.
        let library = unsafe { libloading::Library::new(library()) }.unwrap();
        let list = function_list(&library);
        std::mem::forget(library);
        list
    });
    // SAFETY: the list of that interface is a static of the library, which is mapped as long as the process lives.
    unsafe { &*(list as *const CK_FUNCTION_LIST_3_2) }
}

/// Those of this library, for a test that also unloads it. It must be the first that is loaded, or the same one again.
pub fn functions_of(library: &libloading::Library) {
    let list = function_list(library);
    assert_eq!(*FUNCTIONS.get_or_init(|| list), list, "the library did not stay where it was");
}

/// Its address.
fn function_list(library: &libloading::Library) -> usize {
    // SAFETY: the symbol has PKCS#11's type.
    let get = unsafe { library.get::<CK_C_GetInterface>(b"C_GetInterface\0") }.unwrap().unwrap();
    let mut version = CK_VERSION { major: 3, minor: 2 };
    let mut interface = null_mut();
    // SAFETY: both pointers are to locals.
    assert_eq!(unsafe { get(null_mut(), &mut version, &mut interface, 0) }, CKR_OK);
    // SAFETY: `C_GetInterface` answered with a pointer to a static.
    unsafe { *interface }.pFunctionList as usize
}

/// Sets SO and user PIN of a new token.
pub fn set_pins(module: &Pkcs11, slot: Slot) {
    module.init_token(slot, &pin(SO_PIN), "bench").unwrap();
    let officer = module.open_rw_session(slot).unwrap();
    officer.login(UserType::So, Some(&pin(SO_PIN))).unwrap();
    officer.init_pin(&pin(PIN)).unwrap();
}

/// Runs a program that judges; it must exist and succeed.
pub fn run(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = std::process::Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|e| panic!("{program} does not run: {e}. Install it (cargo xtask setup)."));
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{out}\n{err}", output.status);
    out
}
