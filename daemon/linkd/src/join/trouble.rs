//! Why a package is refused, in both languages.

/// A refusal; nothing was changed on this box but the record of it.
#[derive(Debug)]
pub enum Trouble {
    /// Not a package, or not signed by an authority that is trusted here.
    Unbelieved { why: String },
    /// Before its time.
    Early { from: u64 },
    /// After its time.
    Late { until: u64 },
    /// Opened here before.
    Opened { serial: String },
    /// A code with a slip in it; not counted.
    Mistyped,
    /// The wrong code.
    Code { left: u32 },
    /// Too soon after a wrong code.
    Wait { seconds: u64 },
    /// Too many wrong codes.
    Locked,
    /// For another site.
    AnotherSite { site: String },
    /// There is a configuration already.
    Occupied { path: String },
}

impl Trouble {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Trouble::Unbelieved { .. } => "LINKD-30",
            Trouble::Early { .. } => "LINKD-31",
            Trouble::Late { .. } => "LINKD-32",
            Trouble::Opened { .. } => "LINKD-33",
            Trouble::Mistyped => "LINKD-34",
            Trouble::Code { .. } => "LINKD-35",
            Trouble::Wait { .. } => "LINKD-36",
            Trouble::Locked => "LINKD-37",
            Trouble::AnotherSite { .. } => "LINKD-38",
            Trouble::Occupied { .. } => "LINKD-39",
        }
    }

    /// What happened, and what to do next.
    pub fn english(&self) -> (String, String) {
        let (what, next) = match self {
            Trouble::Unbelieved { why } => (format!("the package is not believed: {why}."), FRESH_EN),
            Trouble::Early { from } => (
                format!("the package may be opened only from {from} (seconds since 1970) on."),
                "check this box's clock, or wait.",
            ),
            Trouble::Late { until } => {
                (format!("the time of the package ended at {until} (seconds since 1970)."), FRESH_EN)
            }
            Trouble::Opened { serial } => (
                format!("package {serial} was opened on this box before; a package serves once."),
                "if you did not open it, report it to the authority at once.",
            ),
            Trouble::Mistyped => (
                "the code is mistyped: it has 17 letters and digits, and the last does not fit the others.".into(),
                "type it again as it stands in the letter; this did not count as a wrong code.",
            ),
            Trouble::Code { left } => (
                format!("the code does not open this package; {left} tries are left."),
                "take the letter of this package.",
            ),
            Trouble::Wait { seconds } => {
                (format!("after a wrong code the next is not looked at for {seconds} s."), "wait, then try again.")
            }
            Trouble::Locked => ("too many wrong codes; this box opens the package no more.".into(), FRESH_EN),
            Trouble::AnotherSite { site } => {
                (format!("the package is for the site `{site}`."), "take the package of this box's site.")
            }
            Trouble::Occupied { path } => (
                format!("there is a configuration at {path} already."),
                "move it away if the new package is to take its place.",
            ),
        };
        (what, next.to_owned())
    }

    /// The same in Vietnamese.
    pub fn vietnamese(&self) -> (String, String) {
        let (what, next) = match self {
            Trouble::Unbelieved { why } => (format!("không tin được gói khóa: {why}."), FRESH_VI),
            Trouble::Early { from } => {
                (format!("gói khóa chỉ được mở từ {from} (giây kể từ 1970)."), "kiểm tra đồng hồ thiết bị, hoặc chờ.")
            }
            Trouble::Late { until } => (format!("gói khóa đã hết hạn mở lúc {until} (giây kể từ 1970)."), FRESH_VI),
            Trouble::Opened { serial } => (
                format!("gói khóa {serial} đã được mở trên thiết bị này; mỗi gói chỉ mở một lần."),
                "nếu không phải do bạn mở, báo ngay cho cơ quan cấp.",
            ),
            Trouble::Mistyped => (
                "gõ nhầm mã kích hoạt: mã có 17 chữ và số, ký tự cuối không khớp.".into(),
                "gõ lại đúng như trong thư; lần này không tính là mã sai.",
            ),
            Trouble::Code { left } => {
                (format!("mã không mở được gói khóa này; còn {left} lần thử."), "dùng đúng thư của gói khóa này.")
            }
            Trouble::Wait { seconds } => (format!("sau khi nhập mã sai phải chờ {seconds} giây."), "chờ rồi thử lại."),
            Trouble::Locked => ("nhập sai mã quá nhiều lần; thiết bị này không mở gói khóa đó nữa.".into(), FRESH_VI),
            Trouble::AnotherSite { site } => {
                (format!("gói khóa dành cho đơn vị `{site}`."), "dùng gói khóa của đơn vị này.")
            }
            Trouble::Occupied { path } => {
                (format!("đã có cấu hình tại {path}."), "chuyển nó đi nếu muốn thay bằng gói khóa mới.")
            }
        };
        (what, next.to_owned())
    }
}

const FRESH_EN: &str = "ask the authority for a new package; this one is good for nothing here.";
const FRESH_VI: &str = "xin cơ quan cấp một gói khóa mới; gói này không dùng được ở đây.";
