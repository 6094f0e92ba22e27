//! `coloa partition set`, `suspend`, `resume` and `usage`.

use super::arguments::{Bound, PartitionSet as Asked};
use super::find;
use crate::fault::Fault;
use crate::screen::{Screen, moment};
use crate::socket::AdminSocket;
use coloa_wire::command::{
    MechanismList, PartitionFigures, PartitionSet, PartitionSettings, PartitionSuspend, PartitionUsage,
};
use coloa_wire::{MechanismType, PartitionId};
use serde_json::{Value, json};

/// What is not given stays as the device has it.
pub fn set(socket: &mut AdminSocket, screen: &Screen, asked: &Asked) -> Result<(), Fault> {
    let partition = find(socket, &asked.partition)?.partition;
    let before = figures(socket, Some(partition))?.pop().map(|f| f.settings).unwrap_or_default();
    let settings = PartitionSettings { mechanisms: mechanisms(socket, &asked.mechanisms, &before)?, ..before };
    socket.call(None, &PartitionSet { partition, settings: with(settings, asked) })?;
    usage(socket, screen, Some(&partition.to_string()))
}

fn with(settings: PartitionSettings, asked: &Asked) -> PartitionSettings {
    fn or<T: Copy>(asked: Option<Bound<T>>, before: Option<T>) -> Option<T> {
        asked.map_or(before, |bound| bound.0)
    }
    PartitionSettings {
        objects: or(asked.max_objects, settings.objects),
        bytes: or(asked.max_bytes, settings.bytes),
        sessions: or(asked.max_sessions, settings.sessions),
        pin_min: or(asked.pin_min, settings.pin_min),
        pin_max: or(asked.pin_max, settings.pin_max),
        pin_classes: or(asked.pin_classes, settings.pin_classes),
        pin_tries: or(asked.pin_tries, settings.pin_tries),
        ..settings
    }
}

/// The mechanisms of these names, among those that the device has.
fn mechanisms(
    socket: &mut AdminSocket,
    names: &[String],
    before: &PartitionSettings,
) -> Result<Option<Vec<MechanismType>>, Fault> {
    match names {
        [] => return Ok(before.mechanisms.clone()),
        [all] if all == "all" => return Ok(None),
        _ => {}
    }
    let known = socket.call(None, &MechanismList {})?.mechanisms;
    let find = |name: &String| {
        let bare = name.strip_prefix("CKM_").unwrap_or(name);
        let found = known.iter().find(|m| m.kind.name() == Some(bare)).map(|m| m.kind);
        found.ok_or_else(|| Fault::Unknown(format!("mechanism \"{name}\"")))
    };
    names.iter().map(find).collect::<Result<_, _>>().map(Some)
}

pub fn suspend(socket: &mut AdminSocket, screen: &Screen, (partition, suspended): (&str, bool)) -> Result<(), Fault> {
    let token = find(socket, partition)?;
    socket.call(None, &PartitionSuspend { partition: token.partition, suspended })?;
    let sentence = if suspended {
        screen.text(
            "Suspended: every use is refused from now on; the keys are as they were. `coloa partition resume` ends it.",
            "Đã tạm dừng: từ nay mọi việc sử dụng bị từ chối; khóa vẫn nguyên vẹn. Kết thúc bằng `coloa partition resume`.",
        )
    } else {
        screen.text("It goes on.", "Đã cho hoạt động lại.")
    };
    screen.done(&json!({ "partition": token.partition.to_string(), "suspended": suspended }), sentence);
    Ok(())
}

pub fn usage(socket: &mut AdminSocket, screen: &Screen, partition: Option<&str>) -> Result<(), Fault> {
    let partition = partition.map(|wanted| find(socket, wanted)).transpose()?.map(|token| token.partition);
    let all = figures(socket, partition)?;
    let document: Vec<_> = all.iter().map(document).collect();
    let header = [
        screen.text("Label", "Nhãn"),
        screen.text("State", "Trạng thái"),
        screen.text("Objects", "Đối tượng"),
        screen.text("Bytes", "Byte"),
        screen.text("Sessions", "Phiên"),
        screen.text("Uses", "Lượt dùng"),
        screen.text("Last use", "Lần cuối"),
        screen.text("Mechanisms", "Cơ chế"),
        screen.text("PINs", "PIN"),
    ];
    screen.rows(&json!(document), &header, all.iter().map(|figures| row(screen, figures)).collect());
    Ok(())
}

fn figures(socket: &mut AdminSocket, partition: Option<PartitionId>) -> Result<Vec<PartitionFigures>, Fault> {
    Ok(socket.call(None, &PartitionUsage { partition })?.partitions)
}

fn document(figures: &PartitionFigures) -> Value {
    let settings = &figures.settings;
    let names = settings.mechanisms.as_ref().map(|all| all.iter().map(name).collect::<Vec<_>>());
    json!({
        "partition": figures.partition.to_string(), "label": figures.label,
        "suspended": figures.suspended.map(moment), "objects": figures.objects, "bytes": figures.bytes,
        "sessions": figures.sessions, "operations": figures.operations, "last_use": figures.last_use.map(moment),
        "max_objects": settings.objects, "max_bytes": settings.bytes, "max_sessions": settings.sessions,
        "mechanisms": names,
        "pin_min": settings.pin_min, "pin_max": settings.pin_max, "pin_classes": settings.pin_classes,
        "pin_tries": settings.pin_tries,
    })
}

fn name(mechanism: &MechanismType) -> String {
    mechanism.name().map_or_else(|| format!("{:#x}", mechanism.0), str::to_owned)
}

fn row(screen: &Screen, figures: &PartitionFigures) -> Vec<String> {
    let settings = &figures.settings;
    let of = |used: u64, most: Option<u64>| most.map_or_else(|| used.to_string(), |most| format!("{used} / {most}"));
    let state = match figures.suspended {
        Some(_) => screen.text("suspended", "tạm dừng"),
        None => screen.text("in use", "đang dùng"),
    };
    let names = |all: &Vec<MechanismType>| all.iter().map(name).collect::<Vec<_>>().join(", ");
    vec![
        figures.label.clone(),
        state.into(),
        of(figures.objects, settings.objects),
        of(figures.bytes, settings.bytes),
        of(figures.sessions.into(), settings.sessions.map(u64::from)),
        figures.operations.to_string(),
        figures.last_use.map(moment).unwrap_or_default(),
        settings.mechanisms.as_ref().map_or_else(|| screen.text("all", "tất cả").into(), names),
        pins(screen, settings),
    ]
}

/// What a new PIN must be, in a word.
fn pins(screen: &Screen, settings: &PartitionSettings) -> String {
    let bound = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let mut words = Vec::new();
    if settings.pin_min.or(settings.pin_max).is_some() {
        let unit = screen.text("bytes", "byte");
        words.push(format!("{}–{} {unit}", bound(settings.pin_min), bound(settings.pin_max)));
    }
    words.extend(settings.pin_classes.map(|n| format!("{n} {}", screen.text("kinds", "loại ký tự"))));
    words.extend(settings.pin_tries.map(|n| format!("{n} {}", screen.text("tries", "lần thử"))));
    words.join(", ")
}
