//! Where PINs come from: the terminal, a file, a descriptor, a systemd credential. Never the command line, which every
//! process can read.

use crate::fault::Fault;
use crate::screen::Screen;
use coloa_wire::command::Pin;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longer files are not PINs.
const MAX_FILE: u64 = 256;

/// A place that is not the terminal.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    File(&'a Path),
    Descriptor(u32),
    Credential(&'a str),
}

/// A PIN that exists.
pub fn present(source: Option<Source<'_>>, prompt: &str) -> Result<Pin, Fault> {
    match source {
        Some(source) => read(source),
        None => typed(prompt),
    }
}

/// A new PIN: typed twice.
pub fn fresh(source: Option<Source<'_>>, screen: &Screen, prompt: &str) -> Result<Pin, Fault> {
    if let Some(source) = source {
        return read(source);
    }
    let first = typed(prompt)?;
    let again = typed(screen.text("Once more: ", "Nhập lại: "))?;
    if first.0 == again.0 { Ok(first) } else { Err(Fault::PinsDiffer) }
}

/// Whether somebody can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

fn typed(prompt: &str) -> Result<Pin, Fault> {
    if !can_ask() {
        return Err(Fault::Pin("there is no terminal".into()));
    }
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|e| Fault::Pin(e.to_string()))?;
    Ok(Pin::from(typed.as_bytes()))
}

fn read(source: Source<'_>) -> Result<Pin, Fault> {
    let path = match source {
        Source::File(path) => path.to_path_buf(),
        // Linux gives an open descriptor this name.
        Source::Descriptor(number) => PathBuf::from(format!("/proc/self/fd/{number}")),
        Source::Credential(name) => credential(name)?,
    };
    let fail = |why: String| Fault::Pin(format!("{}: {why}", path.display()));
    let mut text = Zeroizing::new(Vec::with_capacity(512));
    let file = File::open(&path).map_err(|e| fail(e.to_string()))?;
    file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(|e| fail(e.to_string()))?;
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() || u64::try_from(text.len()).is_ok_and(|l| l > MAX_FILE) {
        return Err(fail("no PIN in its first line".into()));
    }
    Ok(Pin::from(line))
}

fn credential(name: &str) -> Result<PathBuf, Fault> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
        .ok_or_else(|| Fault::Pin("CREDENTIALS_DIRECTORY is not set: not started by systemd".into()))?;
    if name.contains('/') {
        return Err(Fault::Pin("a credential's name has no slash".into()));
    }
    Ok(Path::new(&folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_pin() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "123456\r\nrest\n").unwrap();
        assert_eq!(read(Source::File(file.path())).unwrap().0, b"123456");
    }

    #[test]
    fn an_empty_or_endless_file_is_no_pin() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(read(Source::File(file.path())).is_err());
        std::fs::write(file.path(), vec![b'1'; 300]).unwrap();
        assert!(read(Source::File(file.path())).is_err());
    }
}
