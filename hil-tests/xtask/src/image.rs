//! A board's image as bytes: what custodians sign, and what a slot of its flash holds.

use anyhow::{Context, Result, ensure};

/// An image is no longer than the memory it is linked for.
const MAX_IMAGE: usize = 3584 * 1024;

/// What an ELF file (32 bits, little-endian) puts into the board, from its lowest address on, as `objcopy -O binary` writes
/// it: what the custodians sign and a slot holds.
///
/// # Errors
/// The file is none, or too long for a slot.
pub fn flat(elf: &[u8]) -> Result<Vec<u8>> {
    let mut parts = segments(elf).context("this is no ELF file of a board's image")?;
    parts.sort_by_key(|(address, _)| *address);
    let (start, _) = *parts.first().context("the ELF file loads nothing")?;
    let mut image = Vec::new();
    for (address, bytes) in parts {
        let at = address - start;
        ensure!(
            at >= image.len() && at + bytes.len() <= MAX_IMAGE,
            "the ELF file's parts overlap, or lie too far apart"
        );
        image.resize(at, 0);
        image.extend_from_slice(bytes);
    }
    Ok(image)
}

/// Address and bytes of each loadable segment that has any.
fn segments(elf: &[u8]) -> Option<Vec<(usize, &[u8])>> {
    const LOAD: u32 = 1;
    elf.strip_prefix(b"\x7fELF\x01\x01")?;
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    let word = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?));
    let (table, size, count) = (word(28)? as usize, half(42)?, half(44)?);
    let mut found = Vec::new();
    for n in 0..count {
        let header = table + n * size;
        let (offset, address, length) =
            (word(header + 4)? as usize, word(header + 12)? as usize, word(header + 16)? as usize);
        if word(header)? == LOAD && length > 0 {
            found.push((address, elf.get(offset..offset.checked_add(length)?)?));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with two segments, the second first, and a gap between them.
    fn elf() -> Vec<u8> {
        let mut elf = [b"\x7fELF\x01\x01".to_vec(), vec![0; 46]].concat();
        elf[28] = 52;
        elf[42] = 32;
        elf[44] = 2;
        for (offset, address, length) in [(118_u32, 0x8_0008_u32, 2_u32), (116, 0x8_0000, 2)] {
            let words = [1, offset, 0, address, length, length, 5, 4];
            elf.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        elf.extend(b"abcd");
        elf
    }

    #[test]
    fn an_image_is_what_lies_in_memory() {
        assert_eq!(flat(&elf()).unwrap(), b"ab\0\0\0\0\0\0cd");
        for cut in 0..elf().len() {
            assert!(flat(&elf()[..cut]).is_err(), "cut at {cut}");
        }
        assert!(flat(b"MZ").is_err());
    }
}
