//! Why a command failed: what happened, why, and what to do next.

use coloa_client::{CallError, ConfigError};
use coloa_wire::ErrorCode;
use coloa_wire::error::Language;
use std::path::{Path, PathBuf};

/// Why a command failed.
#[derive(Debug)]
pub enum Fault {
    /// Nobody answers at the local socket.
    Socket { path: PathBuf, why: String },
    /// The connection ended in between.
    Lost(String),
    /// The engine or the appliance refused.
    Engine(ErrorCode),
    /// It refused with a number of a later version.
    Newer(u16),
    /// A file cannot be read or written.
    File { path: PathBuf, why: String },
    /// There is no PIN to be had.
    Pin(String),
    /// The PIN was typed differently the second time.
    PinsDiffer,
    /// No partition, client or token has this name.
    Unknown(String),
    /// Several have.
    Ambiguous(String),
    /// What was typed is not the label.
    NotConfirmed,
    /// What was typed is not the word: nothing was signed.
    NotSigned,
    /// A record does not follow from the one before it.
    Chain { file: PathBuf, record: u64 },
    /// The last record is not the one that was expected.
    Head { file: PathBuf },
    /// A checkpoint or its certificates are not the device's.
    Seal { file: PathBuf },
    /// The log ends before a record that its device signed, or has another one there.
    Short { file: PathBuf, record: u64 },
    /// Nothing in a file is signed.
    Unsealed { file: PathBuf },
    /// A key or a request cannot be made.
    Key(String),
    /// A custodian's token.
    Token(String),
    /// The application's way to its token failed.
    Call(CallError),
    /// The application's configuration is wrong.
    Config(ConfigError),
    /// The link encryptor's program does not start.
    NoLinkd(String),
    /// `coloa doctor` found something; it has said what.
    Unwell(usize),
    /// A syslog receiver did not take what it was sent.
    Receiver { to: String, why: String },
    /// What a device is to have said of a key.
    Attestation { file: PathBuf, broken: crate::attest::Broken },
    /// A backup, a share or a restore.
    Backup(crate::backup::Trouble),
    /// A ceremony.
    Ceremony(crate::ceremony::Trouble),
    /// A firmware image must not run.
    Firmware(coloa_image::Refusal),
}

impl Fault {
    pub fn file(path: &Path, why: impl ToString) -> Self {
        Fault::File { path: path.to_path_buf(), why: why.to_string() }
    }

    /// The engine's number, when it was the engine who refused.
    pub fn number(&self) -> Option<u16> {
        match self {
            Fault::Engine(code) => Some(code.number()),
            Fault::Newer(number) => Some(*number),
            Fault::Call(error) => error.code().map(ErrorCode::number),
            _ => None,
        }
    }

