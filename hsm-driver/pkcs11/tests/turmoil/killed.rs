//! Processes that write to a token and are killed, again and again, while another one uses it. What a writer had reported as
//! made is there and works; what it had reported as destroyed is gone; what was under way is there whole, or not at all.

use crate::rig::c::*;
use crate::rig::chance::{Chance, seed};
use crate::rig::forked::Forked;
use crate::rig::{P256, Rig};
use cryptoki_sys::*;
use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::ptr::null_mut;
use std::time::Duration;

/// At the same time.
const WRITERS: u64 = 2;
/// Milliseconds until one is killed: from before it has opened the store to when it has written a lot.
const LONGEST: u64 = 400;

/// Objects for who opens the store anew.
const ENOUGH: usize = 20;

/// The last that a writer has said of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Word {
    Making,
    Made,
    Destroying,
    Destroyed,
}

impl Word {
    const ALL: [Word; 4] = [Word::Making, Word::Made, Word::Destroying, Word::Destroyed];
}

/// An object by its `CKA_ID`: a secret key if the number is even, a key pair if it is odd.
type Number = u64;
type Book = BTreeMap<Number, Word>;
/// A number and a word: what a pipe takes whole.
const RECORD: usize = size_of::<Number>() + 1;

/// Kills as often as this, and on a slow machine until there is something to judge by.
pub fn play(rounds: u64) {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (mut chance, mut book) = (Chance::new(seed()), Book::new());
    let mut round = 0;
    while round < rounds || book.len() < ENOUGH {
        let mut new = kill_writers(round, &mut chance);
        println!("round {round}: {} objects", new.len());
        new.iter().for_each(|(number, word)| judge(s, *number, *word));
        new.retain(|number, word| leave_few(s, *number, *word, &mut chance));
        book.extend(new);
        // Who is killed between the count of a try and its answer has used it up (R4): a right PIN sets the counter back.
        assert_eq!(ck!(C_Logout(s)), CKR_OK);
        assert_eq!(log_in(s), CKR_OK);
        round += 1;
    }
    finalize();
    // And to who opens the store anew.
    assert_eq!(ck!(C_Initialize(null_mut())), CKR_OK);
    let s = session(0).unwrap();
    assert_eq!(log_in(s), CKR_OK);
    book.iter().for_each(|(number, word)| judge(s, *number, *word));
    finalize();
}

/// Starts them, kills them, and tells what they said.
fn kill_writers(round: u64, chance: &mut Chance) -> Book {
    let mut all = Vec::new();
    for writer in 0..WRITERS {
        let (reader, pipe) = std::io::pipe().unwrap();
        let (first, choices) = ((round * WRITERS + writer) << 32, Chance::new(chance.number()));
        all.push((Forked::start(|| write(pipe, first, choices)), reader));
    }
    let mut book = Book::new();
    for (child, reader) in all {
        std::thread::sleep(Duration::from_millis(chance.below(LONGEST)));
        child.kill();
        let status = child.wait();
        assert!(libc::WIFSIGNALED(status), "a writer ended with {status:#x} before it was killed");
        book.extend(said(reader));
    }
    book
}

fn said(mut reader: PipeReader) -> Book {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    let record = |record: &[u8]| {
        let (number, word) = record.split_at(size_of::<Number>());
        (Number::from_ne_bytes(number.try_into().unwrap()), Word::ALL[usize::from(word[0])])
    };
    bytes.chunks_exact(RECORD).map(record).collect()
}

