//! The journal's words for people, in either language.

use super::journal::{Record, What};
use crate::screen::Screen;
use serde_json::Value;

/// What a step of the plan does.
pub fn act<'a>(screen: &'a Screen, act: &'a str) -> &'a str {
    match act {
        "initialise" => screen.text("initialise the device", "khởi tạo thiết bị"),
        "custodians" => screen.text("name the custodians", "chỉ định người giữ khóa"),
        "backup-key" => {
            screen.text("draw the master backup key, hand out its shares", "tạo khóa sao lưu chủ, giao các mảnh")
        }
        "partition" => screen.text("make a partition", "tạo phân vùng"),
        "destroy-partition" => screen.text("destroy a partition", "tiêu hủy phân vùng"),
        "backup" => screen.text("back up", "sao lưu"),
        "restore" => screen.text("restore into a new device", "phục hồi vào thiết bị mới"),
        "check-shares" => screen.text("check the shares", "kiểm tra các mảnh"),
        "certificates" => screen.text("compare the device's certificate", "so chứng thư thiết bị"),
        "checkpoint" => screen.text("have the audit log signed", "ký nhật ký kiểm toán"),
        "observe" => screen.text("observe", "quan sát"),
        other => other,
    }
}

/// What a record says happened.
pub fn happened<'a>(screen: &'a Screen, record: &'a Record) -> &'a str {
    match record.what {
        What::Opened => screen.text("opened", "mở"),
        What::Confirmed => screen.text("confirms the plan", "xác nhận kế hoạch"),
        What::Resumed => screen.text("goes on after an interruption", "tiếp tục sau gián đoạn"),
        What::Begins => screen.text("begins", "bắt đầu"),
        What::Done => screen.text("done", "xong"),
        What::Concluded => screen.text("every step is done", "xong mọi bước"),
        What::Signed => screen.text("signs the statement", "ký bản tuyên bố"),
        What::Closed => screen.text("the device signs its log", "thiết bị ký nhật ký"),
        What::Noted => noted(screen, record.text("kind")),
    }
}

fn noted<'a>(screen: &'a Screen, kind: &'a str) -> &'a str {
    match kind {
        "differs" => screen.text("a check value differs", "giá trị kiểm tra không trùng"),
        "compared" => screen.text("compares a check value", "so giá trị kiểm tra"),
        "observed" => screen.text("observes", "quan sát"),
        "failed" => screen.text("failed", "không thành"),
        "proposed" => screen.text("proposes to the quorum", "đề xuất lấy phiếu"),
        "approved" => screen.text("approves", "chấp thuận"),
        "rejected" => screen.text("rejects", "bác"),
        "absent" => screen.text("is absent", "vắng"),
        "key" => screen.text("the backup key is drawn", "khóa sao lưu được tạo"),
        "share" => screen.text("gets a share", "nhận mảnh khóa"),
        "lost" => screen.text("a share is lost: the key is void", "mất một mảnh: khóa bị bỏ"),
        "share-right" => screen.text("shows the right share", "đưa đúng mảnh"),
        "share-wrong" => screen.text("shows a wrong share", "đưa sai mảnh"),
        "device" => screen.text("the device", "thiết bị"),
        other => other,
    }
}

/// What is not for people: it is told by other columns, or only a program reads it.
const UNTOLD: &[&str] = &["kind", "act", "keys", "signature", "there", "audit_from", "software", "by"];

/// What a record holds, in a line.
pub fn values(screen: &Screen, record: &Record) -> String {
    let told = record.data.iter().filter(|(name, value)| !UNTOLD.contains(&name.as_str()) && !value.is_null());
    told.map(|(name, value)| format!("{}: {}", field(screen, name), plain(value))).collect::<Vec<_>>().join("; ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) => map.iter().map(|(name, v)| format!("{name} {}", plain(v))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn field<'a>(screen: &'a Screen, name: &'a str) -> &'a str {
    match name {
        "answer" => screen.text("seen", "đã thấy"),
        "approvals" => screen.text("approvals", "số chấp thuận"),
        "audit" => screen.text("SHA-256 of the log", "SHA-256 của nhật ký thiết bị"),
        "audit_certificate" => screen.text("audit certificate", "chứng thư kiểm toán"),
        "certificate" => screen.text("device certificate", "chứng thư thiết bị"),
        "certificate_sha256" => screen.text("SHA-256 of the device certificate", "SHA-256 chứng thư thiết bị"),
        "check" => screen.text("check value", "giá trị kiểm tra"),
        "custodians" => screen.text("custodians", "người giữ khóa"),
        "device" => screen.text("device", "thiết bị"),
        "digest" => screen.text("digest", "băm"),
        "file" => screen.text("file", "tệp"),
        "head" => screen.text("last record", "băm cuối"),
        "here" => screen.text("here", "bên này"),
        "holders" => screen.text("holders", "người giữ mảnh"),
        "id" => screen.text("proposal", "đề xuất"),
        "key" => screen.text("key", "khóa"),
        "label" => screen.text("label", "nhãn"),
        "mode" => screen.text("mode", "chế độ"),
        "objects" => screen.text("objects", "số đối tượng"),
        "partitions" => screen.text("partitions", "phân vùng"),
        "number" => screen.text("record", "bản ghi"),
        "partition" => screen.text("partition", "phân vùng"),
        "plan" => screen.text("SHA-256 of the plan", "SHA-256 của kế hoạch"),
        "records" => screen.text("records", "số bản ghi"),
        "right" => screen.text("right shares", "số mảnh đúng"),
        "says" => screen.text("asked", "câu hỏi"),
        "serial" => screen.text("serial number", "số hiệu"),
        "share" => screen.text("share", "mảnh"),
        "subject" => screen.text("about", "về"),
        "threshold" => screen.text("quorum", "số phiếu cần"),
        "title" => screen.text("title", "tên"),
        "torn" => screen.text("bytes of a torn line", "số byte của dòng bị cắt"),
        "typed" => screen.text("typed", "đã gõ"),
        "version" => screen.text("version", "phiên bản"),
        "way" => screen.text("by", "bằng"),
        "why" => screen.text("why", "lý do"),
        other => other,
    }
}
