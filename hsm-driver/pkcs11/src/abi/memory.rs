//! The caller's memory: every read and write of it is here.
//!
//! A pointer comes from a C program as an argument of an entry point. Whoever calls that entry point vouches, as PKCS#11
//! has it, that a pointer is NULL or stands before as many elements as the count beside it says. That much is believed;
//! alignment is not, and NULL and counts that no object can have are refused. A buffer may be used for input and output at
//! once: no reference to it lives while it is written.

use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;
use std::cell::Cell;
use zeroize::Zeroizing;

/// What no object in memory exceeds.
const MAX_BYTES: usize = isize::MAX as usize;

/// A pointer the caller vouches for.
pub(crate) struct Ptr<T>(*mut T);

// SAFETY: a pointer is only a number until it is used; the caller vouches for it until the operation it was given to ends,
// on whichever thread that is.
unsafe impl<T> Send for Ptr<T> {}

impl<T> Clone for Ptr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ptr<T> {}

impl<T> Ptr<T> {
    /// # Safety
    /// The pointer is NULL, or the caller of the entry point vouches for what it points to.
    pub(crate) unsafe fn vouched(raw: *mut T) -> Self {
        Ptr(raw)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The same address, with what the standard says is there.
    pub(crate) fn cast<U>(self) -> Ptr<U> {
        Ptr(self.0.cast())
    }

    /// `CKR_ARGUMENTS_BAD` for NULL.
    pub(crate) fn not_null(self) -> Outcome<Self> {
        if self.is_null() { Err(Rv(CKR_ARGUMENTS_BAD)) } else { Ok(self) }
    }
}

impl<T: Copy> Ptr<T> {
    /// A copy of what is there.
    pub(crate) fn read(self) -> Outcome<T> {
        self.not_null()?;
        // SAFETY: not NULL, so the caller vouches for one `T`; alignment is not assumed.
        Ok(unsafe { self.0.read_unaligned() })
    }

    /// Puts a value there.
    pub(crate) fn write(self, value: T) -> Outcome {
        self.not_null()?;
        // SAFETY: not NULL, so the caller vouches for room for one `T`; alignment is not assumed.
        unsafe { self.0.write_unaligned(value) };
        Ok(())
    }

    /// The element after `n` others.
    pub(crate) fn element(self, n: usize) -> Self {
        Ptr(self.0.wrapping_add(n))
    }

    /// A copy of `count` elements, at most `max`; none may be at NULL.
    pub(crate) fn read_all(self, count: CK_ULONG, max: usize) -> Outcome<Vec<T>> {
        let count = bounded::<T>(count).filter(|n| *n <= max).ok_or(Rv(CKR_ARGUMENTS_BAD))?;
        (0..count).map(|n| self.not_null()?.element(n).read()).collect()
    }

    /// Puts elements there, one after the other.
    pub(crate) fn write_all(self, values: &[T]) -> Outcome {
        values.iter().enumerate().try_for_each(|(n, value)| self.not_null()?.element(n).write(*value))
    }
}

impl Ptr<u8> {
    /// `len` bytes; none may be at NULL.
    pub(crate) fn input(self, len: CK_ULONG) -> Outcome<Input> {
        let len = bounded::<u8>(len).ok_or(Rv(CKR_ARGUMENTS_BAD))?;
        if self.is_null() && len > 0 {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        Ok(Input { start: self, len })
    }

    /// A copy of `len` bytes, at most `max`.
    pub(crate) fn copy(self, len: CK_ULONG, max: usize) -> Outcome<Zeroizing<Vec<u8>>> {
        let input = self.input(len)?;
        if input.len > max { Err(Rv(CKR_ARGUMENTS_BAD)) } else { Ok(Zeroizing::new(input.bytes().to_vec())) }
    }
}

fn bounded<T>(count: CK_ULONG) -> Option<usize> {
    let count = usize::try_from(count).ok()?;
    count.checked_mul(size_of::<T>().max(1)).filter(|bytes| *bytes <= MAX_BYTES)?;
    Some(count)
}

/// Bytes the caller gave.
pub(crate) struct Input {
    start: Ptr<u8>,
    len: usize,
}

impl Input {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The bytes. The slice must not be kept across a write to the caller's memory: it may be the same memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: not NULL (`Ptr::input`), the caller vouches for `len` bytes, `len` is at most `isize::MAX`, bytes have no
        // alignment; nothing here writes there while the slice is in use.
        unsafe { std::slice::from_raw_parts(self.start.0, self.len) }
    }
}

/// Where a result goes: a buffer and its length, by the convention of §5.2. Whatever an engine answers, no more is put there
/// than the caller was asked for.
pub(crate) struct Output {
    pub(crate) start: Ptr<u8>,
    len: Ptr<CK_ULONG>,
    /// The room that is there for certain.
    room: Cell<usize>,
}

impl Output {
    pub(crate) fn new(start: Ptr<u8>, len: Ptr<CK_ULONG>) -> Self {
        Output { start, len, room: Cell::new(0) }
    }

