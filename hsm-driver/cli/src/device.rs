//! `coloa init`, and what is told of a device.

use crate::arguments::CustodianSet;
use crate::custodian::named;
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use crate::status;
use coloa_wire::admin::ServiceInfoReply;
use coloa_wire::command::{CustodiansReadReply, DeviceInfoReply, DeviceInitialize, Lifecycle};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// What every version of the appliance tells.
pub struct Seen {
    pub device: DeviceInfoReply,
    pub service: ServiceInfoReply,
    /// Absent before initialisation.
    pub quorum: Option<CustodiansReadReply>,
}

/// Files that cannot be read are noticed before anything is done.
pub fn init(
    socket: &mut AdminSocket,
    screen: &Screen,
    label: &str,
    custodians: Option<&CustodianSet>,
) -> Result<(), Fault> {
    let custodians = custodians.map(named).transpose()?;
    socket.call(None, &DeviceInitialize { label: label.into() })?;
    if let Some(fault) = custodians.and_then(|set| socket.call(None, &set).err()) {
        screen.note(screen.text(
            "The device is initialised, but it has no custodians: `coloa custodian set` names them.",
            "Thiết bị đã khởi tạo nhưng chưa có người giữ khóa: đặt bằng `coloa custodian set`.",
        ));
        return Err(fault);
    }
    status::show(socket, screen)
}

/// The document of it.
pub fn document(Seen { device, service, quorum }: &Seen) -> Value {
    let lifecycle = match device.lifecycle {
        Lifecycle::Manufactured => "manufactured",
        Lifecycle::Operational => "operational",
        Lifecycle::Error => "error",
        Lifecycle::Tampered => "tampered",
    };
    json!({
        "label": device.label, "serial": device.serial, "lifecycle": lifecycle, "version": service.version,
        "listening": service.listening, "trouble": service.trouble, "server_names": service.server_names,
        "certificate_ends": service.certificate_ends, "channels": service.channels, "partitions": device.partitions,
        "audit_records": device.audit_records, "audit_head": hex(&device.audit_head),
        "rollback_detected": device.rollback_detected, "quorum": quorum.as_ref().map(|q| q.threshold),
        "custodians": quorum.as_ref().map(|q| q.custodians.iter().map(|c| c.name.clone()).collect::<Vec<_>>()),
    })
}

/// The lines of it.
pub fn facts<'a>(screen: &'a Screen, Seen { device, service, quorum }: &Seen) -> Vec<(&'a str, String)> {
    let closed = || screen.text("closed", "đang đóng").to_owned();
    let lifecycle = match device.lifecycle {
        Lifecycle::Manufactured => screen.text("not initialised", "chưa khởi tạo"),
        Lifecycle::Operational => screen.text("operational, self-tests passed", "đang hoạt động, tự kiểm tra đạt"),
        Lifecycle::Tampered => {
            screen.text("TAMPERED: keys destroyed, refuses everything", "BỊ XÂM PHẠM: khóa đã hủy, từ chối mọi việc")
        }
        Lifecycle::Error => screen.text("error state: refuses cryptography", "trạng thái lỗi: từ chối mật mã"),
    };
    let rollback = match device.rollback_detected {
        true => screen.text("noticed", "phát hiện được"),
        false => screen.text("of the whole store is not noticed (no board)", "toàn bộ kho: không phát hiện được"),
    };
    vec![
        (screen.text("Device", "Thiết bị"), device.label.clone()),
        (screen.text("Serial", "Số hiệu"), device.serial.clone()),
        (screen.text("Lifecycle", "Trạng thái"), lifecycle.to_owned()),
        (screen.text("Version", "Phiên bản"), service.version.clone()),
        (screen.text("TLS port", "Cổng TLS"), service.listening.clone().unwrap_or_else(closed)),
        (screen.text("Trouble", "Sự cố"), service.trouble.clone().unwrap_or_default()),
        (screen.text("Names", "Tên"), service.server_names.join(", ")),
        (
            screen.text("Certificate ends", "Chứng thư hết hạn"),
            service.certificate_ends.map_or_else(String::new, |ends| certificate(screen, ends)),
        ),
        (screen.text("Rollback", "Quay lui"), rollback.to_owned()),
        (screen.text("Quorum", "Số phiếu cần"), quorum.as_ref().map_or_else(String::new, |q| governed(screen, q))),
    ]
}

fn governed(screen: &Screen, quorum: &CustodiansReadReply) -> String {
    if quorum.threshold == 0 {
        return screen.text("none", "không có").to_owned();
    }
    let names: Vec<_> = quorum.custodians.iter().map(|c| c.name.as_str()).collect();
    format!("{} / {} ({})", quorum.threshold, names.len(), names.join(", "))
}

fn certificate(screen: &Screen, ends: u64) -> String {
    let left = status::days_left(ends).unwrap_or_default();
    format!("{} ({left} {})", day(ends), screen.text("days left", "ngày còn lại"))
}

fn day(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(String::new, |t| t.date().to_string())
}
