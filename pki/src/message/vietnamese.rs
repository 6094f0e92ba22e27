//! Tiếng Việt; the words are those of the glossary.

use crate::Error;
use crate::validate::Refusal;

pub(super) fn of(error: &Error) -> (String, &'static str) {
    match error {
        Error::Module { module, why } => (
            format!("Mô-đun PKCS#11 {} bị lỗi: {why}.", module.display()),
            "Kiểm tra đường dẫn, cấu hình và nhật ký của mô-đun.",
        ),
        Error::TokenMissing { label, seen } => (
            format!("Không có token \"{label}\"; mô-đun này có: {}.", listed(seen)),
            "Chọn một nhãn trong số đó, hoặc khởi tạo token.",
        ),
        Error::TokenAmbiguous { label } => {
            (format!("Có nhiều token cùng nhãn \"{label}\"."), "Đặt cho mỗi token một nhãn riêng.")
        }
        Error::TokenGone => ("Token đã đóng.".into(), "Chạy lại lệnh."),
        Error::PinWrong => ("Token từ chối mã PIN.".into(), "Kiểm tra mã PIN; sai nhiều lần token sẽ bị khóa."),
        Error::PinLocked => {
            ("Token đã bị khóa vì nhập sai PIN nhiều lần.".into(), "Đề nghị cán bộ an ninh đặt lại mã PIN.")
        }
        Error::PinUnreadable { why } => {
            (format!("Không đọc được mã PIN: {why}."), "Dùng --pin-file hoặc --pin-fd, hoặc nhập tại màn hình.")
        }
        Error::KeyExists { label, token } => {
            (format!("Token \"{token}\" đã có khóa \"{label}\"."), "Chọn --label khác; khóa không bao giờ bị ghi đè.")
        }
        Error::KeyMissing { label, token } => (
            format!("Token \"{token}\" không có cặp khóa đầy đủ \"{label}\"."),
            "Kiểm tra --label; `pkcs11-tool --list-objects --login` cho biết token có gì.",
        ),
        Error::KeyAmbiguous { label, token } => (
            format!("Token \"{token}\" có nhiều khóa có thể là \"{label}\"."),
            "Đặt cho mỗi khóa một nhãn và một mã định danh riêng.",
        ),
        Error::KeyExtractable { label, token } => (
            format!("Token \"{token}\" đã tạo khóa \"{label}\" nhưng báo rằng khóa có thể rời token."),
            "Tiêu hủy khóa này và dùng token tạo khóa không xuất được.",
        ),
        Error::KeyPairInconsistent => {
            ("Chữ ký của token không khớp với khóa công khai.".into(), "Ngừng dùng token và đưa đi kiểm tra.")
        }
        Error::KeyForeign { label } => (
            format!("Khóa \"{label}\" trong token không phải khóa trong chứng thư của cơ quan cấp."),
            "Kiểm tra lại token và thư mục.",
        ),
        Error::RandomBroken => (
            "Bộ sinh số ngẫu nhiên của token cho giá trị không thể là ngẫu nhiên.".into(),
            "Ngừng dùng token và đưa đi kiểm tra.",
        ),
        _ => request(error),
    }
}

