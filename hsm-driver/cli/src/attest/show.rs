//! What was said of a key, for eyes and machines; each line says what it proves.

use super::arguments::AttestVerify;
use crate::key::{class_word, type_word};
use crate::screen::{Screen, hex, moment};
use coloa_wire::AttributeType as A;
use coloa_wire::attribute::key_type;
use coloa_wire::command::{KeyStatement, PartitionMode};
use serde_json::{Value, json};
use std::path::Path;

/// A statement that was asked for and written; nobody checked it yet.
pub fn written(screen: &Screen, file: &Path, said: &KeyStatement) {
    let mut facts = vec![(screen.text("File", "Tệp"), file.display().to_string())];
    facts.extend(told(screen, said));
    screen.facts(&document(file, said), facts);
}

/// A statement that holds.
pub fn verified(screen: &Screen, asked: &AttestVerify, said: &KeyStatement) {
    let mut document = document(&asked.file, said);
    document["chain"] = "whole".into();
    document["signature"] = "valid".into();
    document["root"] = asked.root.is_some().into();
    document["public_checked"] = asked.public.is_some().into();
    document["nonce_checked"] = asked.nonce.is_some().into();
    document["image_checked"] = asked.image.is_some().into();
    let mut facts = vec![
        (screen.text("File", "Tệp"), asked.file.display().to_string()),
        (screen.text("Device", "Thiết bị"), root(screen, asked)),
        (
            screen.text("Chain", "Chuỗi"),
            screen
                .text("whole: the device certified the key that signed", "liền mạch: thiết bị chứng thực khóa đã ký")
                .into(),
        ),
        (
            screen.text("Signature", "Chữ ký"),
            screen.text("valid: nobody changed what follows", "hợp lệ: nội dung dưới đây không bị sửa").into(),
        ),
        (screen.text("Fresh", "Mới"), fresh(screen, asked, said)),
    ];
    facts.extend(told(screen, said));
    screen.facts(&document, facts);
}

fn root(screen: &Screen, asked: &AttestVerify) -> String {
    match asked.root {
        Some(_) => screen.text("is that of --root", "đúng với --root").into(),
        None => screen
            .text(
                "NOT VOUCHED FOR: anybody can make such a file. Give --root",
                "CHƯA ĐƯỢC BẢO ĐẢM: ai cũng có thể tạo tệp này. Hãy dùng --root",
            )
            .into(),
    }
}

fn fresh(screen: &Screen, asked: &AttestVerify, said: &KeyStatement) -> String {
    match (&asked.nonce, said.nonce.is_empty()) {
        (Some(_), _) => screen.text("answers your nonce", "trả lời đúng nonce của bạn").into(),
        (None, false) => format!("{} {}", screen.text("not checked; nonce", "chưa kiểm tra; nonce"), hex(&said.nonce)),
        (None, true) => screen.text("not shown: it was asked without a nonce", "không rõ: hỏi không kèm nonce").into(),
    }
}

fn told(screen: &Screen, said: &KeyStatement) -> Vec<(&'static str, String)> {
    let text = |english: &'static str, vietnamese: &'static str| screen.text(english, vietnamese);
    let image = said.image.as_ref();
    let recorded = text("as recorded when it was installed", "đúng như đã ghi khi cài đặt");
    let unrecorded = text("nothing was recorded at installation", "khi cài đặt không ghi lại");
    let word = |is_recorded: bool| if is_recorded { recorded } else { unrecorded };
    let measured = |i: &coloa_wire::command::ImageStatement| format!("{} ({})", hex(&i.digest), word(i.is_recorded));
    vec![
        (text("Serial", "Số sê-ri"), said.serial.clone()),
        (text("Said at", "Khai lúc"), said.time.map(moment).unwrap_or_default()),
        (text("Version", "Phiên bản"), said.version.clone()),
        (text("Image, SHA-384", "Ảnh phần mềm, SHA-384"), image.map(measured).unwrap_or_default()),
        (text("Partition", "Phân vùng"), format!("{} ({})", said.partition_label, mode_word(said.mode))),
        (text("Key", "Khóa"), format!("{} {}", class_word(said.class), said.object)),
        (text("Kind", "Loại"), kind_word(said)),
        (text("Origin", "Nguồn gốc"), origin(screen, said).into()),
        (text("Leaves", "Rời thiết bị"), leaving(screen, said).into()),
        (text("May", "Được phép"), names(said).join(" ")),
    ]
}

