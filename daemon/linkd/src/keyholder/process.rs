//! The keyholder's own side: opens the token, then signs digests until its input ends. The only code that calls PKCS#11.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{Answer, read_message};
use crate::hex;
use crate::privileges;

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
    let mut answers = io::stdout().lock();
    let key = match OpenKey::open(spec) {
        Ok(key) => key,
        Err(why) => return Answer::Refused(why).write(&mut answers),
    };
    Answer::Done(Vec::new()).write(&mut answers)?;
    key.serve(&mut io::stdin().lock(), &mut answers)
}

/// A private key in a session that is logged in.
struct OpenKey {
    session: Session,
    key: ObjectHandle,
}

impl OpenKey {
    fn open(spec: &KeySpec) -> Result<Self, String> {
        let pin = read_pin(&spec.pin_file)?;
        privileges::drop_all().map_err(|e| format!("capabilities cannot be given up: {e}"))?;
        let module = load(&spec.module)?;
        let slot = find_token(&module, &spec.token)?;
        let session = module.open_ro_session(slot).map_err(|e| format!("no session: {e}"))?;
        session.login(UserType::User, Some(&pin)).map_err(|e| format!("the user PIN does not open the token: {e}"))?;
        let key = find_key(&session, spec)?;
        Ok(Self { session, key })
    }

    fn serve(&self, requests: &mut impl io::Read, answers: &mut impl Write) -> io::Result<()> {
        while let Some(digest) = read_message(requests)? {
            match self.session.sign(&Mechanism::Ecdsa, self.key, &digest) {
                Ok(signature) => Answer::Done(signature).write(answers)?,
                Err(why) => Answer::Refused(format!("the token does not sign: {why}")).write(answers)?,
            }
        }
        Ok(())
    }
}

fn read_pin(path: &Path) -> Result<AuthPin, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("the PIN file {}: {e}", path.display()))?;
    let text = Zeroizing::new(text);
    Ok(AuthPin::from(text.trim_end_matches(['\r', '\n'])))
}

fn load(module: &Path) -> Result<Pkcs11, String> {
    let loaded = Pkcs11::new(module).map_err(|e| format!("the module {} cannot be loaded: {e}", module.display()))?;
    loaded
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(|e| format!("the module {} does not start: {e}", module.display()))?;
    Ok(loaded)
}

/// Some tokens (SoftHSM2 among them) fail to list slots in the moment in which another process writes to the store. A login
/// is never repeated: that would count against the PIN.
fn find_token(module: &Pkcs11, label: &str) -> Result<Slot, String> {
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
