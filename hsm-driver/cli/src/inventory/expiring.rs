//! What soon ends.

use super::Expiring;
use super::stock::Stock;
use crate::fault::Fault;
use crate::key::{class_word, date, document, label, state_word, type_word};
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_wire::command::{KeyEntry, KeyState};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400_000;

/// Now, in milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a key that still protects ends within so many days.
pub fn ends_within(key: &KeyEntry, now: u64, days: u32) -> bool {
    let soon = now.saturating_add(u64::from(days).saturating_mul(DAY));
    let protects = matches!(key.state, KeyState::PreActive | KeyState::Active | KeyState::Suspended);
    protects && key.expires.is_some_and(|end| end <= soon)
}

pub fn expiring(socket: &mut AdminSocket, screen: &Screen, asked: &Expiring) -> Result<(), Fault> {
    let stock = Stock::take(socket, None)?;
    let now = now();
    let (mut documents, mut rows): (Vec<Value>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    let ends = stock.service.certificate_ends.map(|seconds| seconds.saturating_mul(1000));
    if let Some(end) = ends.filter(|end| *end <= now.saturating_add(u64::from(asked.days).saturating_mul(DAY))) {
        documents.push(json!({ "certificate": stock.device.label, "expires": date(end) }));
        let what = screen.text("channel certificate", "chứng thư kênh");
        rows.push(vec![date(end), stock.device.label.clone(), what.into(), String::new(), stock.device.serial.clone()]);
    }
    for holding in &stock.holdings {
        for key in holding.keys.iter().filter(|key| ends_within(key, now, asked.days)) {
            let mut one = document(key);
            one["partition"] = holding.token.label.clone().into();
            documents.push(one);
            rows.push(row(screen, &holding.token.label, key));
        }
    }
    rows.sort();
    let header = [
        screen.text("Expires", "Hết hạn"),
        screen.text("Place", "Nơi"),
        screen.text("What", "Đối tượng"),
        screen.text("State", "Trạng thái"),
        screen.text("Id", "Mã"),
    ];
    screen.rows(&json!(documents), &header, rows);
    Ok(())
}

fn row(screen: &Screen, place: &str, key: &KeyEntry) -> Vec<String> {
    let what = format!("{} ({}, {})", label(key), type_word(key.key_type, key.bits), class_word(key.class));
    let state = state_word(screen, key.state).to_owned();
    vec![key.expires.map_or_else(String::new, date), place.to_owned(), what, state, key.object.to_string()]
}
