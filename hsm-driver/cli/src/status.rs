//! `coloa status`: everything that an operator looks at in the morning, on one screen, and what to do about what is wrong.

use crate::device::{self, Seen};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::admin::{ServiceStatus, ServiceStatusReply};
use coloa_wire::command::{CustodiansRead, DeviceInfo, Lifecycle};
use coloa_wire::{ErrorCode, admin::ServiceInfo};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The appliance renews its certificate 60 days before the end.
const CERTIFICATE_DAYS: i64 = 30;
/// Less room than this is a warning.
const LEAST_FREE: u64 = 512 << 20;

pub fn show(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let (device, service) = (socket.call(None, &DeviceInfo {})?, socket.ask(&ServiceInfo {})?);
    let quorum = match device.lifecycle {
        Lifecycle::Manufactured | Lifecycle::Error => None,
        Lifecycle::Operational | Lifecycle::Tampered => socket.call(None, &CustodiansRead {}).ok(),
    };
    let seen = Seen { device, service, quorum };
    let figures = match socket.ask(&ServiceStatus {}) {
        Ok(figures) => Some(figures),
        // An older appliance.
        Err(fault) if fault.number() == Some(ErrorCode::CommandUnknown.number()) => None,
        Err(fault) => return Err(fault),
    };
    let warnings = warnings(screen, &seen, figures.as_ref());
    let mut document = device::document(&seen);
    if let Value::Object(all) = &mut document {
        all.insert("figures".into(), figures.as_ref().map_or(Value::Null, figures_document));
        all.insert("warnings".into(), warnings.iter().map(|w| json!({ "what": w.what, "next": w.next })).collect());
    }
    let mut rows = device::facts(screen, &seen);
    if let Some(figures) = &figures {
        rows.extend(figure_rows(screen, figures, seen.service.channels));
    }
    rows.extend(audit_rows(screen, &seen));
    let told = warnings.iter().map(|w| format!("{} {}", w.what, w.next)).collect::<Vec<_>>().join("\n");
    let none = screen.text("none", "không có").to_owned();
    rows.push((screen.text("Warnings", "Cảnh báo"), if warnings.is_empty() { none } else { told }));
    screen.facts(&document, rows);
    Ok(())
}

fn figures_document(f: &ServiceStatusReply) -> Value {
    let partitions = f.partitions.iter();
    let partitions = partitions
        .map(|p| json!({ "partition": p.partition.to_string(), "label": p.label, "objects": p.objects }))
        .collect::<Vec<_>>();
    json!({
        "uptime_s": f.uptime, "clock_ms": f.clock, "store_bytes": f.store_bytes, "free_bytes": f.free_bytes,
        "sandbox": f.sandbox, "memory_locked": f.memory_locked, "calls": f.calls, "errors": f.errors,
        "calls_per_second": f.calls_per_second, "errors_per_second": f.errors_per_second, "sessions": f.sessions,
        "channel_limit": f.channel_limit, "partitions": partitions,
    })
}

fn figure_rows<'a>(screen: &'a Screen, f: &ServiceStatusReply, channels: u32) -> Vec<(&'a str, String)> {
    let t = |english, vietnamese| screen.text(english, vietnamese);
    let sandbox = match f.sandbox.as_str() {
        "whole" => t("whole", "đầy đủ"),
        "partial" => t("holds (older kernel)", "có hiệu lực (nhân hệ điều hành cũ)"),
        _ => t("ABSENT", "KHÔNG CÓ"),
    };
    let memory = if f.memory_locked { t("locked", "đã khóa") } else { t("NOT LOCKED", "CHƯA KHÓA") };
    let partitions = f.partitions.iter().map(|p| format!("{}: {} {}", p.label, p.objects, t("objects", "đối tượng")));
    vec![
        (t("Running for", "Đã chạy"), span(screen, f.uptime)),
        (t("Clock", "Đồng hồ"), moment(f.clock)),
        (t("Sandbox", "Hộp cát"), sandbox.to_owned()),
        (t("Memory", "Bộ nhớ"), memory.to_owned()),
        (t("Store", "Kho lưu"), format!("{}; {} {}", size(f.store_bytes), size(f.free_bytes), t("free", "còn trống"))),
        (
            t("In use", "Đang dùng"),
            format!(
                "{channels}/{} {}, {} {}",
                f.channel_limit,
                t("channels", "kênh"),
                f.sessions,
                t("sessions", "phiên")
            ),
        ),
        (
            t("Calls", "Lệnh gọi"),
            format!(
                "{}/s, {}/s {}; {} {}, {} {}",
                f.calls_per_second,
                f.errors_per_second,
                t("refused", "bị từ chối"),
                f.calls,
                t("since the start", "từ khi chạy"),
                f.errors,
                t("refused", "bị từ chối")
            ),
        ),
        (t("Keys and objects", "Khóa và đối tượng"), partitions.collect::<Vec<_>>().join("\n")),
    ]
}

