//! A share as text that a person can print, read out and type: Crockford's base 32 in groups of four, a check of its own on
//! each line. What is not a numbered line is for people and not read back.
//!
//! The checks find a slip of the pen at its line; whether the share is right is the engine's to say (R3).

use super::Trouble;
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use coloa_crypto_native::Native;
use coloa_engine::{Crypto, Hash};
use coloa_wire::command::{BackupKeyInfoReply, ShareBytes};
use data_encoding::{Encoding, Specification};
use std::fmt::Write;
use zeroize::Zeroizing;

/// Bytes of a line: six groups.
const LINE: usize = 15;
/// Letters of a line's check: 10 bits.
const CHECK: usize = 2;
/// Longer texts are no share.
pub const MAX_TEXT: usize = 8192;

/// What a holder keeps.
pub fn print(
    screen: &Screen,
    info: &BackupKeyInfoReply,
    index: usize,
    share: &[u8],
) -> Result<Zeroizing<String>, Fault> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
    let holder = info.holders.get(index.saturating_sub(1)).map_or("", |h| h.name.as_str());
    let (count, threshold) = (info.holders.len(), info.threshold);
    let title = screen.text("CO LOA: SHARE OF THE MASTER BACKUP KEY", "CỔ LOA: MẢNH KHÓA SAO LƯU CHỦ");
    let labels =
        screen.text("Holder|Share|of|restore|Key|check value", "Người giữ|Mảnh|trong|mảnh phục hồi|Khóa|giá trị kiểm");
    let mut labels = labels.split('|');
    let mut label = || labels.next().unwrap_or_default();
    let lines = [
        title.to_owned(),
        format!("{}: {holder}", label()),
        format!("{} {index} {} {count}; {threshold} {}", label(), label(), label()),
        format!("{} {}, {} {}", label(), hex(&info.key), label(), hex(&info.check)),
    ];
    lines.iter().for_each(|line| {
        let _ = writeln!(text, "{line}");
    });
    text.push('\n');
    for (number, bytes) in (1..).zip(share.chunks(LINE)) {
        let _ = writeln!(text, "{number:>2}  {}", *line(number, bytes)?);
    }
    Ok(text)
}

fn line(number: u8, bytes: &[u8]) -> Result<Zeroizing<String>, Fault> {
    let letters = Zeroizing::new(alphabet()?.encode(bytes));
    let mut line = Zeroizing::new(String::with_capacity(64));
    for (at, letter) in letters.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            line.push('-');
        }
        line.push(letter);
    }
    line.push_str("  ");
    line.push_str(&check(number, bytes)?);
    Ok(line)
}

/// The share of a text.
pub fn parse(text: &str) -> Result<ShareBytes, Fault> {
    let mut share = Zeroizing::new(Vec::with_capacity(512));
    let mut wanted = 1;
    for text in text.lines() {
        let Some((number, rest)) = numbered(text) else { continue };
        if number != wanted {
            return Err(Trouble::ShareLine(wanted).into());
        }
        share.extend_from_slice(&parse_line(number, rest)?);
        wanted = wanted.saturating_add(1);
    }
    if share.is_empty() { Err(Trouble::NoShare.into()) } else { Ok(ShareBytes(share.to_vec())) }
}

/// A line's number and what follows it.
fn numbered(line: &str) -> Option<(u8, &str)> {
    let line = line.trim();
    let (number, rest) = line.split_once(char::is_whitespace)?;
    Some((number.parse().ok()?, rest))
}

/// One line without its number.
pub fn parse_line(number: u8, line: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let wrong = || Fault::from(Trouble::ShareLine(number));
    let (letters, given) = line.trim().rsplit_once(char::is_whitespace).ok_or_else(wrong)?;
    let bytes = Zeroizing::new(alphabet()?.decode(letters.trim().as_bytes()).map_err(|_| wrong())?);
    let given = given.to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    if check(number, &bytes)? == given && (1..=LINE).contains(&bytes.len()) { Ok(bytes) } else { Err(wrong()) }
}

/// 10 bits of SHA-256 over number and bytes.
fn check(number: u8, bytes: &[u8]) -> Result<String, Fault> {
    let digest = Native::new().digest(Hash::Sha256, &[b"coloa share line", &[number], bytes]);
    let two = digest.as_ref().get(..2).unwrap_or_default();
    Ok(alphabet()?.encode(two).chars().take(CHECK).collect())
}

/// Crockford's: no I, L, O, U; read as one would.
fn alphabet() -> Result<Encoding, Fault> {
    let mut wanted = Specification::new();
    wanted.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    wanted.ignore.push_str("- ");
    wanted.translate.from.push_str("abcdefghjkmnpqrstvwxyzILOilo");
    wanted.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ110110");
    wanted.encoding().map_err(|_| Trouble::NoShare.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Lang;
    use coloa_wire::command::ShareHolder;

    fn info() -> BackupKeyInfoReply {
        let holders = vec![ShareHolder { name: "12 An".into(), taken: false }];
        BackupKeyInfoReply { key: [1; 16], check: [2; 8], threshold: 2, holders, created: 0 }
    }

    fn printed(lang: Lang, share: &[u8]) -> String {
        print(&Screen::new(Some(lang), false), &info(), 1, share).unwrap().to_string()
    }

    #[test]
    fn what_is_printed_is_read_back_in_either_language() {
        for length in [1, 14, 15, 16, 99, 140] {
            let share: Vec<u8> = (0..length).map(|n| n as u8 ^ 0x5a).collect();
            for lang in [Lang::En, Lang::Vi] {
                let text = printed(lang, &share);
                assert!(text.lines().all(|line| line.chars().count() < 79), "{text}");
                assert_eq!(parse(&text).unwrap().0, share, "{text}");
                assert_eq!(parse(&text.to_lowercase()).unwrap().0, share);
                assert_eq!(parse(&text.replace('-', " ")).unwrap().0, share);
            }
        }
    }

    #[test]
    fn letters_that_look_like_digits_are_read_as_those() {
        let bytes = [0x08, 0x42, 0x10, 0x84, 0x21];
        let text = line(7, &bytes).unwrap().to_string();
        assert!(text.starts_with("1111-1111"), "{text}");
        for like in ["l", "I", "i", "L"] {
            assert_eq!(*parse_line(7, &text.replace('1', like).replace('0', "o")).unwrap(), bytes);
        }
        assert!(parse_line(8, &text).is_err(), "another line");
    }

    /// Of 1,024 slips one goes through a line's check; none of these does, and the engine has the last word.
    #[test]
    fn a_slip_is_found_at_its_line() {
        let share: Vec<u8> = (0..60).collect();
        let text = printed(Lang::En, &share);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| line.starts_with(" 1 ")).unwrap();
        for number in 1..=4 {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let slip = |c: char| if c == 'Z' { 'Y' } else { 'Z' };
            let line = &mut changed[first + number - 1];
            *line = line.char_indices().map(|(at, c)| if at == 6 { slip(c) } else { c }).collect();
            match parse(&changed.join("\n")) {
                Err(Fault::Backup(Trouble::ShareLine(named))) => assert_eq!(usize::from(named), number),
                _ => panic!("line {number} was read"),
            }
        }
        let without: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != first + 1).map(|(_, l)| *l).collect();
        assert!(matches!(parse(&without.join("\n")), Err(Fault::Backup(Trouble::ShareLine(2)))));
        assert!(matches!(parse("nothing\n"), Err(Fault::Backup(Trouble::NoShare))));
    }
}
