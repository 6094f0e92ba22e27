//! A token in this process: its directory.

use super::Report;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn examine(report: &mut Report<'_>, directory: &Path) -> bool {
    report.warn(
        "body",
        (
            "DEVELOPMENT, NOT AN HSM: keys are as safe as this machine's files. Use an appliance in service.".into(),
            "ĐỂ PHÁT TRIỂN, KHÔNG PHẢI HSM: khóa chỉ an toàn như tệp trên máy này. Khi vận hành hãy dùng thiết bị."
                .into(),
        ),
    );
    let name = directory.display();
    let metadata = match std::fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // To look further would make it.
            report.warn(
                "directory",
                (
                    format!("{name} is not there yet; the first use of the token makes it."),
                    format!("{name} chưa có; sẽ được tạo khi token được dùng lần đầu."),
                ),
            );
            return false;
        }
        Err(error) => {
            report.fail(
                "directory",
                (
                    format!("{name} cannot be read: {error}. Check the path and its rights."),
                    format!("không đọc được {name}: {error}. Hãy kiểm tra đường dẫn và quyền."),
                ),
            );
            return false;
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        report.good("directory", ("is for its owner only.".into(), "chỉ chủ sở hữu vào được.".into()));
        return true;
    }
    report.fail(
        "directory",
        (
            format!("has mode {mode:04o}: others may read its keys. `chmod 700 {name}`."),
            format!("có quyền {mode:04o}: người khác đọc được khóa. `chmod 700 {name}`."),
        ),
    );
    false
}