    /// A buffer of a known length, which is not written back.
    pub(crate) fn fixed(start: Ptr<u8>, room: usize) -> Self {
        Output { start, len: Ptr(std::ptr::null_mut()), room: Cell::new(room) }
    }

    /// Whether there is a buffer with room for `needed` bytes. Without a buffer the answer is no and the caller learns the
    /// length; a buffer that is too small is `CKR_BUFFER_TOO_SMALL`, with the length too.
    pub(crate) fn has_room(&self, needed: usize) -> Outcome<bool> {
        let room = self.len.read()?;
        self.len.write(needed as CK_ULONG)?;
        match (self.start.is_null(), room < needed as CK_ULONG) {
            (true, _) => Ok(false),
            (false, true) => Err(Rv(CKR_BUFFER_TOO_SMALL)),
            (false, false) => {
                self.room.set(needed);
                Ok(true)
            }
        }
    }

    /// The room there is, for a result whose length is known when it is there; none without a buffer, and then the caller
    /// learns that `most` is enough.
    pub(crate) fn capacity(&self, most: usize) -> Outcome<Option<usize>> {
        let room = self.len.read()?;
        if self.start.is_null() {
            self.len.write(most as CK_ULONG)?;
            return Ok(None);
        }
        Ok(Some(usize::try_from(room).unwrap_or(usize::MAX)))
    }

    /// Delivers a result into the room that [`Output::capacity`] told of; `CKR_BUFFER_TOO_SMALL` with the length where it
    /// does not fit.
    pub(crate) fn put_within(&self, room: usize, bytes: &[u8]) -> Outcome {
        if room < bytes.len() {
            self.len.write(bytes.len() as CK_ULONG)?;
            return Err(Rv(CKR_BUFFER_TOO_SMALL));
        }
        self.room.set(bytes.len());
        self.put(bytes)
    }

    /// Where it is, for the caller to free.
    pub(crate) fn address(&self) -> *mut u8 {
        self.start.0
    }

    /// Whether only the length is asked for.
    pub(crate) fn is_query(&self) -> bool {
        self.start.is_null()
    }

