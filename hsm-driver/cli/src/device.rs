//! `coloa init`, `coloa status`.

use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::admin::{ServiceInfo, ServiceInfoReply};
use coloa_wire::command::{
    CustodiansRead, CustodiansReadReply, DeviceInfo, DeviceInfoReply, DeviceInitialize, DeviceZeroize, Lifecycle,
};
use serde_json::json;
use time::OffsetDateTime;

pub fn init(socket: &mut AdminSocket, screen: &Screen, label: &str) -> Result<(), Fault> {
    socket.call(None, &DeviceInitialize { label: label.into() })?;
    show(socket, screen)
}

pub fn status(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    show(socket, screen)
}

/// R14. The serial number is typed, so that nobody destroys the device beside the one he means.
pub fn zeroize(socket: &mut AdminSocket, screen: &Screen, confirm: Option<&str>) -> Result<(), Fault> {
    let device = socket.call(None, &DeviceInfo {})?;
    let serial = match confirm {
        Some(typed) => typed.to_owned(),
        None => screen.typed(&format!(
            "{} \"{}\" ({}): {}",
            screen.text(
                "Every key, PIN and record will be gone for good, the audit log too, on",
                "Mọi khóa, mã PIN và bản ghi, kể cả nhật ký kiểm toán, sẽ mất vĩnh viễn trên"
            ),
            device.label,
            device.serial,
            screen.text("type its serial number to go on.", "gõ lại số hiệu để tiếp tục.")
        ))?,
    };
    if serial != device.serial {
        return Err(Fault::NotConfirmed);
    }
    let last = socket.call(None, &DeviceZeroize { serial })?;
    let sentence = format!(
        "{} {} {}\n{}",
        screen.text("Zeroized. The audit log ended with record", "Đã xóa sạch. Nhật ký kiểm toán kết thúc ở bản ghi"),
        last.audit_records,
        hex(&last.audit_head),
        screen.text(
            "coload starts anew as it left the factory; `coloa init` comes next.",
            "coload khởi động lại như lúc xuất xưởng; tiếp theo là `coloa init`."
        )
    );
    let document = json!({
        "zeroized": device.serial, "audit_records": last.audit_records, "audit_head": hex(&last.audit_head),
    });
    screen.done(&document, &sentence);
    Ok(())
}

fn show(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let device = socket.call(None, &DeviceInfo {})?;
    let service = socket.ask(&ServiceInfo {})?;
    let quorum = match device.lifecycle {
        Lifecycle::Manufactured => None,
        Lifecycle::Operational | Lifecycle::Error => socket.call(None, &CustodiansRead {}).ok(),
    };
    let lifecycle = match device.lifecycle {
        Lifecycle::Manufactured => ("manufactured", screen.text("not initialised", "chưa khởi tạo")),
        Lifecycle::Operational => ("operational", screen.text("operational", "đang hoạt động")),
        Lifecycle::Error => {
            ("error", screen.text("error state: refuses cryptography", "trạng thái lỗi: từ chối mật mã"))
        }
    };
    let document = json!({
        "label": device.label, "serial": device.serial, "lifecycle": lifecycle.0, "version": service.version,
        "listening": service.listening, "trouble": service.trouble, "server_names": service.server_names,
        "certificate_ends": service.certificate_ends, "channels": service.channels, "partitions": device.partitions,
        "audit_records": device.audit_records, "audit_head": hex(&device.audit_head),
        "rollback_detected": device.rollback_detected, "quorum": quorum.as_ref().map(|q| q.threshold),
        "custodians": quorum.as_ref().map(|q| q.custodians.iter().map(|c| c.name.clone()).collect::<Vec<_>>()),
    });
    let mut facts = facts(screen, &device, &service, lifecycle.1);
    facts.extend(quorum.map(|quorum| (screen.text("Quorum", "Số phiếu cần"), governed(screen, &quorum))));
    screen.facts(&document, facts);
    Ok(())
}

/// R2: loud where one person is enough.
fn governed(screen: &Screen, quorum: &CustodiansReadReply) -> String {
    if quorum.threshold == 0 {
        let none = "NONE: one administrator may destroy everything. Name custodians: coloa custodian set";
        let vietnamese = "KHÔNG: một quản trị viên có thể hủy mọi thứ. Đặt người giữ khóa: coloa custodian set";
        return screen.text(none, vietnamese).to_owned();
    }
    let names: Vec<_> = quorum.custodians.iter().map(|c| c.name.as_str()).collect();
    format!("{} / {} ({})", quorum.threshold, names.len(), names.join(", "))
}

fn facts<'a>(
    screen: &Screen,
    device: &DeviceInfoReply,
    service: &ServiceInfoReply,
    lifecycle: &str,
) -> Vec<(&'a str, String)> {
    let closed = || screen.text("closed", "đang đóng").to_owned();
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
        (screen.text("Certificate ends", "Chứng thư hết hạn"), service.certificate_ends.map_or_else(String::new, day)),
        (screen.text("Channels", "Kênh"), service.channels.to_string()),
        (screen.text("Partitions", "Phân vùng"), device.partitions.to_string()),
        (screen.text("Audit records", "Bản ghi kiểm toán"), device.audit_records.to_string()),
        (screen.text("Audit head", "Băm cuối"), hex(&device.audit_head)),
        (screen.text("Rollback", "Quay lui"), rollback.to_owned()),
    ]
}

fn day(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(String::new, |t| t.date().to_string())
}