fn request(error: &Error) -> (String, &'static str) {
    match error {
        Error::RequestTooLarge { limit } => {
            (format!("Yêu cầu lớn hơn {limit} byte."), "Đề nghị gửi yêu cầu đơn giản cho một khóa.")
        }
        Error::RequestMalformed => {
            ("Đây không phải yêu cầu cấp chứng thư (PKCS#10) đúng dạng.".into(), "Đề nghị gửi lại.")
        }
        Error::PossessionNotProved => (
            "Chữ ký trên yêu cầu sai: không có gì chứng tỏ người gửi giữ khóa riêng.".into(),
            "Từ chối, và đề nghị gửi yêu cầu mới qua đường tin cậy.",
        ),
        Error::PublicKeyUnusable => (
            "Khóa công khai không phải điểm không nén trên P-256 hoặc P-384.".into(),
            "Tạo khóa P-384 (hoặc P-256) rồi yêu cầu lại.",
        ),
        Error::SignatureAlgorithm => {
            ("Thuật toán ký không phải ECDSA với SHA-256 hoặc SHA-384.".into(), "Dùng một trong hai thuật toán này.")
        }
        Error::SignatureWrong => ("Một chữ ký không hợp lệ.".into(), "Không dùng dữ liệu được ký."),
        Error::NameRefused { field, value } => (
            format!("Tên {field} \"{value}\" không được chứng thực ở đây."),
            "Tên gồm chữ cái tiếng Việt (dựng sẵn), chữ số và . , : / ( ) & @ ' - _, tối đa 64 ký tự.",
        ),
        Error::NameRepeated { field } => (format!("Tên chủ thể có {field} nhiều lần."), "Chỉ ghi một lần."),
        Error::NameEmpty => ("Tên chủ thể trống.".into(), "Ghi ít nhất CN."),
        Error::NameMissing { field, profile } => {
            (format!("Mẫu {profile} cần {field} nhưng yêu cầu không có."), "Bổ sung rồi yêu cầu lại.")
        }
        Error::ProfileUnknown { name } => {
            (format!("Không có mẫu chứng thư \"{name}\"."), "`coloa-pki profiles` liệt kê các mẫu.")
        }
        Error::ProfileRefuses { profile, what } => {
            (format!("Mẫu {profile} không cho phép {what}."), "Bỏ đi, hoặc chọn mẫu khác.")
        }
        Error::ProfileElsewhere { profile } => (
            format!("Cơ quan này không cấp chứng thư theo mẫu {profile}."),
            "Cơ quan gốc chỉ cấp issuing-ca; cơ quan cấp phát cấp các mẫu còn lại.",
        ),
        Error::ValidityTooLong { days, max, profile } => {
            (format!("Mẫu {profile} không cho phép {days} ngày (từ 1 đến {max})."), "Giảm --days.")
        }
        Error::ValidityPastIssuer { issuer } => {
            (format!("Chứng thư của cơ quan cấp hết hạn trước đó, ngày {issuer}."), "Giảm --days.")
        }
        Error::AuthorityExpired { at } => {
            (format!("Chứng thư của cơ quan cấp đã hết hạn ngày {at}."), "Lập cơ quan mới, hoặc kiểm tra đồng hồ.")
        }
        Error::UrlRefused => {
            ("Địa chỉ danh sách thu hồi không phải URL.".into(), "Viết dạng http://host/path, ký tự ASCII.")
        }
        Error::KeyCompromised { serial } => (
            format!("Chứng thư {serial} của chính khóa này đã bị thu hồi vì khóa đã lộ."),
            "Từ chối; thiết bị phải tạo khóa mới.",
        ),
        Error::KeyOfAuthority => (
            "Đây là khóa của chính cơ quan cấp; một khóa chỉ có một mục đích.".into(),
            "Tạo khóa cho thiết bị: device-key với --label khác và không có --use-existing.",
        ),
        Error::NameOfAuthority => {
            ("Tên chủ thể là tên của chính cơ quan cấp.".into(), "Từ chối: không phân biệt được hai chủ thể cùng tên.")
        }
        _ => store(error),
    }
}