fn audit_rows<'a>(screen: &'a Screen, seen: &Seen) -> Vec<(&'a str, String)> {
    vec![
        (screen.text("Audit records", "Bản ghi kiểm toán"), seen.device.audit_records.to_string()),
        (screen.text("Audit head", "Băm cuối"), hex(&seen.device.audit_head)),
    ]
}

/// What is wrong, and the next step.
struct Warning {
    what: String,
    next: &'static str,
}

fn warnings(screen: &Screen, seen: &Seen, figures: Option<&ServiceStatusReply>) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |holds: bool, what: (&str, &str), next: (&'static str, &'static str)| {
        if holds {
            found.push(Warning { what: screen.text(what.0, what.1).to_owned(), next: of(screen, next) });
        }
    };
    // R2.
    warn(
        seen.quorum.as_ref().is_some_and(|quorum| quorum.threshold == 0),
        ("One administrator may destroy everything.", "Một quản trị viên có thể hủy mọi thứ."),
        ("Name custodians with `coloa custodian set`.", "Đặt người giữ khóa bằng `coloa custodian set`."),
    );
    // R15.
    warn(
        seen.device.lifecycle == Lifecycle::Tampered,
        ("The device was tampered with: every key is destroyed.", "Thiết bị đã bị xâm phạm: mọi khóa đã bị hủy."),
        (
            "Find out what happened; then `coloa quorum propose tamper-return`.",
            "Tìm hiểu sự việc, rồi dùng `coloa quorum propose tamper-return`.",
        ),
    );
    warn(
        seen.device.lifecycle == Lifecycle::Error,
        ("A self-test failed: all cryptography is refused.", "Tự kiểm tra thất bại: mọi phép mật mã bị từ chối."),
        (
            "Restart coload; if it fails again, take the unit out of service.",
            "Khởi động lại coload; nếu vẫn lỗi thì dừng thiết bị.",
        ),
    );
    warn(
        seen.service.trouble.is_some(),
        ("The TLS port is closed.", "Cổng TLS đang đóng."),
        ("The line “Trouble” says why; then restart coload.", "Xem dòng “Sự cố”, rồi khởi động lại coload."),
    );
    let days = seen.service.certificate_ends.and_then(days_left);
    warn(
        days.is_some_and(|days| days < CERTIFICATE_DAYS),
        (
            "The appliance's certificate ends soon and was not renewed.",
            "Chứng thư thiết bị sắp hết hạn mà chưa được gia hạn.",
        ),
        ("Look at coload's log for the reason.", "Xem nhật ký coload để biết lý do."),
    );
    if let Some(figures) = figures {
        figure_warnings(figures, seen.service.channels, &mut warn);
    }
    found
}

type Warn<'a> = dyn FnMut(bool, (&str, &str), (&'static str, &'static str)) + 'a;

