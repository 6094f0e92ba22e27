//! Files on this machine: their rights, and the dates in certificates.

use super::Report;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that ends sooner is worth a warning.
const SOON: i64 = 30 * 86_400;
/// Rights of group and others.
const STRANGERS: u32 = 0o077;

/// A private key that only its owner may read.
pub(super) fn key(report: &mut Report<'_>, file: &Path) -> bool {
    let name = file.display();
    let mode = match std::fs::metadata(file) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(why) => {
            report.fail(
                "key file",
                (
                    format!("{name} cannot be read: {why}. Run this as the application's user; check `key`."),
                    format!("không đọc được {name}: {why}. Chạy bằng tài khoản của ứng dụng; kiểm tra `key`."),
                ),
            );
            return false;
        }
    };
    if mode & STRANGERS != 0 {
        report.fail(
            "key file",
            (
                format!("{name} has mode {mode:04o}: others may read the key. `chmod 600 {name}`."),
                format!("{name} có quyền {mode:04o}: người khác đọc được khóa. `chmod 600 {name}`."),
            ),
        );
        return false;
    }
    report.good("key file", (format!("{name} is for its owner only."), format!("{name} chỉ chủ sở hữu đọc được.")));
    true
}

/// The dates of every certificate in a PEM file.
pub(super) fn certificates(report: &mut Report<'_>, file: &Path) -> bool {
    let name = file.display().to_string();
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(list) if !list.is_empty() => list.iter().all(|certificate| dates(report, &name, certificate)),
        Ok(_) => not_usable(report, &name, "it holds no certificate"),
        Err(why) => not_usable(report, &name, &why.to_string()),
    }
}

fn not_usable(report: &mut Report<'_>, name: &str, why: &str) -> bool {
    report.fail(
        "certificate",
        (
            format!("{name} cannot be used: {why}. Enrol this machine again, or correct the path."),
            format!("không dùng được {name}: {why}. Ghi danh lại máy này hoặc sửa đường dẫn."),
        ),
    );
    false
}

/// Whether a certificate is valid now; warns when it ends soon.
pub(super) fn dates(report: &mut Report<'_>, name: &str, certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return not_usable(report, name, "it is not a certificate");
    };
    let (subject, validity) = (parsed.subject().to_string(), parsed.validity());
    let (begins, ends, now) = (validity.not_before.timestamp(), validity.not_after.timestamp(), super::now());
    let until = day(validity.not_after);
    if now < begins {
        let from = day(validity.not_before);
        report.fail(
            "certificate",
            (
                format!("{name} ({subject}) is valid only from {from}. Set this machine's clock (`timedatectl`)."),
                format!("{name} ({subject}) chỉ có hiệu lực từ {from}. Chỉnh đồng hồ máy này (`timedatectl`)."),
            ),
        );
        return false;
    }
    if now > ends {
        report.fail(
            "certificate",
            (
                format!(
                    "{name} ({subject}) expired on {until}. Ask the operator for a new one (`coloa client enrol`)."
                ),
                format!(
                    "{name} ({subject}) hết hạn ngày {until}. Đề nghị người vận hành cấp lại (`coloa client enrol`)."
                ),
            ),
        );
        return false;
    }
    if ends.saturating_sub(now) < SOON {
        report.warn(
            "certificate",
            (
                format!("{name} ({subject}) expires on {until}. Ask the operator for a new one now."),
                format!("{name} ({subject}) sẽ hết hạn ngày {until}. Đề nghị cấp lại ngay."),
            ),
        );
    } else {
        report.good(
            "certificate",
            (
                format!("{name} ({subject}) is valid until {until}."),
                format!("{name} ({subject}) có hiệu lực đến {until}."),
            ),
        );
    }
    true
}

fn day(time: x509_parser::time::ASN1Time) -> String {
    time.to_datetime().date().to_string()
}