    /// Delivers the whole result, for which `has_room` was answered with yes; `CKR_DEVICE_ERROR` for one of another length.
    pub(crate) fn put(&self, bytes: &[u8]) -> Outcome {
        if bytes.len() != self.room.get() {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        self.len.write(bytes.len() as CK_ULONG)?;
        self.put_at(0, bytes)
    }

    /// Delivers a part of the result; `CKR_DEVICE_ERROR` for what does not fit.
    pub(crate) fn put_at(&self, offset: usize, bytes: &[u8]) -> Outcome {
        if bytes.is_empty() {
            return Ok(());
        }
        if offset.checked_add(bytes.len()).is_none_or(|end| end > self.room.get()) {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        let target = self.start.not_null()?.element(offset).0;
        // SAFETY: not NULL; the caller vouches for the room it said there is, and what is put ends within it; `bytes` is this
        // module's memory, so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        Ok(())
    }
}

/// Where an IV or a tag stands in the caller's memory. What the engine makes is written back there when an operation is done,
/// so the buffer must live that long (PKCS#11 leaves the lifetime of `pIv` open; CloudHSM and others ask for the same).
#[derive(Clone)]
pub(crate) struct Home {
    start: Ptr<u8>,
    len: usize,
}

impl Home {
    pub(crate) fn new(start: Ptr<u8>, len: usize) -> Self {
        Home { start, len }
    }

    /// Of an operation that writes nothing back.
    pub(crate) fn nowhere() -> Self {
        Home { start: Ptr(std::ptr::null_mut()), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What stands there now.
    pub(crate) fn read(&self) -> Outcome<Vec<u8>> {
        Ok(Input { start: self.start.not_null()?, len: self.len }.bytes().to_vec())
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Outcome {
        if bytes.len() != self.len {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        Output::fixed(self.start, self.len).put_at(0, bytes)
    }
}

/// A `CK_ULONG` at an address that is perhaps none, as a number of an ambiguous structure may be: the kernel reads it, and
/// says so when nothing is there.
pub(crate) fn probe(address: CK_ULONG) -> Outcome<CK_ULONG> {
    let mut found: CK_ULONG = 0;
    let to = libc::iovec { iov_base: (&raw mut found).cast(), iov_len: size_of::<CK_ULONG>() };
    let from = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: size_of::<CK_ULONG>() };
    // SAFETY: `to` is a local with room for what is asked; the kernel checks `from`, which nothing here looks at.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &to, 1, &from, 1, 0) };
    if usize::try_from(read) == Ok(size_of::<CK_ULONG>()) { Ok(found) } else { Err(Rv(CKR_ARGUMENTS_BAD)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T: Copy>(value: &mut [T]) -> Ptr<T> {
        Ptr(value.as_mut_ptr())
    }

    fn null<T>() -> Ptr<T> {
        Ptr(std::ptr::null_mut())
    }

    #[test]
    fn null_stands_for_nothing_only() {
        assert!(null::<u8>().input(0).unwrap().bytes().is_empty());
        assert_eq!(null::<u8>().input(1).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
        assert_eq!(null::<u8>().input(CK_ULONG::MAX).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
        assert!(null::<CK_ULONG>().read_all(0, 4).unwrap().is_empty());
        assert_eq!(null::<CK_ULONG>().read_all(1, 4).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
        assert_eq!(null::<CK_ULONG>().write(1), Err(Rv(CKR_ARGUMENTS_BAD)));
    }

    #[test]
    fn counts_nobody_can_have_are_refused() {
        let mut one = [7 as CK_ULONG];
        for count in [5, CK_ULONG::MAX, CK_ULONG::MAX / 8 + 2] {
            assert_eq!(ptr(&mut one).read_all(count, 4).err(), Some(Rv(CKR_ARGUMENTS_BAD)), "{count}");
        }
        let mut byte = [7_u8];
        assert_eq!(ptr(&mut byte).input(CK_ULONG::MAX).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
        assert_eq!(ptr(&mut byte).copy(1 << 40, 16).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
    }

    #[test]
    fn unaligned_values_are_read_and_written() {
        let mut bytes = [0_u8; 17];
        let odd: Ptr<CK_ULONG> = ptr(&mut bytes[1..]).cast();
        odd.write_all(&[1, CK_ULONG::MAX]).unwrap();
        assert_eq!(odd.read_all(2, 2).unwrap(), [1, CK_ULONG::MAX]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "the kernel is asked")]
    fn what_is_not_there_is_not_read() {
        let there: CK_ULONG = 41;
        assert_eq!(probe((&raw const there) as CK_ULONG), Ok(41));
        for address in [0, 4096, 1 << 40, CK_ULONG::MAX, CK_ULONG::MAX - 7] {
            assert_eq!(probe(address), Err(Rv(CKR_ARGUMENTS_BAD)), "{address:#x}");
        }
    }

    #[test]
    fn the_length_convention() {
        let (mut buffer, mut len) = ([0_u8; 4], [0 as CK_ULONG]);
        let query = Output::new(null(), ptr(&mut len));
        assert_eq!((query.has_room(4), len[0]), (Ok(false), 4));
        len[0] = 3;
        let short = Output::new(ptr(&mut buffer), ptr(&mut len));
        assert_eq!((short.has_room(4), len[0]), (Err(Rv(CKR_BUFFER_TOO_SMALL)), 4));
        assert_eq!(short.has_room(3), Ok(true));
        short.put(b"abc").unwrap();
        assert_eq!((&buffer, len[0]), (b"abc\0", 3));
        assert_eq!(Output::new(ptr(&mut buffer), null()).has_room(1), Err(Rv(CKR_ARGUMENTS_BAD)));
    }

    #[test]
    fn nothing_is_put_where_no_room_was_asked_for() {
        let (mut buffer, mut len) = ([0_u8; 4], [3 as CK_ULONG]);
        let out = Output::new(ptr(&mut buffer), ptr(&mut len));
        assert_eq!(out.put(b"abc"), Err(Rv(CKR_DEVICE_ERROR)));
        assert_eq!(out.has_room(3), Ok(true));
        assert_eq!([out.put(b"abcd"), out.put(b"ab")], [Err(Rv(CKR_DEVICE_ERROR)); 2]);
        assert_eq!([out.put_at(3, b"d"), out.put_at(usize::MAX, b"d")], [Err(Rv(CKR_DEVICE_ERROR)); 2]);
        assert_eq!(buffer, [0; 4]);
    }
}
