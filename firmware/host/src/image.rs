//! The appliance measures its executable before the engine starts (R5), and looks up what was recorded of it when it was
//! installed: the package's script writes `/usr/lib/coloa/coload.sha384`, as `sha384sum` does.
//!
//! It notices a file that was damaged or changed by somebody who could not change both. It is no defence against the
//! host's administrator, who can: that is what secure boot beneath it is for.

use aws_lc_rs::digest::{Context, SHA384};
use coloa_engine::Image;
use std::fs::File;
use std::io::{ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

/// The executable that runs, whatever became of its name since.
const RUNNING: &str = "/proc/self/exe";
/// Read at once.
const CHUNK: usize = 64 * 1024;

/// Measures what runs.
pub fn measure() -> Result<Image> {
    let recorded = record_of(&std::fs::read_link(RUNNING)?).map(|file| recorded(&file)).transpose()?.flatten();
    let image = Image { digest: digest(Path::new(RUNNING))?, recorded };
    let sha384 = data_encoding::HEXLOWER.encode(&image.digest);
    tracing::info!(sha384, is_recorded = image.recorded.is_some(), "the image was measured");
    Ok(image)
}

fn digest(path: &Path) -> Result<[u8; 48]> {
    let (mut file, mut context, mut chunk) = (File::open(path)?, Context::new(&SHA384), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => context.update(chunk.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut out = [0; 48];
    out.copy_from_slice(context.finish().as_ref());
    Ok(out)
}

/// Where an executable's digest is recorded: `../lib/coloa/NAME.sha384`, from its folder.
fn record_of(executable: &Path) -> Option<PathBuf> {
    let (folder, name) = (executable.parent()?.parent()?, executable.file_name()?.to_str()?);
    Some(folder.join("lib/coloa").join(format!("{name}.sha384")))
}

/// What is recorded; `None` when nothing is. What is no digest is one that nothing has: the engine then refuses.
fn recorded(file: &Path) -> Result<Option<[u8; 48]>> {
    match std::fs::read(file) {
        Ok(text) => Ok(Some(parse(&text).unwrap_or([0; 48]))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digits at the beginning of what `sha384sum` writes.
fn parse(text: &[u8]) -> Option<[u8; 48]> {
    let digits = text.get(..96)?;
    data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_stands_beside_the_program_and_is_read_or_matches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = record_of(&folder.path().join("bin/coload")).unwrap();
        assert_eq!(file, folder.path().join("lib/coloa/coload.sha384"));
        assert_eq!(recorded(&file).unwrap(), None);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("{}  /usr/bin/coload\n", "ab".repeat(48))).unwrap();
        assert_eq!(recorded(&file).unwrap(), Some([0xab; 48]));
        for broken in ["", "ab", &"xy".repeat(48)] {
            std::fs::write(&file, broken).unwrap();
            assert_eq!(recorded(&file).unwrap(), Some([0; 48]), "{broken}");
        }
    }

    // SHA-384 of "abc", FIPS 180-4.
    #[test]
    fn a_file_is_measured() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let wanted = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7";
        assert_eq!(digest(file.path()).unwrap(), parse(wanted.as_bytes()).unwrap());
    }
}