    pub fn words(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Vietnamese => self.vietnamese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Fault::Socket { path, why } => format!(
                "nobody answers at {}: {why}. Check that coload runs (`systemctl status coload`), that you are root or its user, and --socket.",
                path.display()
            ),
            Fault::Lost(why) => format!("the appliance closed the connection: {why}. Look at its log, then try again."),
            Fault::Engine(code) => code.to_string(),
            Fault::Newer(n) => format!("refused with error {n}, which this version does not know. Update coloa."),
            Fault::File { path, why } => format!("{} cannot be used: {why}. Name another one.", path.display()),
            Fault::Pin(why) => {
                format!("no PIN: {why}. Type it at a terminal, or give a file, descriptor or credential.")
            }
            Fault::PinsDiffer => "the two PINs differ. Nothing was changed; try again.".into(),
            Fault::Unknown(name) => {
                format!(
                    "there is no {name}. `coloa partition list`, `coloa client list` and `coloa key list` show what there is."
                )
            }
            Fault::Ambiguous(name) => format!("{name} is not unique. Give the id or identity that the list shows."),
            Fault::NotConfirmed => "that is not its label. Nothing was destroyed.".into(),
            Fault::NotSigned => "that is not the word. Nothing was signed.".into(),
            Fault::Chain { file, record } => format!(
                "{}: record {record} does not follow from the one before it: the log was changed, cut or reordered there. Keep the file and compare it with a new export.",
                file.display()
            ),
            Fault::Head { file } => format!(
                "{}: its last record is not the one with that digest: the end is missing, or records were added since.",
                file.display()
            ),
            Fault::Seal { file } => format!(
                "{}: the checkpoint is not signed by this device: it was changed, or is another device's. Trust neither it nor the log; export anew.",
                file.display()
            ),
            Fault::Short { file, record } => format!(
                "{}: record {record}, which the device signed, is not in it: the end was cut off. Keep the file and compare it with a new export.",
                file.display()
            ),
            Fault::Unsealed { file } => format!(
                "{}: it holds no checkpoint, so its end is not vouched for. Give --checkpoint, or export it anew.",
                file.display()
            ),
            Fault::Key(why) => format!("the client's key cannot be made: {why}. Check --name."),
            Fault::Token(why) => {
                format!("the custodian's token cannot be used: {why}. Check --module, --token, --label and the PIN.")
            }
            Fault::Call(error) => error.explain(Language::English),
            Fault::Backup(trouble) => trouble.words(Language::English),
            Fault::Ceremony(trouble) => trouble.words(Language::English),
            Fault::Firmware(refusal) => format!("{refusal}."),
            Fault::Receiver { to, why } => format!(
                "{to} did not take the records: {why}. Nothing is lost: they are sent again. Check the address, its certificate against --ca, and ours there."
            ),
            Fault::Attestation { file, broken } => format!("{}: {}", file.display(), broken.words(Language::English)),
            Fault::Config(error) => error.explain(Language::English),
            Fault::NoLinkd(why) => {
                format!("coloa-linkd does not start: {why}. Install the package coloa-linkd, or call it by its path.")
            }
            Fault::Unwell(count) => {
                format!("{count} of the checks failed. Do what the lines marked FAIL say, then run it again.")
            }
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            Fault::Socket { path, why } => format!(
                "không có trả lời tại {}: {why}. Kiểm tra coload có chạy (`systemctl status coload`), quyền root và --socket.",
                path.display()
            ),
            Fault::Lost(why) => format!("thiết bị đóng kết nối: {why}. Xem nhật ký rồi thử lại."),
            Fault::Engine(code) => format!(
                "{} {} (E{:03})",
                code.sentence(Language::Vietnamese),
                code.next_step(Language::Vietnamese),
                code.number()
            ),
            Fault::Newer(n) => format!("bị từ chối với lỗi {n} mà phiên bản này không biết. Cập nhật coloa."),
            Fault::File { path, why } => format!("không dùng được {}: {why}. Chọn tệp khác.", path.display()),
            Fault::Pin(why) => {
                format!("không có mã PIN: {why}. Nhập tại màn hình, hoặc đưa tệp, mô tả tệp hay credential.")
            }
            Fault::PinsDiffer => "hai mã PIN khác nhau. Chưa thay đổi gì; hãy thử lại.".into(),
            Fault::Unknown(name) => {
                format!("không có {name}. Xem `coloa partition list`, `coloa client list` và `coloa key list`.")
            }
            Fault::Ambiguous(name) => format!("{name} không duy nhất. Dùng mã trong danh sách."),
            Fault::NotConfirmed => "không đúng nhãn. Chưa tiêu hủy gì.".into(),
            Fault::NotSigned => "không đúng từ cần gõ. Chưa ký gì.".into(),
            Fault::Chain { file, record } => format!(
                "{}: bản ghi {record} không nối tiếp bản ghi trước: nhật ký đã bị sửa, cắt hoặc đảo tại đó. Giữ tệp và so với bản xuất mới.",
                file.display()
            ),
            Fault::Head { file } => format!(
                "{}: bản ghi cuối không có giá trị băm đó: thiếu phần cuối, hoặc đã có thêm bản ghi.",
                file.display()
            ),
            Fault::Seal { file } => format!(
                "{}: điểm kiểm tra không do thiết bị này ký: đã bị sửa hoặc của thiết bị khác. Không tin tệp này; hãy xuất lại.",
                file.display()
            ),
            Fault::Short { file, record } => format!(
                "{}: thiếu bản ghi {record} mà thiết bị đã ký: phần cuối đã bị cắt. Giữ tệp và so với bản xuất mới.",
                file.display()
            ),
            Fault::Unsealed { file } => format!(
                "{}: không có điểm kiểm tra nên phần cuối không được bảo đảm. Dùng --checkpoint hoặc xuất lại.",
                file.display()
            ),
            Fault::Key(why) => format!("không tạo được khóa cho máy khách: {why}. Kiểm tra --name."),
            Fault::Token(why) => {
                format!(
                    "không dùng được token của người giữ khóa: {why}. Kiểm tra --module, --token, --label và mã PIN."
                )
            }
            Fault::Call(error) => error.explain(Language::Vietnamese),
            Fault::Backup(trouble) => trouble.words(Language::Vietnamese),
            Fault::Ceremony(trouble) => trouble.words(Language::Vietnamese),
            Fault::Firmware(refusal) => format!("{}.", refusal.vietnamese()),
            Fault::Receiver { to, why } => format!(
                "{to} không nhận các bản ghi: {why}. Không mất gì: sẽ gửi lại. Kiểm tra địa chỉ, chứng thư của nó với --ca, và chứng thư của ta ở đó."
            ),
            Fault::Attestation { file, broken } => {
                format!("{}: {}", file.display(), broken.words(Language::Vietnamese))
            }
            Fault::Config(error) => error.explain(Language::Vietnamese),
            Fault::NoLinkd(why) => {
                format!("không chạy được coloa-linkd: {why}. Cài gói coloa-linkd, hoặc gọi bằng đường dẫn.")
            }
            Fault::Unwell(count) => format!("{count} mục kiểm tra có lỗi. Làm theo các dòng LỖI rồi chạy lại."),
        }
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Fault::Engine(code)
    }
}

impl From<crate::backup::Trouble> for Fault {
    fn from(trouble: crate::backup::Trouble) -> Self {
        Fault::Backup(trouble)
    }
}

impl From<crate::ceremony::Trouble> for Fault {
    fn from(trouble: crate::ceremony::Trouble) -> Self {
        Fault::Ceremony(trouble)
    }
}

impl From<coloa_image::Refusal> for Fault {
    fn from(refusal: coloa_image::Refusal) -> Self {
        Fault::Firmware(refusal)
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Fault::Call(error)
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Fault::Config(error)
    }
}