fn figure_warnings(f: &ServiceStatusReply, channels: u32, warn: &mut Warn<'_>) {
    warn(
        f.sandbox == "absent",
        (
            "The sandbox is not in force: a hijacked thread is not held.",
            "Hộp cát không có hiệu lực: luồng bị chiếm không bị giữ lại.",
        ),
        (
            "Use a kernel with landlock and seccomp; coload's log says which is missing.",
            "Dùng nhân hệ điều hành có landlock và seccomp; xem nhật ký coload.",
        ),
    );
    warn(
        !f.memory_locked,
        (
            "Memory is not locked: secrets may reach the swap.",
            "Bộ nhớ chưa khóa: bí mật có thể bị ghi ra vùng tráo đổi.",
        ),
        ("Raise LimitMEMLOCK of the service.", "Tăng LimitMEMLOCK của dịch vụ."),
    );
    warn(
        f.free_bytes < LEAST_FREE.max(f.store_bytes),
        (
            "The store's medium is nearly full: keys still sign, new ones will be refused.",
            "Ổ lưu sắp đầy: khóa vẫn ký được, khóa mới sẽ bị từ chối.",
        ),
        ("Free space on the volume.", "Giải phóng dung lượng."),
    );
    warn(
        u64::from(channels) * 10 >= u64::from(f.channel_limit) * 9,
        ("Nine of ten channels are taken.", "Đã dùng chín phần mười số kênh."),
        (
            "Raise `connections` in [limits] and reload, or find out who opens so many (`coloa client list`).",
            "Tăng `connections` trong [limits] rồi nạp lại, hoặc tìm máy mở nhiều kênh (`coloa client list`).",
        ),
    );
    warn(
        f.calls_per_second >= 10 && f.errors_per_second * 2 > f.calls_per_second,
        ("More than half of the calls are refused.", "Hơn nửa số lệnh gọi bị từ chối."),
        (
            "The metrics tell which command and why; `log.level = \"debug\"` tells who.",
            "Chỉ số cho biết lệnh nào và vì sao; `log.level = \"debug\"` cho biết máy nào.",
        ),
    );
}

fn of(screen: &Screen, (english, vietnamese): (&'static str, &'static str)) -> &'static str {
    if screen.text("en", "vi") == "en" { english } else { vietnamese }
}

/// Days from now on; `None` for a time that no calendar has.
pub fn days_left(seconds: u64) -> Option<i64> {
    let end = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    Some((end - OffsetDateTime::now_utc()).whole_days())
}

fn moment(milliseconds: u64) -> String {
    let seconds = i64::try_from(milliseconds / 1000).ok();
    let at = seconds.and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(String::new, |t| format!("{} {:02}:{:02}:{:02} UTC", t.date(), t.hour(), t.minute(), t.second()))
}

fn span(screen: &Screen, seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} {} {hours} h", screen.text("days", "ngày")),
    }
}

fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units.get(unit).unwrap_or(&"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_wire::admin::PartitionFigures;

    fn figures() -> ServiceStatusReply {
        ServiceStatusReply {
            uptime: 90_061,
            clock: 1_700_000_000_000,
            store_bytes: 3 << 20,
            free_bytes: 8 << 30,
            sandbox: "whole".into(),
            memory_locked: true,
            calls: 10,
            errors: 1,
            calls_per_second: 2,
            errors_per_second: 0,
            sessions: 3,
            channel_limit: 100,
            partitions: vec![PartitionFigures {
                partition: coloa_wire::PartitionId([1; 16]),
                label: "court".into(),
                objects: 6,
            }],
        }
    }

    fn found(f: &ServiceStatusReply, channels: u32) -> usize {
        let mut found = 0;
        figure_warnings(f, channels, &mut |holds, what, next| {
            assert_ne!((what.0, next.0), (what.1, next.1), "both languages");
            found += usize::from(holds);
        });
        found
    }

    #[test]
    fn what_is_well_is_no_warning_and_each_trouble_is_one() {
        assert_eq!(found(&figures(), 10), 0);
        assert_eq!(found(&figures(), 90), 1);
        let absent = ServiceStatusReply { sandbox: "absent".into(), ..figures() };
        let swapped = ServiceStatusReply { memory_locked: false, ..figures() };
        let full = ServiceStatusReply { free_bytes: 1 << 20, ..figures() };
        let refused = ServiceStatusReply { calls_per_second: 100, errors_per_second: 51, ..figures() };
        assert!([absent, swapped, full, refused].iter().all(|f| found(f, 10) == 1));
    }

    #[test]
    fn figures_are_for_eyes() {
        assert_eq!((size(512), size(1536), size(8 << 30)), ("512 B".into(), "1.5 KiB".into(), "8.0 GiB".into()));
        assert_eq!(moment(1_700_000_000_000), "2023-11-14 22:13:20 UTC");
        let screen = Screen::new(Some(crate::arguments::Lang::Vi), false);
        assert_eq!(
            (span(&screen, 59), span(&screen, 3_661), span(&screen, 90_061)),
            ("59 s".into(), "1 h 1 min".into(), "1 ngày 1 h".into())
        );
    }
}
