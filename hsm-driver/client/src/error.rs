//! Why a call failed: what happened, why, and what to do next, in English and Vietnamese.

use coloa_wire::ErrorCode;
use coloa_wire::error::Language;
use std::fmt;

/// Why a call has no reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The engine refused.
    Engine(ErrorCode),
    /// A newer engine refused with a number this client does not know.
    EngineNewer(u16),
    /// Nobody answers at the address: `place`, and the system's reason.
    Unreachable(String, String),
    /// The server's certificate, or the TLS handshake, is not acceptable to us.
    Untrusted(String, String),
    /// The server refused our certificate.
    Refused(String, String),
    /// The connection ended while the call was under way.
    Lost(String, String),
    /// No answer in time.
    Deadline(String),
    /// The peer does not follow the protocol.
    Protocol(String, ErrorCode),
    /// The embedded engine cannot be opened in this directory.
    Embedded(String, String),
    /// A certificate, key or CA file cannot be used.
    File(String, String),
}

impl CallError {
    /// What happened, why, and the next step, for a person.
    pub fn explain(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Vietnamese => self.vietnamese(),
        }
    }

    /// The engine's number, when the engine answered.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            CallError::Engine(code) => Some(*code),
            _ => None,
        }
    }

    /// Whether the call may have reached the engine and can be repeated on a new connection.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, CallError::Lost(..))
    }

    fn english(&self) -> String {
        match self {
            CallError::Engine(code) => code.to_string(),
            CallError::EngineNewer(n) => {
                format!("The engine refused with error {n}, which this client does not know. Update the client.")
            }
            CallError::Unreachable(place, why) => {
                format!(
                    "No connection to {place}: {why}. Check that the appliance runs and that the address in the configuration is right."
                )
            }
            CallError::Untrusted(place, why) => format!(
                "{place} is not trusted: {why}. Check `server_name` and `ca` in the configuration, and the clocks of both ends."
            ),
            CallError::Refused(place, why) => format!(
                "{place} refused our client certificate: {why}. Check `certificate` and `key`; ask the operator whether it is bound and not expired."
            ),
            CallError::Lost(place, why) => {
                format!(
                    "The connection to {place} was lost during the call: {why}. Try again; look at the appliance's log."
                )
            }
            CallError::Deadline(place) => {
                format!(
                    "{place} did not answer in time. Check the network and the appliance's load, or raise `deadline_ms`."
                )
            }
            CallError::Protocol(place, code) => format!("{place} broke the protocol: {code}"),
            CallError::Embedded(dir, why) => {
                format!(
                    "The embedded engine cannot use {dir}: {why}. Check that the directory exists and may be written."
                )
            }
            CallError::File(file, why) => {
                format!("{file} cannot be used: {why}. Check the path and the file in the configuration.")
            }
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            CallError::Engine(code) => format!(
                "{} {} (E{:03})",
                code.sentence(Language::Vietnamese),
                code.next_step(Language::Vietnamese),
                code.number()
            ),
            CallError::EngineNewer(n) => {
                format!("Máy từ chối với lỗi {n} mà phần mềm khách không biết. Cập nhật phần mềm khách.")
            }
            CallError::Unreachable(place, why) => {
                format!(
                    "Không nối được tới {place}: {why}. Kiểm tra thiết bị có chạy và địa chỉ trong cấu hình có đúng."
                )
            }
            CallError::Untrusted(place, why) => {
                format!("Không tin cậy {place}: {why}. Kiểm tra `server_name`, `ca` trong cấu hình và đồng hồ hai bên.")
            }
            CallError::Refused(place, why) => format!(
                "{place} từ chối chứng thư của máy khách: {why}. Kiểm tra `certificate`, `key`; hỏi người vận hành chứng thư đã được gắn và còn hạn."
            ),
            CallError::Lost(place, why) => {
                format!("Mất kết nối tới {place} trong lúc gọi: {why}. Thử lại; xem nhật ký thiết bị.")
            }
            CallError::Deadline(place) => {
                format!("{place} không trả lời kịp. Kiểm tra mạng và tải của thiết bị, hoặc tăng `deadline_ms`.")
            }
            CallError::Protocol(place, code) => {
                format!("{place} sai giao thức: {}", code.sentence(Language::Vietnamese))
            }
            CallError::Embedded(dir, why) => {
                format!("Máy nhúng không dùng được {dir}: {why}. Kiểm tra thư mục có tồn tại và ghi được.")
            }
            CallError::File(file, why) => {
                format!("Không dùng được {file}: {why}. Kiểm tra đường dẫn và tệp trong cấu hình.")
            }
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english())
    }
}

impl std::error::Error for CallError {}
