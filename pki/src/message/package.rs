//! Both languages, for errors about packages.

use super::Language;
use crate::Error;

pub(super) fn of(error: &Error, language: Language) -> (String, &'static str) {
    match language {
        Language::English => english(error),
        Language::Vietnamese => vietnamese(error),
    }
}

fn english(error: &Error) -> (String, &'static str) {
    match error {
        Error::PackageTable { line, column, why } => (
            format!("Line {line} of the table, column {column}: {why}."),
            "Correct it; nothing was issued. `coloa-pki package create --help` describes the columns.",
        ),
        Error::PackageUnknown { serial } => {
            (format!("This authority made no package {serial}."), "`coloa-pki package list` shows serials.")
        }
        Error::PackageDone { serial, state } => {
            (format!("Package {serial} is already {state}."), "Look at it with `coloa-pki package list`.")
        }
        Error::PackageReceipt { why } => (
            format!("The receipt is not believed: {why}."),
            "Nothing was recorded. Ask the site for the file `receipt` as the box wrote it.",
        ),
        Error::PackageAlarm { serial, why } => (
            format!("ALARM: the receipt for package {serial} was recorded, but {why}."),
            "Take the site's key for compromised until it is explained: `coloa-pki package void`, then `coloa-pki crl`.",
        ),
        Error::PackageSigner { why } => (
            format!("The certificate that is to sign packages does not serve: {why}."),
            "Issue one under the profile package-signer for the key with this label.",
        ),
        _ => ("A package could not be made.".into(), "Report this as a defect."),
    }
}

fn vietnamese(error: &Error) -> (String, &'static str) {
    match error {
        Error::PackageTable { line, column, why } => (
            format!("Bảng kê, dòng {line}, cột {column}: không hợp lệ ({why})."),
            "Sửa dòng đó; chưa cấp gì cả. `coloa-pki package create --help` mô tả các cột.",
        ),
        Error::PackageUnknown { serial } => {
            (format!("Cơ quan này không lập gói khóa {serial}."), "`coloa-pki package list` liệt kê số hiệu.")
        }
        Error::PackageDone { serial, state } => {
            (format!("Gói khóa {serial} đã ở trạng thái {state}."), "Xem bằng `coloa-pki package list`.")
        }
        Error::PackageReceipt { why } => (
            format!("Không tin được biên nhận: {why}."),
            "Chưa ghi gì. Yêu cầu đơn vị gửi lại tệp `receipt` đúng như thiết bị đã ghi.",
        ),
        Error::PackageAlarm { serial, why } => (
            format!("BÁO ĐỘNG: đã ghi biên nhận của gói khóa {serial}, nhưng {why}."),
            "Coi khóa của đơn vị là đã lộ cho đến khi làm rõ: `coloa-pki package void`, rồi `coloa-pki crl`.",
        ),
        Error::PackageSigner { why } => (
            format!("Chứng thư ký gói khóa không dùng được: {why}."),
            "Cấp chứng thư theo mẫu package-signer cho khóa có nhãn này.",
        ),
        _ => ("Không lập được gói khóa.".into(), "Báo cho nhà phát triển."),
    }
}
