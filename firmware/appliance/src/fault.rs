//! Why the appliance does not start or cannot go on: what happened, why, and what to do next.

use crate::sandbox::Walls;
use coloa_host::OpenError;
use coloa_image::Refusal;
use coloa_wire::ErrorCode;
use coloa_wire::error::Language;
use std::path::PathBuf;

/// Why the appliance does not start.
#[derive(Debug)]
pub enum Fault {
    /// The configuration cannot be read.
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The configuration is wrong.
    Config {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// The engine does not open.
    Engine(OpenError),
    /// Another program has the address.
    PortInUse {
        /// The address.
        address: String,
        /// The key it has in the configuration.
        key: &'static str,
    },
    /// A socket cannot be opened.
    Socket {
        /// Address or path.
        address: String,
        /// The key it has in the configuration.
        key: &'static str,
        /// What the system said.
        why: String,
    },
    /// The channel's certificates cannot be made or kept.
    Certificates(String),
    /// They cannot be read or stored.
    Store(ErrorCode),
    /// The system refuses something that is always there.
    System(String),
    /// The sandbox is required, and cannot be closed.
    Sandbox(Walls),
    /// This program must not run, or not with this store (R23).
    Image(Refusal),
    /// A line that tells of tampering cannot be read.
    TamperLine {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A file that the check of this program needs.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl Fault {
    /// For a person.
    pub fn words(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Vietnamese => self.vietnamese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Fault::ConfigUnreadable { path, why } => {
                format!("cannot read the configuration {}: {why}. Name the right file with --config.", path.display())
            }
            Fault::Config { path, line, why } => {
                format!("the configuration is wrong at {}, line {line}: {why}. Correct that line.", path.display())
            }
            Fault::Engine(error) => error.to_string(),
            Fault::PortInUse { address, key } => format!(
                "{address} is in use by another program. End that one (`ss -ltnp` names it), or change `{key}` in the configuration."
            ),
            Fault::Socket { address, key, why } => {
                format!("cannot open {address}: {why}. Check `{key}` in the configuration, and the rights to it.")
            }
            Fault::Certificates(why) => {
                format!("the channel's certificates cannot be made: {why}. Check `server_names` in the configuration.")
            }
            Fault::Store(code) => format!("the channel's certificates cannot be read or stored: {code}"),
            Fault::System(why) => format!("the system refused: {why}. Look at the limits of this service."),
            Fault::Image(refusal) => format!("{refusal}."),
            Fault::TamperLine { path, why } => format!(
                "cannot read the tamper line {}: {why}. Check `file` under [[tamper]] in the configuration, and the rights to it.",
                path.display()
            ),
            Fault::Unreadable { path, why } => format!(
                "cannot read {}: {why}. Check `image_manifest` and `firmware_trust` in the configuration.",
                path.display()
            ),
            Fault::Sandbox(walls) => format!(
                "the sandbox is required and this kernel does not give it (landlock {:?}, seccomp {:?}). Enable both, or set `sandbox = \"best-effort\"` in the configuration.",
                walls.files, walls.calls
            ),
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            Fault::ConfigUnreadable { path, why } => {
                format!("không đọc được cấu hình {}: {why}. Chỉ đúng tệp bằng --config.", path.display())
            }
            Fault::Config { path, line, why } => {
                format!("cấu hình sai tại {}, dòng {line}: {why}. Sửa dòng đó.", path.display())
            }
            Fault::Engine(error) => format!("không mở được máy: {error}"),
            Fault::PortInUse { address, key } => format!(
                "{address} đang được chương trình khác dùng. Dừng chương trình đó (xem `ss -ltnp`) hoặc đổi `{key}` trong cấu hình."
            ),
            Fault::Socket { address, key, why } => {
                format!("không mở được {address}: {why}. Kiểm tra `{key}` trong cấu hình và quyền truy cập.")
            }
            Fault::Certificates(why) => {
                format!("không tạo được chứng thư kênh: {why}. Kiểm tra `server_names` trong cấu hình.")
            }
            Fault::Store(code) => format!(
                "không đọc hoặc lưu được chứng thư kênh: {} {} (E{:03})",
                code.sentence(Language::Vietnamese),
                code.next_step(Language::Vietnamese),
                code.number()
            ),
            Fault::System(why) => format!("hệ thống từ chối: {why}. Xem các giới hạn của dịch vụ."),
            Fault::Image(refusal) => format!("{}.", refusal.vietnamese()),
            Fault::TamperLine { path, why } => format!(
                "không đọc được đường báo xâm phạm {}: {why}. Kiểm tra `file` trong [[tamper]] của cấu hình và quyền truy cập.",
                path.display()
            ),
            Fault::Unreadable { path, why } => format!(
                "không đọc được {}: {why}. Kiểm tra `image_manifest` và `firmware_trust` trong cấu hình.",
                path.display()
            ),
            Fault::Sandbox(walls) => format!(
                "cấu hình đòi hộp cát nhưng nhân hệ điều hành không đáp ứng (landlock {:?}, seccomp {:?}). Bật cả hai hoặc đặt `sandbox = \"best-effort\"` trong cấu hình.",
                walls.files, walls.calls
            ),
        }
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        Fault::Engine(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Fault::Image(refusal)
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Store(code)
    }
}

impl From<rcgen::Error> for Fault {
    fn from(error: rcgen::Error) -> Self {
        Fault::Certificates(error.to_string())
    }
}
