//! Why an image does not run. Each says what to do.

use crate::Version;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no manifest: the bytes are something else, or erased.
    Missing,
    /// A manifest of a format that is not known here.
    Format(u16),
    /// It is cut off, too long, or a field is not as it should be.
    Malformed,
    /// The list of custodians is not one: no threshold, more than one threshold can reach, a key that is none, or the same twice.
    Trust,
    /// Fewer custodians than needed have signed this statement.
    Quorum {
        /// Different custodians whose signatures hold.
        valid: usize,
        /// So many are needed.
        needed: usize,
    },
    /// It is for another body.
    Body(String),
    /// Older than what may still run.
    RolledBack {
        /// The image's.
        version: Version,
        /// The lowest that may run.
        lowest: Version,
    },
    /// The image is not the one that was signed.
    Digest,
    /// Signatures are not checked rightly here (R6): nothing may run.
    SelfTest,
}

impl Refusal {
    /// The same in Vietnamese.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Missing => "không có bản kê phần mềm: hãy cài ảnh đã ký".into(),
            Self::Format(found) => {
                format!("bản kê phần mềm có định dạng {found} chưa biết: hãy cài ảnh đúng của thiết bị này")
            }
            Self::Malformed => "bản kê phần mềm bị hỏng: hãy cài lại ảnh".into(),
            Self::Trust => "danh sách người giữ khóa phần mềm không hợp lệ: hãy cấp phát lại thiết bị".into(),
            Self::Quorum { valid, needed } => {
                format!(
                    "phần mềm mới có {valid} trong số {needed} chữ ký cần thiết của người giữ khóa: hãy để những người còn lại ký"
                )
            }
            Self::Body(found) => format!("phần mềm dành cho \"{found}\": hãy cài ảnh của thiết bị này"),
            Self::RolledBack { version, lowest } => {
                format!(
                    "phần mềm là bản {version}, các bản dưới {lowest} không được chạy nữa: không thể lùi phiên bản. Hãy cài bản mới hơn"
                )
            }
            Self::Digest => "phần mềm không phải là ảnh đã được ký: hãy cài lại ảnh".into(),
            Self::SelfTest => "tự kiểm tra chữ ký phần mềm thất bại: ngừng sử dụng thiết bị này".into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no firmware manifest: install a signed image"),
            Self::Format(found) => write!(
                f,
                "the firmware manifest has format {found}, which is not known here: install an image for this device"
            ),
            Self::Malformed => f.write_str("the firmware manifest is damaged: install the image again"),
            Self::Trust => f.write_str("the list of firmware custodians is not valid: provision the device again"),
            Self::Quorum { valid, needed } => {
                write!(
                    f,
                    "the firmware is signed by {valid} of the {needed} custodians it needs: have the others sign it"
                )
            }
            Self::Body(found) => write!(f, "the firmware is for \"{found}\": install the image for this device"),
            Self::RolledBack { version, lowest } => {
                write!(
                    f,
                    "the firmware is version {version}, and nothing below {lowest} may run any more: it cannot be rolled back. Install a newer image"
                )
            }
            Self::Digest => f.write_str("the firmware is not the image that was signed: install the image again"),
            Self::SelfTest => {
                f.write_str("the self-test of firmware signatures failed: take this device out of service")
            }
        }
    }
}
