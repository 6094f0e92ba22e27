//! A token in this process: its directory.

use super::Report;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whether there is a token to look into.
pub(super) fn examine(report: &mut Report<'_>, directory: &Path) -> bool {
    report.warn(
        "body",
        (
            "DEVELOPMENT, NOT AN HSM: keys are as safe as this machine's files. Use an appliance in service.".into(),
            "ĐỂ PHÁT TRIỂN, KHÔNG PHẢI HSM: khóa chỉ an toàn như tệp trên máy này. Khi vận hành hãy dùng thiết bị."
                .into(),
        ),
    );
    let mode = match std::fs::metadata(directory) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return not_made(report, directory),
        Err(error) => return unreadable(report, directory, &error),
    };
    if mode & 0o077 != 0 {
        let name = directory.display();
        report.fail(
            "directory",
            (
                format!("has mode {mode:04o}: others may read its keys. `chmod 700 {name}`."),
                format!("có quyền {mode:04o}: người khác đọc được khóa. `chmod 700 {name}`."),
            ),
        );
        return false;
    }
    match std::fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return not_made(report, directory),
        Ok(false) => report.good("directory", ("is for its owner only.".into(), "chỉ chủ sở hữu vào được.".into())),
        Err(error) => return unreadable(report, directory, &error),
    }
    true
}

/// An absent or empty directory. To look further would make the token.
fn not_made(report: &mut Report<'_>, directory: &Path) -> bool {
    let name = directory.display();
    report.warn(
        "directory",
        (
            format!("{name} holds no token yet; the first use makes one."),
            format!("{name} chưa có token; sẽ được tạo khi dùng lần đầu."),
        ),
    );
    false
}

fn unreadable(report: &mut Report<'_>, directory: &Path, error: &std::io::Error) -> bool {
    let name = directory.display();
    report.fail(
        "directory",
        (
            format!("{name} cannot be read: {error}. Check the path and its rights."),
            format!("không đọc được {name}: {error}. Hãy kiểm tra đường dẫn và quyền."),
        ),
    );
    false
}
