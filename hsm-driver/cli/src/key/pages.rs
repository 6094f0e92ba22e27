//! Finding and showing keys.

use super::arguments::Chosen;
use super::words::{class_word, classification_word, date, document, label, moment, state_word, type_word};
use crate::fault::Fault;
use crate::partition;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::PartitionId;
use coloa_wire::attribute::class;
use coloa_wire::command::{KeyEntry, KeyList, KeyListReply, TokenInfo};
use serde_json::json;

/// Keys asked for at once.
const PAGE: u32 = 256;

/// Every key of a partition, by whoever asks.
pub fn all(
    id: PartitionId,
    mut ask: impl FnMut(&KeyList) -> Result<KeyListReply, Fault>,
) -> Result<Vec<KeyEntry>, Fault> {
    let mut keys: Vec<KeyEntry> = Vec::new();
    loop {
        let after = keys.last().map(|key| key.object);
        let page = ask(&KeyList { partition: id, after, max: PAGE })?;
        let empty = page.keys.is_empty();
        keys.extend(page.keys);
        if empty || !page.more {
            return Ok(keys);
        }
    }
}

/// The key with this id, check value or label. A pair is one key: its private half.
pub fn choose(keys: Vec<KeyEntry>, wanted: &str) -> Result<KeyEntry, Fault> {
    if let Some(key) = keys.iter().find(|key| key.object.to_string() == wanted) {
        return Ok(key.clone());
    }
    let checks = |key: &KeyEntry| !key.check_value.is_empty() && hex(&key.check_value).eq_ignore_ascii_case(wanted);
    let named: Vec<_> = keys.iter().filter(|key| checks(key) || key.label == wanted.as_bytes()).collect();
    let hidden: Vec<_> = named.iter().filter(|key| key.class != class::PUBLIC_KEY).collect();
    match (hidden.as_slice(), named.as_slice()) {
        ([key], _) => Ok((**key).clone()),
        ([], [key]) => Ok((*key).clone()),
        ([], []) => Err(Fault::Unknown(format!("key \"{wanted}\""))),
        _ => Err(Fault::Ambiguous(format!("\"{wanted}\""))),
    }
}

/// The partition and the key that a command names.
pub fn chosen(socket: &mut AdminSocket, chosen: &Chosen) -> Result<(TokenInfo, KeyEntry), Fault> {
    let token = partition::find(socket, &chosen.partition)?;
    let keys = all(token.partition, |page| socket.call(None, page))?;
    Ok((token, choose(keys, &chosen.key)?))
}

pub fn list(socket: &mut AdminSocket, screen: &Screen, wanted: &str) -> Result<(), Fault> {
    let token = partition::find(socket, wanted)?;
    let keys = all(token.partition, |page| socket.call(None, page))?;
    let documents: Vec<_> = keys.iter().map(document).collect();
    screen.rows(&json!(documents), &header(screen), keys.iter().map(|key| row(screen, key)).collect());
    Ok(())
}

fn header(screen: &Screen) -> [&str; 9] {
    [
        screen.text("Label", "Nhãn"),
        screen.text("Kind", "Loại"),
        screen.text("State", "Trạng thái"),
        screen.text("Check value", "Giá trị kiểm tra"),
        screen.text("Version", "Phiên bản"),
        screen.text("Expires", "Hết hạn"),
        screen.text("Organ", "Cơ quan"),
        screen.text("Classification", "Độ mật"),
        screen.text("Id", "Mã"),
    ]
}

fn row(screen: &Screen, key: &KeyEntry) -> Vec<String> {
    vec![
        label(key),
        format!("{}, {}", type_word(key.key_type, key.bits), class_word(key.class)),
        state_word(screen, key.state).into(),
        hex(&key.check_value),
        key.version.to_string(),
        key.expires.map_or_else(String::new, date),
        key.metadata.organ.clone().unwrap_or_default(),
        classification_word(key.metadata.classification).into(),
        key.object.to_string(),
    ]
}

pub fn show(socket: &mut AdminSocket, screen: &Screen, wanted: &Chosen) -> Result<(), Fault> {
    let (token, key) = chosen(socket, wanted)?;
    let mut document = document(&key);
    document["partition"] = token.label.into();
    screen.facts(&document, facts(screen, &key));
    Ok(())
}

fn facts<'a>(screen: &Screen, key: &KeyEntry) -> Vec<(&'a str, String)> {
    let (said, text) = (&key.metadata, |text: &Option<String>| text.clone().unwrap_or_default());
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    vec![
        (screen.text("Label", "Nhãn"), label(key)),
        (screen.text("Kind", "Loại"), format!("{}, {}", type_word(key.key_type, key.bits), class_word(key.class))),
        (screen.text("State", "Trạng thái"), state_word(screen, key.state).into()),
        (screen.text("Since", "Từ"), key.since.map_or_else(String::new, moment)),
        (screen.text("Reason", "Lý do"), text(&key.reason)),
        (screen.text("Check value", "Giá trị kiểm tra"), hex(&key.check_value)),
        (screen.text("Version", "Phiên bản"), key.version.to_string()),
        (screen.text("Replaces", "Thay cho"), key.predecessor.map_or_else(String::new, |id| id.to_string())),
        (screen.text("Created", "Tạo lúc"), key.created.map_or_else(String::new, moment)),
        (screen.text("Expires", "Hết hạn"), key.expires.map_or_else(String::new, moment)),
        (screen.text("Uses", "Số lần dùng"), number(key.uses)),
        (screen.text("Uses at most", "Số lần dùng tối đa"), number(said.max_uses)),
        (screen.text("Organ", "Cơ quan"), text(&said.organ)),
        (screen.text("Site", "Địa điểm"), text(&said.site)),
        (screen.text("Purpose", "Mục đích"), text(&said.purpose)),
        (screen.text("Owner", "Người phụ trách"), text(&said.owner)),
        (screen.text("Classification", "Độ mật"), classification_word(said.classification).into()),
        (screen.text("CKA_ID", "CKA_ID"), hex(&key.id)),
        (screen.text("Id", "Mã"), key.object.to_string()),
    ]
}
