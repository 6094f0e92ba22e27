//! Reads a PIN from a file, a file descriptor or the terminal; from nowhere else.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use coloa_pki::message::Language;
use coloa_pki::{Error, Result};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::arguments::PinSource;

/// No token takes more; what is longer is not a PIN file.
const MAX_PIN: u64 = 255;

/// The PIN of a token, which is named in the prompt.
pub fn read(source: &PinSource, token: &str, language: Language) -> Result<AuthPin> {
    match (&source.pin_file, source.pin_fd) {
        (Some(path), _) => from_file(path),
        // Linux gives an open descriptor this name, so nothing unsafe is needed.
        (None, Some(fd)) => from_file(&PathBuf::from(format!("/proc/self/fd/{fd}"))),
        (None, None) => from_terminal(token, language),
    }
}

fn from_file(path: &Path) -> Result<AuthPin> {
    let fail = |why: String| Error::PinUnreadable { why: format!("{}: {why}", path.display()) };
    let mut text = Zeroizing::new(String::with_capacity(MAX_PIN as usize + 2));
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    file.take(MAX_PIN + 1).read_to_string(&mut text).map_err(|e| fail(e.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() && text.len() as u64 <= MAX_PIN => Ok(AuthPin::from(line.to_owned())),
        _ => Err(fail("no PIN in its first line".into())),
    }
}

fn from_terminal(token: &str, language: Language) -> Result<AuthPin> {
    let prompt = match language {
        Language::English => format!("User PIN of token \"{token}\": "),
        Language::Vietnamese => format!("Mã PIN của token \"{token}\": "),
    };
    let typed = rpassword::prompt_password(prompt).map_err(|e| Error::PinUnreadable { why: e.to_string() })?;
    Ok(AuthPin::from(typed))
}
