//! The module linked into a fuzzer, so that the fuzzer sees into it; in place of the library that a test loads.

#[macro_use]
#[path = "c.rs"]
pub mod c;
#[path = "keys.rs"]
pub mod keys;

use coloa_pkcs11 as _;
use cryptoki_sys::*;
use std::cell::RefCell;
use std::path::Path;
use std::ptr::null_mut;

pub const SO_PIN: &str = "12345678";
pub const PIN: &str = "123456";
pub const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// AddressSanitizer looks after what stands beside a caller's memory.
pub const BORDER: usize = 0;

unsafe extern "C" {
    fn C_GetInterface(name: *mut u8, version: *mut CK_VERSION, found: *mut *mut CK_INTERFACE, flags: CK_FLAGS) -> CK_RV;
}

/// The function list of 3.2.
pub fn functions() -> &'static CK_FUNCTION_LIST_3_2 {
    let (mut version, mut interface) = (CK_VERSION { major: 3, minor: 2 }, null_mut());
    // SAFETY: both pointers are to locals.
    assert_eq!(unsafe { C_GetInterface(null_mut(), &mut version, &mut interface, 0) }, CKR_OK);
    // SAFETY: `C_GetInterface` answered with a pointer to a static, whose list is one too.
    unsafe { &*(*interface).pFunctionList.cast::<CK_FUNCTION_LIST_3_2>() }
}

/// Names the configuration that the next `C_Initialize` reads.
pub fn configure(file: &Path) {
    // SAFETY: nobody else in a fuzzer reads or writes the environment meanwhile.
    unsafe { std::env::set_var("COLOA_CONF", file) };
}

/// Inputs that one token is given: what templates make and nobody may destroy gathers there.
const INPUTS: u32 = 5_000;

/// A token in this process and its user's session.
struct Token {
    _directory: tempfile::TempDir,
    session: CK_SESSION_HANDLE,
    keys: keys::Keys,
    left: u32,
}

thread_local!(static TOKEN: RefCell<Option<Token>> = const { RefCell::new(None) });

fn token() -> Token {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("coloa.toml");
    let text = "[[token]]\nbody = \"embedded\"\ndirectory = \"store\"\nmode = \"compatible\"\n";
    std::fs::write(&file, text).expect("a file");
    configure(&file);
    let session = c::set_up();
    Token { _directory: directory, session, keys: keys::Keys::new(session), left: INPUTS }
}

/// Gives an input to a play on a token.
pub fn on_token(play: impl FnOnce(CK_SESSION_HANDLE, &keys::Keys)) {
    TOKEN.with_borrow_mut(|kept| {
        let token = kept.get_or_insert_with(token);
        play(token.session, &token.keys);
        token.left -= 1;
        if token.left == 0 {
            c::finalize();
            *kept = None;
        }
    });
}