fn store(error: &Error) -> (String, &'static str) {
    const TAMPERED: &str = "Không cấp gì thêm; giữ thư mục làm chứng cứ và phục hồi từ bản tốt gần nhất.";
    match error {
        Error::NoAuthority { directory } => (
            format!("{} không chứa cơ quan cấp chứng thư nào.", directory.display()),
            "Kiểm tra --dir, hoặc lập mới bằng init-root hay init-issuing.",
        ),
        Error::DirectoryNotEmpty { directory } => {
            (format!("{} không trống.", directory.display()), "Lập cơ quan mới trong thư mục riêng.")
        }
        Error::Busy { directory } => {
            (format!("Tiến trình khác đang làm việc trong {}.", directory.display()), "Chờ xong rồi thử lại.")
        }
        Error::Config { path, why } => (format!("Không hiểu {}: {why}.", path.display()), "Sửa lại tệp."),
        Error::JournalEmpty => ("Nhật ký không có bản ghi nào.".into(), TAMPERED),
        Error::JournalBroken { number } => {
            (format!("Bản ghi {number} của nhật ký đã bị sửa, chuyển chỗ hoặc xóa."), TAMPERED)
        }
        Error::JournalTruncated { head, records } => {
            (format!("Nhật ký bị cắt: còn {records} bản ghi, nhưng bản ghi {head} đã được xác nhận."), TAMPERED)
        }
        Error::JournalHeadMissing => ("Thiếu đầu nhật ký đã ký.".into(), TAMPERED),
        Error::JournalHeadMismatch { number } => {
            (format!("Bản ghi {number} của nhật ký khác với đầu nhật ký đã ký."), TAMPERED)
        }
        Error::JournalHeadForged => ("Đầu nhật ký không do khóa nhật ký ký.".into(), TAMPERED),
        Error::JournalNonsense => ("Các bản ghi nhật ký mâu thuẫn nhau.".into(), TAMPERED),
        Error::JournalForeign => ("Nhật ký thuộc cơ quan khác.".into(), TAMPERED),
        Error::JournalOther { number } => {
            (format!("Bản ghi {number} không như mong đợi: đây là nhật ký cũ hơn hoặc nhật ký khác."), TAMPERED)
        }
        Error::SerialUnknown { serial } => {
            (format!("Cơ quan này không cấp chứng thư {serial}."), "`coloa-pki list` cho biết các số hiệu.")
        }
        Error::AlreadyRevoked { serial, at } => {
            (format!("Chứng thư {serial} đã bị thu hồi ngày {at}."), "Chỉ còn việc công bố danh sách thu hồi.")
        }
        Error::JournalUnknown => (
            "Lần ghi nhật ký trước bị lỗi; không rõ phần nào đã vào đĩa.".into(),
            "Mở lại cơ quan cấp; chương trình sẽ kiểm tra và sửa.",
        ),
        Error::CertificateMalformed => ("Đây không phải chứng thư đúng dạng.".into(), "Đề nghị gửi bản khác."),
        Error::Refused(refusal) => (refused(refusal), "Không tin cậy chứng thư này."),
        Error::File { path, why } => (
            format!("Không đọc hoặc ghi được {}: {why}.", path.display()),
            "Kiểm tra đường dẫn, quyền và dung lượng trống rồi thử lại.",
        ),
        Error::TooLarge { path } => (format!("{} lớn hơn 4 MiB.", path.display()), "Kiểm tra có đúng tệp không."),
        Error::NotPem { expected } => {
            (format!("Tệp không chứa thứ cần có: một {expected} dạng PEM hoặc DER."), "Kiểm tra tệp.")
        }
        Error::Clock => ("Ngày giờ ngoài phạm vi.".into(), "Kiểm tra đồng hồ máy và --days."),
        Error::LintFailed { rule } => (
            format!("Chứng thư vừa ký bị giữ lại: {rule} không đúng ý định."),
            "Báo lỗi phần mềm; chưa có gì được phát hành.",
        ),
        _ => ("Có dữ liệu không mã hóa được.".into(), "Báo lỗi phần mềm."),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed { what } => format!("Dữ liệu sai dạng ({what})."),
        Refusal::NoPath { subject } => format!("Không cơ quan tin cậy nào cấp {subject}."),
        Refusal::SignatureWrong { subject } => format!("Chữ ký trên {subject} sai."),
        Refusal::NotYetValid { subject, from } => format!("{subject} chỉ có hiệu lực từ {from}."),
        Refusal::Expired { subject, until } => format!("{subject} đã hết hạn ngày {until}."),
        Refusal::NotAuthority { subject } => format!("{subject} không phải cơ quan cấp chứng thư."),
        Refusal::PathTooLong { subject } => format!("Chuỗi tin cậy qua {subject} dài hơn cho phép."),
        Refusal::WrongUsage { subject } => format!("{subject} không được dùng như vậy (keyUsage)."),
        Refusal::WrongPurpose { subject } => format!("{subject} không dành cho mục đích này (extendedKeyUsage)."),
        Refusal::UnknownCritical { subject, oid } => {
            format!("{subject} có phần mở rộng bắt buộc {oid} không hiểu được.")
        }
        Refusal::Revoked { subject, serial, at, .. } => {
            format!("{subject} (số hiệu {serial}) đã bị thu hồi ngày {at}.")
        }
        Refusal::NoList { issuer } => format!("Không có danh sách chứng thư bị thu hồi của {issuer}."),
        Refusal::ListStale { issuer, since } => {
            format!("Danh sách chứng thư bị thu hồi của {issuer} lẽ ra phải được thay từ {since}.")
        }
        Refusal::TooMuchWork => "Có quá nhiều chuỗi tin cậy có thể.".into(),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "không có".to_owned() } else { names.join(", ") }
}