/// A writer: makes objects and destroys some of them until it is killed.
fn write(mut pipe: PipeWriter, first: Number, mut chance: Chance) -> Result<(), String> {
    let problem = |what: &'static str| move |rv: CK_RV| format!("{what}: {rv:#x}");
    ok(ck!(C_Initialize(null_mut()))).map_err(problem("C_Initialize"))?;
    let s = session(0).map_err(problem("C_OpenSession"))?;
    ok(log_in(s)).map_err(problem("C_Login"))?;
    let mut say = |number: Number, word: Word| {
        let record = [&number.to_ne_bytes()[..], &[word as u8]].concat();
        pipe.write_all(&record).map_err(|e| e.to_string())
    };
    for number in first.. {
        say(number, Word::Making)?;
        make(s, number).map_err(problem("an object"))?;
        say(number, Word::Made)?;
        if chance.below(2) == 0 {
            say(number, Word::Destroying)?;
            destroy(s, number).map_err(problem("C_DestroyObject"))?;
            say(number, Word::Destroyed)?;
        }
    }
    Ok(())
}

fn named(number: Number) -> Attributes {
    Attributes::new().bytes(CKA_ID, &number.to_ne_bytes())
}

fn is_pair(number: Number) -> bool {
    number % 2 == 1
}

/// What the secret key of this number has for a value.
fn secret(number: Number) -> [u8; 32] {
    std::array::from_fn(|n| number.to_ne_bytes()[n % 8] ^ n as u8)
}

fn hmac_key(number: Number) -> Attributes {
    let template = named(number).number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    template.bytes(CKA_VALUE, &secret(number)).yes(&[CKA_SIGN, CKA_VERIFY])
}

fn make(s: CK_SESSION_HANDLE, number: Number) -> Answer<()> {
    if is_pair(number) {
        let public = named(number).bytes(CKA_EC_PARAMS, P256).yes(&[CKA_TOKEN, CKA_VERIFY]);
        let private = named(number).yes(&[CKA_TOKEN, CKA_SIGN]);
        return generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, private).map(|_| ());
    }
    create(s, hmac_key(number).yes(&[CKA_TOKEN])).map(|_| ())
}

fn destroy(s: CK_SESSION_HANDLE, number: Number) -> Answer<()> {
    find(s, named(number))?.into_iter().try_for_each(|object| ok(ck!(C_DestroyObject(s, object))))
}

/// Whether what is there is what a writer said of it.
fn judge(s: CK_SESSION_HANDLE, number: Number, word: Word) {
    let whole = if is_pair(number) { 2 } else { 1 };
    let found = find(s, named(number)).unwrap();
    let what = format!("{number:#x} {word:?}: {} objects", found.len());
    match word {
        Word::Made => assert_eq!(found.len(), whole, "{what}"),
        Word::Destroyed => assert_eq!(found.len(), 0, "{what}"),
        Word::Making => assert!([0, whole].contains(&found.len()), "{what}"),
        // The two of a pair are destroyed one after the other.
        Word::Destroying => assert!(found.len() <= whole, "{what}"),
    }
    if found.len() == whole {
        assert_eq!(works(s, number), Ok(()), "{what}");
    }
}

/// A signature of it is right.
fn works(s: CK_SESSION_HANDLE, number: Number) -> Answer<()> {
    let one = |class| find(s, named(number).number(CKA_CLASS, class).yes(&[CKA_TOKEN])).map(|found| found[0]);
    if is_pair(number) {
        let signature = sign(s, mechanism(CKM_ECDSA_SHA256), one(CKO_PRIVATE_KEY)?, b"x")?;
        return ok(verify(s, mechanism(CKM_ECDSA_SHA256), one(CKO_PUBLIC_KEY)?, b"x", &signature));
    }
    let mac = sign(s, mechanism(CKM_SHA256_HMAC), one(CKO_SECRET_KEY)?, b"x")?;
    let same = create(s, hmac_key(number))?;
    ok(verify(s, mechanism(CKM_SHA256_HMAC), same, b"x", &mac))?;
    ok(ck!(C_DestroyObject(s, same)))
}

/// Whether an object stays to be judged at the end; the others go.
fn leave_few(s: CK_SESSION_HANDLE, number: Number, word: Word, chance: &mut Chance) -> bool {
    let stays = word == Word::Made && chance.below(8) == 0;
    if !stays {
        destroy(s, number).unwrap();
    }
    stays
}
