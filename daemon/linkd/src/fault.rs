//! What stopped the daemon, in words for the person who has to act: what happened, why, what to do next, in English and
//! Vietnamese, with a code that never changes meaning (ARCHITECTURE decision 14).

use std::fmt;
use std::path::PathBuf;

/// The language of messages to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// Tiếng Việt
    Vi,
}

impl Lang {
    /// The language of the environment's `LANG`; English unless it says Vietnamese.
    pub fn from_environment() -> Self {
        match std::env::var("LANG") {
            Ok(lang) if lang.starts_with("vi") => Lang::Vi,
            _ => Lang::En,
        }
    }
}

/// The words in that language.
pub fn said<'a>(lang: Lang, english: &'a str, vietnamese: &'a str) -> &'a str {
    if lang == Lang::Vi { vietnamese } else { english }
}

/// Everything that ends a command of this program.
#[derive(Debug)]
pub enum Fault {
    /// A file could not be read or written.
    File { path: PathBuf, why: String },
    /// The configuration is not valid.
    Config { path: PathBuf, why: String },
    /// Red and black are one namespace and the configuration does not say that this is wanted.
    SharedNamespace,
    /// A network namespace cannot be entered.
    Namespace { name: String, why: String },
    /// The TUN interface cannot be made for want of rights.
    TunRight { why: String },
    /// The TUN interface cannot be made or set up.
    Tun { name: String, why: String },
    /// The wire of a transparent site cannot be prepared.
    Neighbours { interface: String, why: String },
    /// The black side's address and port are taken.
    PortInUse { listen: String, side: &'static str },
    /// A socket cannot be opened.
    Socket { listen: String, why: String },
    /// The PKCS#11 module, its token or its key does not serve.
    Token { why: String },
    /// The key in the token is not the one of the certificate.
    WrongKey,
    /// A certificate, trust anchor or CRL cannot be used.
    Certificate { path: PathBuf, why: String },
    /// The policy bundle is not believed.
    Policy { path: PathBuf, why: String },
    /// The policy bundle is older than one already accepted.
    OldPolicy { path: PathBuf, serial: u64, accepted: u64 },
    /// The daemon that is asked for its status does not answer.
    NoDaemon { at: String, why: String },
    /// A link cannot be measured.
    Test { site: String, why: String },
    /// The syslog socket cannot be used.
    Syslog { target: String, why: String },
    /// The links cannot be taken over from the daemon that runs.
    Handover { why: String },
    /// A bypass order is refused.
    Bypass { why: String },
    /// A key package is refused.
    Join(crate::join::Trouble),
}

impl Fault {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::File { .. } => "LINKD-01",
            Fault::Config { .. } => "LINKD-02",
            Fault::SharedNamespace => "LINKD-03",
            Fault::Namespace { .. } => "LINKD-04",
            Fault::TunRight { .. } => "LINKD-05",
            Fault::Tun { .. } => "LINKD-06",
            Fault::PortInUse { .. } => "LINKD-07",
            Fault::Socket { .. } => "LINKD-08",
            Fault::Token { .. } => "LINKD-09",
            Fault::WrongKey => "LINKD-10",
            Fault::Certificate { .. } => "LINKD-11",
            Fault::Policy { .. } => "LINKD-12",
            Fault::OldPolicy { .. } => "LINKD-13",
            Fault::NoDaemon { .. } => "LINKD-14",
            Fault::Neighbours { .. } => "LINKD-15",
            Fault::Test { .. } => "LINKD-16",
            Fault::Syslog { .. } => "LINKD-17",
            Fault::Handover { .. } => "LINKD-18",
            Fault::Bypass { .. } => "LINKD-19",
            Fault::Join(trouble) => trouble.code(),
        }
    }

    /// What happened and what to do next, in `lang`.
    pub fn words(&self, lang: Lang) -> String {
        let (what, next) = match lang {
            Lang::En => self.english(),
            Lang::Vi => self.vietnamese(),
        };
        let label = match lang {
            Lang::En => "Next",
            Lang::Vi => "Cách xử lý",
        };
        format!("{}: {what}\n{label}: {next}", self.code())
    }

    fn english(&self) -> (String, String) {
        match self {
            Fault::Join(trouble) => trouble.english(),
            Fault::File { path, why } => (
                format!("the file {} cannot be used: {why}.", path.display()),
                "check that it exists and that the daemon's user may use it.".into(),
            ),
            Fault::Config { path, why } => (
                format!("the configuration {} is not valid: {why}", path.display()),
                "correct the line named above; `coloa-linkd --help` shows an example.".into(),
            ),
            Fault::SharedNamespace => (
                "the red and the black side are the same network namespace, so cleartext could leave past the link."
                    .into(),
                "give each side a namespace of its own; for measuring only, set `allow_shared_namespace = true`."
                    .into(),
            ),
            Fault::Namespace { name, why } => (
                format!("the network namespace `{name}` cannot be entered: {why}."),
                format!("make it (`ip netns add {name}`) and run the daemon as root or with CAP_SYS_ADMIN."),
            ),
            Fault::TunRight { why } => (
                format!("no right to make a TUN interface: {why}."),
                "run the daemon as root or with CAP_NET_ADMIN, and let it use /dev/net/tun.".into(),
            ),
            Fault::Tun { name, why } => (
                format!("the TUN interface `{name}` cannot be set up: {why}."),
                "check the [red] section (name, addresses, mtu) and that no other interface has this name.".into(),
            ),
            Fault::Neighbours { interface, why } => (
                format!("the neighbours on `{interface}` cannot be served: {why}."),
                "check [[red.neighbours]] (interface, networks) and what is set in the red namespace.".into(),
            ),
            Fault::PortInUse { listen, side } => (
                format!("{side} {listen} is in use by another program."),
                format!(
                    "stop that program or choose another port (who has it: `ss -lnput`, in the namespace of {side})."
                ),
            ),
            Fault::Socket { listen, why } => (
                format!("the address {listen} cannot be listened on: {why}."),
                "check the address in the configuration and that the interface which bears it is up.".into(),
            ),
            Fault::Token { why } => (
                format!("the PKCS#11 token cannot be used: {why}."),
                "check the [token] section: module, label, key and PIN file (`pkcs11-tool --module .. -L -O`).".into(),
            ),
            Fault::WrongKey => (
                "the private key in the token does not belong to the certificate.".into(),
                "choose the key with [token] key or key_id, or install the certificate issued for this key.".into(),
            ),
            Fault::Certificate { path, why } => (
                format!("the certificate file {} cannot be used: {why}.", path.display()),
                "put PEM blocks of the right kind there, the device's own certificate first.".into(),
            ),
            Fault::Policy { path, why } => (
                format!("the link policy {} is refused: {why}.", path.display()),
                "fetch the bundle anew from the policy authority; local changes are never accepted.".into(),
            ),
            Fault::OldPolicy { path, serial, accepted } => (
                format!(
                    "the link policy {} has serial {serial}, but {accepted} was already accepted here.",
                    path.display()
                ),
                "install the newest bundle; an older one is never taken back.".into(),
            ),
            Fault::NoDaemon { at, why } => (
                format!("no daemon answers at {at}: {why}."),
                "start coloa-linkd, or check [metrics] listen in the configuration.".into(),
            ),
            Fault::Test { site, why } => (
                format!("the link with `{site}` cannot be measured: {why}."),
                "see `coloa-linkd status`; [metrics] listen has to be a Unix socket for tests.".into(),
            ),
            Fault::Syslog { target, why } => (
                format!("the log cannot be sent to {target}: {why}."),
                "check [log] syslog: the socket or the address of the collector.".into(),
            ),
            Fault::Bypass { why } => (
                format!("the bypass order is refused: {why}."),
                "nothing goes in clear by it; see [bypass] of the signed policy, and `coloa-linkd bypass show`.".into(),
            ),
            Fault::Handover { why } => (
                format!("the links cannot be taken over from the daemon that runs: {why}."),
                "see `coloa-linkd status`; a restart always works, and blocks until the handshakes are done.".into(),
            ),
        }
    }

    fn vietnamese(&self) -> (String, String) {
        match self {
            Fault::Join(trouble) => trouble.vietnamese(),
            Fault::File { path, why } => (
                format!("không dùng được tệp {}: {why}.", path.display()),
                "kiểm tra tệp có tồn tại và tiến trình có quyền sử dụng.".into(),
            ),
            Fault::Config { path, why } => (
                format!("tệp cấu hình {} không hợp lệ: {why}", path.display()),
                "sửa dòng nêu trên; `coloa-linkd --help` có ví dụ.".into(),
            ),
            Fault::SharedNamespace => (
                "phía rõ và phía mã dùng chung một không gian mạng, dữ liệu rõ có thể đi ra ngoài đường truyền.".into(),
                "tách mỗi phía một không gian mạng; chỉ khi đo thử mới đặt `allow_shared_namespace = true`.".into(),
            ),
            Fault::Namespace { name, why } => (
                format!("không vào được không gian mạng `{name}`: {why}."),
                format!("tạo bằng `ip netns add {name}` và chạy với quyền root hoặc CAP_SYS_ADMIN."),
            ),
            Fault::TunRight { why } => (
                format!("không có quyền tạo giao diện TUN: {why}."),
                "chạy với quyền root hoặc CAP_NET_ADMIN, và cho phép dùng /dev/net/tun.".into(),
            ),
            Fault::Tun { name, why } => (
                format!("không thiết lập được giao diện TUN `{name}`: {why}."),
                "kiểm tra mục [red] (name, addresses, mtu) và tên giao diện chưa bị dùng.".into(),
            ),
            Fault::Neighbours { interface, why } => (
                format!("không phục vụ được các máy lân cận trên `{interface}`: {why}."),
                "kiểm tra [[red.neighbours]] (interface, networks) và thiết lập trong không gian mạng phía rõ.".into(),
            ),
            Fault::PortInUse { listen, side } => (
                format!("{side} {listen} đang được chương trình khác sử dụng."),
                "dừng chương trình đó hoặc chọn cổng khác (xem bằng `ss -lnput`).".into(),
            ),
            Fault::Socket { listen, why } => (
                format!("không lắng nghe được tại {listen}: {why}."),
                "kiểm tra địa chỉ trong cấu hình và giao diện mang địa chỉ đó.".into(),
            ),
            Fault::Token { why } => (
                format!("không dùng được token PKCS#11: {why}."),
                "kiểm tra mục [token]: module, label, key và tệp PIN (`pkcs11-tool --module .. -L -O`).".into(),
            ),
            Fault::WrongKey => (
                "khóa riêng trong token không khớp với chứng thư chữ ký số.".into(),
                "chọn khóa bằng [token] key hoặc key_id, hoặc cài chứng thư đã cấp cho khóa này.".into(),
            ),
            Fault::Certificate { path, why } => (
                format!("không dùng được tệp chứng thư {}: {why}.", path.display()),
                "đặt các khối PEM đúng loại, chứng thư của thiết bị ở đầu.".into(),
            ),
            Fault::Policy { path, why } => (
                format!("chính sách đường truyền {} bị từ chối: {why}.", path.display()),
                "lấy lại chính sách từ cơ quan ban hành; không chấp nhận sửa đổi tại chỗ.".into(),
            ),
            Fault::OldPolicy { path, serial, accepted } => (
                format!("chính sách {} có số {serial}, nhưng số {accepted} đã được chấp nhận tại đây.", path.display()),
                "cài chính sách mới nhất; không bao giờ nhận lại bản cũ.".into(),
            ),
            Fault::NoDaemon { at, why } => (
                format!("không có tiến trình nào trả lời tại {at}: {why}."),
                "khởi động coloa-linkd, hoặc kiểm tra [metrics] listen trong cấu hình.".into(),
            ),
            Fault::Test { site, why } => (
                format!("không đo được đường truyền tới `{site}`: {why}."),
                "xem `coloa-linkd status`; [metrics] listen phải là Unix socket mới đo được.".into(),
            ),
            Fault::Syslog { target, why } => (
                format!("không gửi được nhật ký tới {target}: {why}."),
                "kiểm tra [log] syslog: socket hoặc địa chỉ máy thu nhật ký.".into(),
            ),
            Fault::Bypass { why } => (
                format!("lệnh truyền rõ bị từ chối: {why}."),
                "không có gì được truyền rõ; xem mục [bypass] của chính sách đã ký và `coloa-linkd bypass show`."
                    .into(),
            ),
            Fault::Handover { why } => (
                format!("không tiếp quản được các đường truyền từ tiến trình đang chạy: {why}."),
                "xem `coloa-linkd status`; khởi động lại luôn được, nhưng bị chặn đến khi bắt tay xong.".into(),
            ),
        }
    }

    /// A fault of reading or writing `path`.
    pub fn file(path: &std::path::Path, error: impl fmt::Display) -> Self {
        Fault::File { path: path.to_owned(), why: error.to_string() }
    }

    /// A fault of the token, whatever layer it comes from.
    pub fn token(error: impl fmt::Display) -> Self {
        Fault::Token { why: error.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Lang::En))
    }
}

impl std::error::Error for Fault {}