fn origin(screen: &Screen, said: &KeyStatement) -> &'static str {
    if is(said, A::LOCAL) {
        screen.text("drawn in this device", "sinh trong thiết bị này")
    } else {
        screen.text("brought from outside: others may have it", "đưa từ ngoài vào: nơi khác có thể cũng giữ")
    }
}

fn leaving(screen: &Screen, said: &KeyStatement) -> &'static str {
    match (is(said, A::EXTRACTABLE), is(said, A::NEVER_EXTRACTABLE)) {
        (true, _) => screen.text("may leave, wrapped", "được phép, khi đã bọc"),
        (false, true) => screen.text("never could and cannot", "chưa bao giờ và không thể"),
        (false, false) => screen.text("cannot now, but could once", "hiện không thể, nhưng trước đây có thể"),
    }
}

fn is(said: &KeyStatement, flag: A) -> bool {
    said.flags.contains(&flag.0)
}

fn kind_word(said: &KeyStatement) -> String {
    match said.key_type {
        key_type::EC => "EC".into(),
        other => type_word(other, 0),
    }
}

fn mode_word(mode: PartitionMode) -> &'static str {
    crate::partition::mode(mode)
}

/// What a key is for, and what binds it.
const NAMES: &[(A, &str)] = &[
    (A::SIGN, "sign"),
    (A::VERIFY, "verify"),
    (A::ENCRYPT, "encrypt"),
    (A::DECRYPT, "decrypt"),
    (A::WRAP, "wrap"),
    (A::UNWRAP, "unwrap"),
    (A::DERIVE, "derive"),
    (A::ENCAPSULATE, "encapsulate"),
    (A::DECAPSULATE, "decapsulate"),
];

fn names(said: &KeyStatement) -> Vec<&'static str> {
    NAMES.iter().filter(|(flag, _)| is(said, *flag)).map(|(_, name)| *name).collect()
}

/// Its fields stay.
fn document(file: &Path, said: &KeyStatement) -> Value {
    let image = said.image.as_ref();
    json!({
        "file": file, "serial": said.serial, "version": said.version, "time": said.time, "nonce": hex(&said.nonce),
        "partition": said.partition.to_string(), "label": said.partition_label, "mode": mode_word(said.mode),
        "object": said.object.to_string(), "class": class_word(said.class), "type": kind_word(said),
        "mechanism": said.mechanism, "local": is(said, A::LOCAL), "sensitive": is(said, A::SENSITIVE),
        "always_sensitive": is(said, A::ALWAYS_SENSITIVE), "extractable": is(said, A::EXTRACTABLE),
        "never_extractable": is(said, A::NEVER_EXTRACTABLE), "wrap_with_trusted": is(said, A::WRAP_WITH_TRUSTED),
        "always_authenticate": is(said, A::ALWAYS_AUTHENTICATE), "usage": names(said),
        "image": image.map(|i| hex(&i.digest)), "image_recorded": image.map(|i| i.is_recorded),
    })
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3) of `r ‖ s`, 96 bytes.
pub fn der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap_or(u8::MAX)], &body[..]].concat()
}

/// An INTEGER of at most 49 bytes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(start..).unwrap_or_default();
    let pad = digits.first().is_some_and(|b| *b >= 0x80);
    let length = digits.len().saturating_add(usize::from(pad));
    let head = [0x02, u8::try_from(length).unwrap_or(u8::MAX)];
    [&head[..], if pad { &[0] } else { &[] }, digits].concat()
}
