//! The caller's memory of one call, in blocks with borders that nobody may write to. A fuzzer has AddressSanitizer instead,
//! which sees who reads too much as well: its [`BORDER`] is 0.

use crate::rig::BORDER;
use cryptoki_sys::CK_ULONG;

const BORDER_BYTES: [u8; 4096] = [0xa5; 4096];

/// Blocks that live as long as this does.
#[derive(Default)]
pub struct Memory(Vec<Block>);

/// A block between its borders. The module has its address, so it is no `Box` while it lives.
struct Block {
    whole: *mut [u8],
    length: usize,
    /// What must not change inside, if nothing may.
    content: Option<Box<[u8]>>,
}

impl Memory {
    /// What the module may read and must not write: its address.
    pub fn input(&mut self, content: &[u8]) -> CK_ULONG {
        self.block(content, true, BORDER)
    }

    /// What the module may read and write.
    pub fn both(&mut self, content: &[u8]) -> CK_ULONG {
        self.block(content, false, BORDER)
    }

    /// Room for a result, and a border as wide as what a server might send too much.
    pub fn room(&mut self, length: usize, border: usize) -> CK_ULONG {
        self.block(&vec![0; length], false, border.max(BORDER))
    }

    /// `CK_ULONG`s, or structures of them.
    pub fn words(&mut self, words: &[CK_ULONG]) -> CK_ULONG {
        self.both(&as_bytes(words))
    }

    fn block(&mut self, content: &[u8], fixed: bool, border: usize) -> CK_ULONG {
        let mut bytes = BORDER_BYTES[..BORDER].to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + border, BORDER_BYTES[0]);
        let whole = Box::into_raw(bytes.into_boxed_slice());
        self.0.push(Block { whole, length: content.len(), content: fixed.then(|| content.into()) });
        whole.cast::<u8>().wrapping_add(BORDER) as CK_ULONG
    }

    /// How much there is of it.
    pub fn size(&self) -> usize {
        self.0.iter().map(|block| block.whole.len()).sum()
    }

    /// Nothing was written but where a result may be.
    pub fn is_sound(&self, what: &str) {
        for block in &self.0 {
            let [before, inside, after] = block.parts();
            let untouched = |border: &[u8]| border.chunks(4096).all(|part| part == &BORDER_BYTES[..part.len()]);
            assert!(untouched(before) && untouched(after), "{what} wrote beside {} bytes", block.length);
            assert!(block.content.as_ref().is_none_or(|kept| **kept == *inside), "{what} wrote to its input");
        }
    }
}

/// `CK_ULONG`s as they stand in memory.
pub fn as_bytes(words: &[CK_ULONG]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

impl Block {
    /// The border, the block, the border.
    fn parts(&self) -> [&[u8]; 3] {
        // SAFETY: allocated in `block` and freed on drop only; the module is not in a call now.
        let whole = unsafe { &*self.whole };
        let (before, rest) = whole.split_at(BORDER);
        let (inside, after) = rest.split_at(self.length);
        [before, inside, after]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw`, and nobody uses it any more.
        drop(unsafe { Box::from_raw(self.whole) });
    }
}
