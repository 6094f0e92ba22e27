//! The keyholder's own side: opens the token, then signs digests, several at once, until its input ends. The only
//! code that calls PKCS#11.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{Answer, Refusal, Request, Wish, read_message};
use crate::hex;
use crate::privileges;

/// Signatures that the token works on at once: enough for one that takes 16 ms to give 1,000 a second. Tokens that have
/// fewer sessions give what they have.
const SESSIONS: usize = 16;
/// Attempts to list the slots after the first one failed, and the pause before each.
const LISTING_RETRIES: u32 = 5;
const LISTING_PAUSE: Duration = Duration::from_millis(100);

/// Which key in which token, and where its PIN is read from.
#[derive(Clone, Debug, clap::Args)]
pub struct KeySpec {
    /// The PKCS#11 module, a shared object
    #[arg(long, value_name = "FILE")]
    pub module: PathBuf,
    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    pub token: String,
    /// Label of the private key
    #[arg(long, value_name = "LABEL", required_unless_present = "key_id")]
    pub key: Option<String>,
    /// Identifier of the private key (CKA_ID), hexadecimal
    #[arg(long, value_name = "HEX")]
    pub key_id: Option<String>,
    /// File with the user PIN
    #[arg(long, value_name = "FILE")]
    pub pin_file: PathBuf,
}

/// Runs the keyholder to the end of its input.
pub fn run(spec: &KeySpec) -> io::Result<()> {
    if let Err(why) = privileges::keep_memory_private() {
        tracing::debug!(%why, "the keyholder's memory is not locked");
    }
    // Not through the buffer of standard output, which cuts at line ends: an answer is written in one piece.
    let answers = Mutex::new(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    match OpenKey::open_all(spec) {
        Ok(keys) => {
            say(&answers, 0, Ok(Vec::new()))?;
            thread::scope(|scope| {
                for key in &keys {
                    scope.spawn(|| key.serve(&answers));
                }
            });
            Ok(())
        }
        Err(refusal) => say(&answers, 0, Err(refusal)),
    }
}

fn say(answers: &Mutex<File>, number: u32, result: Result<Vec<u8>, Refusal>) -> io::Result<()> {
    let mut to = answers.lock().unwrap_or_else(|e| e.into_inner());
    Answer { number, result }.write(&mut *to)
}

/// A private key in a session that is logged in. One thread uses it.
struct OpenKey<'s> {
    spec: &'s KeySpec,
    session: Mutex<Session>,
    key: ObjectHandle,
}

impl<'s> OpenKey<'s> {
    /// As many sessions as the token gives, up to [`SESSIONS`]; one at least.
    fn open_all(spec: &'s KeySpec) -> Result<Vec<Self>, Refusal> {
        let pin = read_pin(&spec.pin_file)?;
        privileges::drop_all().map_err(|e| format!("capabilities cannot be given up: {e}"))?;
        let module = load(&spec.module)?;
        let slot = find_token(&module, &spec.token)?;
        let session = module.open_ro_session(slot).map_err(|e| format!("no session: {e}"))?;
        // A login holds for all sessions of the process (PKCS#11 v3.1 §5.6.8).
        session.login(UserType::User, Some(&pin)).map_err(|e| Refusal {
            for_good: counts_against_pin(&e),
            why: format!("the user PIN does not open the token: {e}"),
        })?;
        let mut keys = vec![Self { spec, key: find_key(&session, spec)?, session: Mutex::new(session) }];
        while keys.len() < SESSIONS {
            let opened = module.open_ro_session(slot).map_err(|e| e.to_string());
            match opened.and_then(|session| Ok((find_key(&session, spec)?, session))) {
                Ok((key, session)) => keys.push(Self { spec, key, session: Mutex::new(session) }),
                Err(why) => {
                    tracing::warn!(why, sessions = keys.len(), "the token gives no more sessions");
                    break;
                }
            }
        }
        Ok(keys)
    }

    /// Takes requests, in turn with the other threads, until the input ends or nobody listens.
    fn serve(&self, answers: &Mutex<File>) {
        loop {
            let request = read_message(&mut io::stdin().lock()).and_then(|m| m.map(|m| Request::parse(&m)).transpose());
            let request = match request {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(why) => {
                    tracing::error!(%why, "the keyholder's input is broken");
                    std::process::exit(1);
                }
            };
            if say(answers, request.number, self.fulfil(&request.wish)).is_err() {
                return;
            }
        }
    }

    fn fulfil(&self, wish: &Wish) -> Result<Vec<u8>, Refusal> {
        let session = self.session.lock().unwrap_or_else(|e| e.into_inner());
        match wish {
            Wish::Sign(digest) => session
                .sign(&Mechanism::Ecdsa, self.key, digest)
                .map_err(|why| format!("the token does not sign: {why}").into()),
            Wish::Look => find_key(&session, self.spec).map(|_| Vec::new()).map_err(Refusal::from),
        }
    }
}

/// The token counts a login that failed for the PIN, and locks it after a few.
fn counts_against_pin(error: &cryptoki::error::Error) -> bool {
    use RvError::{PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked};
    matches!(error, cryptoki::error::Error::Pkcs11(PinIncorrect | PinInvalid | PinLenRange | PinExpired | PinLocked, _))
}

/// The PIN in a file.
pub fn read_pin(path: &Path) -> Result<AuthPin, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("the PIN file {}: {e}", path.display()))?;
    let text = Zeroizing::new(text);
    Ok(AuthPin::from(text.trim_end_matches(['\r', '\n'])))
}

/// Loads and starts a module.
pub fn load(module: &Path) -> Result<Pkcs11, String> {
    let loaded = Pkcs11::new(module).map_err(|e| format!("the module {} cannot be loaded: {e}", module.display()))?;
    loaded
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(|e| format!("the module {} does not start: {e}", module.display()))?;
    Ok(loaded)
}

/// Some tokens (SoftHSM2 among them) fail to list slots in the moment in which another process writes to the store. A login
/// is never repeated: that would count against the PIN.
pub fn find_token(module: &Pkcs11, label: &str) -> Result<Slot, String> {
    let mut slots = module.get_slots_with_initialized_token();
    for _ in 0..LISTING_RETRIES {
        if slots.is_ok() {
            break;
        }
        std::thread::sleep(LISTING_PAUSE);
        slots = module.get_slots_with_initialized_token();
    }
    let mut labels = Vec::new();
    for slot in slots.map_err(|e| format!("the slots cannot be listed: {e}"))? {
        let Ok(info) = module.get_token_info(slot) else { continue };
        if info.label().trim_end() == label {
            return Ok(slot);
        }
        labels.push(info.label().trim_end().to_owned());
    }
    Err(format!("no token is called `{label}`; there are: {}", labels.join(", ")))
}

fn find_key(session: &Session, spec: &KeySpec) -> Result<ObjectHandle, String> {
    let mut wanted = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::EC)];
    if let Some(label) = &spec.key {
        wanted.push(Attribute::Label(label.clone().into_bytes()));
    }
    if let Some(id) = &spec.key_id {
        wanted.push(Attribute::Id(hex::decode(id).ok_or("key_id is not hexadecimal")?));
    }
    match session.find_objects(&wanted).map_err(|e| format!("keys cannot be listed: {e}"))?.as_slice() {
        [key] => Ok(*key),
        [] => Err("it holds no such EC private key".into()),
        more => Err(format!("{} EC private keys match: name one by its key_id", more.len())),
    }
}
