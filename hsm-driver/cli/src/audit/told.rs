//! A record as people and machines read it.

use crate::screen::{hex, moment};
use coloa_engine::audit::{AuditRecord, CLOCK_STEPPED_BACK, STARTED};
use coloa_wire::{CommandCode, ErrorCode};
use serde_json::{Value, json};

/// What was done, by its command's name.
pub fn action(number: u16) -> String {
    match number {
        STARTED => "Started".into(),
        CLOCK_STEPPED_BACK => "ClockSteppedBack".into(),
        _ => CommandCode::try_from(number).map_or_else(|_| format!("Command{number:04x}"), |code| code.name().into()),
    }
}

/// How it ended.
pub fn result(number: u16) -> String {
    match number {
        0 => "ok".into(),
        _ => ErrorCode::from_number(number).map_or_else(|| format!("E{number:03}"), |code| code.name().into()),
    }
}

/// One line without control characters: a name in a log must not write into a terminal.
pub fn line(record: &AuditRecord) -> String {
    let event = &record.event;
    let mut words = vec![
        format!("#{}", record.number),
        moment(record.time),
        event.who.clone(),
        action(event.action),
        result(event.result),
    ];
    words.extend(event.partition.map(|id| format!("partition={id}")));
    words.extend(event.object.map(|id| format!("object={id}")));
    words.extend(event.mechanism.map(mechanism));
    words.extend((event.count > 1).then(|| format!("×{}", event.count)));
    words.extend(event.detail.clone());
    words.join(" ").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn mechanism(kind: coloa_wire::MechanismType) -> String {
    kind.name().map_or_else(|| format!("{:#x}", kind.0), str::to_owned)
}

/// Its document. Its fields stay.
pub fn document(record: &AuditRecord) -> Value {
    let event = &record.event;
    json!({
        "number": record.number, "time": record.time, "previous": hex(&record.previous), "who": event.who,
        "identity": event.identity.map(|id| id.to_string()), "action": action(event.action), "result": result(event.result),
        "partition": event.partition.map(|id| id.to_string()), "object": event.object.map(|id| id.to_string()),
        "mechanism": event.mechanism.map(mechanism), "count": event.count, "detail": event.detail,
    })
}
