//! Error numbers: stable, never reused, each with who is at fault and a next step in English and Vietnamese.
//!
//! Only the number crosses the boundary; detail goes to the engine's log.

/// Whose fault an error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Culprit {
    /// The caller can put it right.
    Caller,
    /// The engine or its medium is in trouble.
    Engine,
}

/// A person's language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    English,
    /// Tiếng Việt.
    Vietnamese,
}

macro_rules! errors {
    ($($number:literal $name:ident $culprit:ident $en:literal $en_next:literal $vi:literal $vi_next:literal;)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum ErrorCode {
            $(#[doc = $en] $name = $number,)*
        }

        impl ErrorCode {
            /// Every error, in the order of its number.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),*];

            /// The error of a reply's or fault's number; `None` for 0 and for numbers of a newer engine.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(ErrorCode::$name),)* _ => None }
            }

            /// Its name, for logs.
            pub fn name(self) -> &'static str {
                match self { $(ErrorCode::$name => stringify!($name),)* }
            }

            /// Who is at fault.
            pub fn culprit(self) -> Culprit {
                match self { $(ErrorCode::$name => Culprit::$culprit,)* }
            }

            /// What happened, for a person.
            pub fn sentence(self, language: Language) -> &'static str {
                match (self, language) {
                    $((ErrorCode::$name, Language::English) => $en, (ErrorCode::$name, Language::Vietnamese) => $vi,)*
                }
            }

            /// What to do about it.
            pub fn next_step(self, language: Language) -> &'static str {
                match (self, language) {
                    $((ErrorCode::$name, Language::English) => $en_next,
                      (ErrorCode::$name, Language::Vietnamese) => $vi_next,)*
                }
            }
        }
    };
}

errors! {
    1 FrameTooLong Caller
        "The frame is longer than this end accepts." "Send less data in one call."
        "Khung dữ liệu dài hơn mức cho phép." "Gửi ít dữ liệu hơn trong một lần gọi.";
    2 FrameTruncated Caller
        "The frame is cut short." "Reconnect; if it happens again, look for a proxy on the way."
        "Khung dữ liệu bị cắt ngắn." "Nối lại; nếu lặp lại, kiểm tra thiết bị trung gian trên đường.";
    3 FrameMalformed Caller
        "The frame does not follow the protocol." "Use a module of the same version as the appliance."
        "Khung dữ liệu sai giao thức." "Dùng mô-đun cùng phiên bản với thiết bị.";
    4 RequestRepeated Caller
        "A request number was used twice on one connection." "Reconnect; report the client's version."
        "Số yêu cầu bị lặp trên một kết nối." "Nối lại; báo phiên bản phần mềm khách.";
    5 VersionUnsupported Caller
        "The peer speaks another protocol version." "Update the older side."
        "Hai bên khác phiên bản giao thức." "Cập nhật bên cũ hơn.";
    6 HelloExpected Caller
        "The first frame must be a hello." "Use a Cổ Loa client."
        "Khung đầu tiên phải là lời chào." "Dùng phần mềm khách Cổ Loa.";
    10 CommandUnknown Caller
        "The engine does not know this command." "Update the appliance, or use an older client."
        "Máy không biết lệnh này." "Cập nhật thiết bị hoặc dùng phần mềm khách cũ hơn.";
    11 CommandMalformed Caller
        "The command's fields cannot be read." "Report the client's version."
        "Không đọc được các trường của lệnh." "Báo phiên bản phần mềm khách.";
    12 DataTooLong Caller
        "The data is longer than one command takes." "Split it into smaller parts."
        "Dữ liệu dài hơn một lệnh cho phép." "Chia thành phần nhỏ hơn.";
    13 BatchNested Caller
        "A batch may not hold this command, or is too long." "Send the command on its own."
        "Lô lệnh không được chứa lệnh này hoặc quá dài." "Gửi riêng lệnh đó.";
    14 RetryIdReused Caller
        "The retry id belongs to another request." "Use a new retry id for each request."
        "Mã gửi lại thuộc yêu cầu khác." "Dùng mã gửi lại mới cho mỗi yêu cầu.";
    20 ChannelForbidden Caller
        "This channel may not use the command." "Administrators use the appliance's local socket."
        "Kênh này không được dùng lệnh." "Quản trị viên dùng cổng nội bộ của thiết bị.";
    21 PartitionUnknown Caller
        "There is no such partition for this certificate." "Ask the operator to bind the client certificate to the partition."
        "Chứng thư này không có phân vùng đó." "Đề nghị người vận hành gắn chứng thư với phân vùng.";
    22 SessionUnknown Caller
        "The session is not open (closed, or the engine restarted)." "Open a session and log in again."
        "Phiên không mở (đã đóng hoặc máy khởi động lại)." "Mở phiên và đăng nhập lại.";
    23 SessionLimit Engine
        "No more sessions can be opened." "Close sessions that are not used."
        "Không mở thêm phiên được." "Đóng các phiên không dùng.";
    24 SessionsOpen Caller
        "The token has open sessions." "Close them first."
        "Token đang có phiên mở." "Đóng các phiên trước.";
    30 PinIncorrect Caller
        "The PIN is wrong." "Check the PIN; after too many wrong tries it is locked."
        "Sai mã PIN." "Kiểm tra mã PIN; sai quá số lần sẽ bị khóa.";
    31 PinLocked Caller
        "The PIN is locked after too many wrong tries." "The security officer sets a new user PIN; a locked SO PIN needs the partition to be made anew."
        "Mã PIN bị khóa do sai quá số lần." "Cán bộ an ninh đặt lại PIN người dùng; PIN cán bộ an ninh bị khóa thì phải tạo lại phân vùng.";
    32 PinLength Caller
        "The PIN must have 4 to 64 bytes." "Choose another PIN."
        "Mã PIN phải dài từ 4 đến 64 byte." "Chọn mã PIN khác.";
    33 NotLoggedIn Caller
        "The role this needs is not logged in." "Log in first."
        "Chưa đăng nhập vai trò cần thiết." "Đăng nhập trước.";
    34 AlreadyLoggedIn Caller
        "The role is logged in already." "Go on, or log out first."
        "Vai trò đã đăng nhập." "Tiếp tục, hoặc đăng xuất trước.";
    35 OtherRoleLoggedIn Caller
        "Another role is logged in." "Log out first."
        "Vai trò khác đang đăng nhập." "Đăng xuất trước.";
    36 UserPinNotSet Caller
        "The user has no PIN yet." "The security officer sets it."
        "Người dùng chưa có mã PIN." "Cán bộ an ninh đặt mã PIN.";
    37 TokenNotInitialized Caller
        "The token is not initialised." "Initialise it: label and SO PIN."
        "Token chưa khởi tạo." "Khởi tạo: nhãn và PIN cán bộ an ninh.";
    40 ObjectUnknown Caller
        "There is no such object, or this role may not see it." "Look it up again; log in if it is private."
        "Không có đối tượng đó hoặc vai trò này không được thấy." "Tìm lại; đăng nhập nếu là đối tượng riêng.";
    41 AttributeReadOnly Caller
        "The attribute cannot be changed." "Leave it out of the template."
        "Không thể đổi thuộc tính này." "Bỏ thuộc tính khỏi mẫu.";
    42 AttributeSensitive Caller
        "The attribute is secret and never leaves." "Use the key inside the engine."
        "Thuộc tính là bí mật, không xuất ra ngoài." "Dùng khóa bên trong máy.";
    43 AttributeTypeInvalid Caller
        "An attribute does not belong to this kind of object." "Leave it out of the template."
        "Thuộc tính không hợp với loại đối tượng." "Bỏ thuộc tính khỏi mẫu.";
    44 AttributeValueInvalid Caller
        "An attribute has a value it cannot have." "Correct the template."
        "Giá trị thuộc tính không hợp lệ." "Sửa mẫu.";
    45 TemplateIncomplete Caller
        "The template lacks an attribute." "Add it."
        "Mẫu thiếu thuộc tính." "Bổ sung thuộc tính.";
    46 TemplateInconsistent Caller
        "Attributes of the template contradict each other or the partition's rules." "Correct the template; a strict partition gives a key one purpose."
        "Các thuộc tính mâu thuẫn nhau hoặc trái quy tắc phân vùng." "Sửa mẫu; phân vùng nghiêm ngặt cho mỗi khóa một mục đích.";
    47 ObjectLimit Engine
        "No more objects can be stored." "Destroy objects that are not needed."
        "Không lưu thêm đối tượng được." "Tiêu hủy đối tượng không cần.";
    48 ActionProhibited Caller
        "The object may not be changed, copied or destroyed." "It was made so; use another object."
        "Đối tượng không được đổi, chép hoặc tiêu hủy." "Đối tượng được tạo như vậy; dùng đối tượng khác.";
    50 MechanismUnsupported Caller
        "The engine does not have this mechanism." "See the table of mechanisms."
        "Máy không có cơ chế này." "Xem bảng cơ chế.";
    51 MechanismParameter Caller
        "The mechanism's parameter is wrong." "Correct it; a strict partition makes GCM IVs itself, so give a buffer of 12 zero bytes."
        "Tham số cơ chế sai." "Sửa tham số; phân vùng nghiêm ngặt tự tạo IV cho GCM: đưa vùng đệm 12 byte 0.";
    52 KeyTypeInconsistent Caller
        "The key is not of the mechanism's type." "Use a key of that type."
        "Loại khóa không hợp cơ chế." "Dùng đúng loại khóa.";
    53 KeyUseForbidden Caller
        "The key may not be used for this." "Use a key made for this purpose."
        "Khóa không được dùng cho việc này." "Dùng khóa tạo cho mục đích này.";
    54 DataLength Caller
        "The data has a length the mechanism cannot take." "Give a digest of the right length."
        "Độ dài dữ liệu không hợp cơ chế." "Đưa giá trị băm đúng độ dài.";
    55 SignatureInvalid Caller
        "The signature is not valid." "The data or the key differ from those signed."
        "Chữ ký không hợp lệ." "Dữ liệu hoặc khóa khác lúc ký.";
    56 SignatureLength Caller
        "The signature has the wrong length." "Give the whole signature."
        "Độ dài chữ ký sai." "Đưa đủ chữ ký.";
    57 DecryptionFailed Caller
        "The ciphertext is not authentic." "Ciphertext, IV, additional data and key must be those of the encryption."
        "Bản mã không xác thực." "Bản mã, IV, dữ liệu kèm và khóa phải đúng như lúc mã hóa.";
    58 CurveUnsupported Caller
        "The curve is not supported." "See the table of mechanisms."
        "Không hỗ trợ đường cong này." "Xem bảng cơ chế.";
    59 KeySize Caller
        "The key has a size that is not supported." "See the table of mechanisms."
        "Không hỗ trợ độ dài khóa này." "Xem bảng cơ chế.";
    60 KeyLimitReached Engine
        "The key has done all the encryptions it may (SP 800-38D §8.3)." "Generate a new key."
        "Khóa đã dùng hết số lần mã hóa cho phép." "Tạo khóa mới.";
    61 KeyUnextractable Caller
        "The key may not be wrapped." "Only a key made extractable can be."
        "Khóa không được phép bọc để xuất." "Chỉ khóa tạo cho phép xuất mới bọc được.";
    62 WrappedKeyInvalid Caller
        "The wrapped key is not authentic, or holds no key of this kind." "Wrapped key, mechanism and unwrapping key must be those of the wrapping."
        "Khóa bọc không xác thực hoặc không chứa khóa loại này." "Khóa bọc, cơ chế và khóa mở phải đúng như lúc bọc.";
    63 WrappedKeyLength Caller
        "The wrapped key has a length the mechanism cannot take." "Give the whole wrapped key."
        "Độ dài khóa bọc không hợp cơ chế." "Đưa đủ khóa bọc.";
    64 PublicKeyInvalid Caller
        "The public key is not valid." "Give a public key of the same curve or parameter set."
        "Khóa công khai không hợp lệ." "Đưa khóa công khai cùng đường cong hoặc bộ tham số.";
    65 MechanismForbidden Caller
        "The partition's rules do not allow this mechanism." "Use one with integrity (GCM, CCM, KW, PSS, OAEP) and a longer key, or ask for a compatible partition."
        "Quy tắc phân vùng không cho phép cơ chế này." "Dùng cơ chế có toàn vẹn (GCM, CCM, KW, PSS, OAEP) và khóa dài hơn, hoặc xin phân vùng tương thích.";
    66 KeyNotWrappable Caller
        "The key may not leave under this wrapping key." "Use a wrapping key that the security officer has marked as trusted."
        "Khóa không được xuất dưới khóa bọc này." "Dùng khóa bọc được cán bộ an ninh đánh dấu tin cậy.";
    67 KeyOutsideTemplate Caller
        "The wrapping key's template does not allow this key." "Use a wrapping key made for such keys."
        "Mẫu của khóa bọc không cho phép khóa này." "Dùng khóa bọc tạo cho loại khóa đó.";
    68 WrappingKeyType Caller
        "The wrapping key is not of the mechanism's type." "Use a wrapping key of that type."
        "Loại khóa bọc không hợp cơ chế." "Dùng khóa bọc đúng loại.";
    69 UnwrappingKeyType Caller
        "The unwrapping key is not of the mechanism's type." "Use the key that belongs to the wrapping."
        "Loại khóa mở không hợp cơ chế." "Dùng khóa mở tương ứng lúc bọc.";
    70 StoreFull Engine
        "The store is full; nothing was changed." "Free space on the volume, then try again."
        "Kho lưu đầy; chưa thay đổi gì." "Giải phóng dung lượng rồi thử lại.";
    71 StoreFailed Engine
        "The store could not be read or written." "Look at the engine's log and the medium."
        "Không đọc hoặc ghi được kho lưu." "Xem nhật ký máy và thiết bị lưu.";
    72 StoreCorrupt Engine
        "A record of the store is damaged or was changed." "Take the unit out of service; restore a backup."
        "Bản ghi trong kho bị hỏng hoặc bị sửa." "Dừng thiết bị; phục hồi bản sao lưu.";
    73 StoreRolledBack Engine
        "An old record was put back into the store." "Take the unit out of service and find out who had access."
        "Bản ghi cũ bị đặt lại vào kho." "Dừng thiết bị và điều tra người đã truy cập.";
    74 OutcomeUnknown Engine
        "It is not known whether the change was made." "Ask again with the same retry id, or look whether it is there."
        "Không rõ thay đổi đã thực hiện chưa." "Gửi lại với cùng mã, hoặc kiểm tra kết quả.";
    75 Conflict Engine
        "Another caller changed the same thing at the same time." "Try again."
        "Có nơi khác đổi cùng lúc." "Thử lại.";
    80 ErrorState Engine
        "A self-test failed: the engine refuses cryptography." "Restart the unit; if it fails again take it out of service."
        "Tự kiểm tra thất bại: máy từ chối mật mã." "Khởi động lại; nếu vẫn lỗi thì dừng thiết bị.";
    81 EntropyFailed Engine
        "The random number source failed." "Restart the unit; if it fails again take it out of service."
        "Nguồn ngẫu nhiên hỏng." "Khởi động lại; nếu vẫn lỗi thì dừng thiết bị.";
    82 DeviceNotInitialized Engine
        "The device is not initialised." "An operator runs `coloa init` on the appliance."
        "Thiết bị chưa khởi tạo." "Người vận hành chạy `coloa init` trên thiết bị.";
    83 DeviceInitialized Caller
        "The device is initialised already." "Zeroize it first if it shall start anew."
        "Thiết bị đã khởi tạo." "Xóa trắng trước nếu muốn làm lại.";
    84 LimitReached Engine
        "The engine has reached a limit of its memory." "Close sessions or destroy objects."
        "Máy đạt giới hạn bộ nhớ." "Đóng phiên hoặc tiêu hủy đối tượng.";
    85 Stopping Engine
        "The engine is stopping." "Try again when it is back."
        "Máy đang dừng." "Thử lại khi máy chạy lại.";
    86 Internal Engine
        "An internal error; it was logged." "Report it with the engine's log."
        "Lỗi nội bộ; đã ghi nhật ký." "Báo lỗi kèm nhật ký máy.";
    87 BodyUnsupported Caller
        "This body of the engine cannot do that." "Use an appliance."
        "Loại thiết bị này không làm được việc đó." "Dùng thiết bị chuyên dụng.";
    88 SerialMismatch Caller
        "The serial number is another device's." "Look at the device's own with `coloa status`; nothing was destroyed."
        "Số hiệu thuộc thiết bị khác." "Xem số hiệu của thiết bị bằng `coloa status`; chưa có gì bị hủy.";
    100 QuorumNeeded Caller
        "This act needs a quorum of custodians." "Propose it with `coloa quorum propose`; custodians approve it, then it is executed."
        "Việc này cần đủ số người giữ khóa chấp thuận." "Đề xuất bằng `coloa quorum propose`; người giữ khóa chấp thuận rồi mới thực hiện.";
    101 ProposalUnknown Caller
        "There is no such proposal: it was executed, withdrawn, rejected, or never made." "`coloa quorum list` shows those there are."
        "Không có đề xuất đó: đã thực hiện, rút lại, bị bác, hoặc chưa từng có." "Xem `coloa quorum list`.";
    102 ProposalExpired Caller
        "The proposal's time is over." "Propose it anew."
        "Đề xuất đã hết hạn." "Đề xuất lại.";
    103 QuorumNotReached Caller
        "Too few custodians approve." "`coloa quorum list` shows who did; ask the others."
        "Chưa đủ người giữ khóa chấp thuận." "Xem `coloa quorum list` và hỏi những người còn lại.";
    104 CustodianUnknown Caller
        "There is no custodian of that name." "`coloa custodian list` shows who they are."
        "Không có người giữ khóa tên đó." "Xem `coloa custodian list`.";
    105 CustodianSignature Caller
        "The signature is not this custodian's over this proposal." "Sign the proposal as the device shows it now, with the key that belongs to the name."
        "Chữ ký không phải của người giữ khóa này trên đề xuất này." "Ký đúng nội dung đề xuất mà thiết bị đang hiển thị, bằng khóa của người đó.";
    106 CustodianVoted Caller
        "This custodian has voted already." "Nothing more to do; another custodian is needed."
        "Người giữ khóa này đã biểu quyết." "Không cần làm gì thêm; cần người khác.";
    107 NoQuorumAct Caller
        "That command needs no quorum, or there are no custodians." "Give it directly."
        "Lệnh đó không cần chấp thuận, hoặc chưa có người giữ khóa." "Thực hiện trực tiếp.";
    108 CustodiansInvalid Caller
        "These custodians cannot be: 2 to 16 with different names and P-384 keys, and a threshold from 2 to their number." "Correct the list."
        "Danh sách người giữ khóa không hợp lệ: từ 2 đến 16 người, tên và khóa P-384 khác nhau, ngưỡng từ 2 đến số người." "Sửa lại danh sách.";
    110 BackupKeyMissing Caller
        "There is no master backup key." "Make one with `coloa backup key create`."
        "Chưa có khóa sao lưu chủ." "Tạo bằng `coloa backup key create`.";
    111 BackupKeyPresent Caller
        "There is a master backup key already; only a quorum may replace it." "Use the one there is: `coloa backup key show`."
        "Đã có khóa sao lưu chủ; chỉ đủ số người giữ khóa mới được thay." "Dùng khóa đang có: `coloa backup key show`.";
    112 BackupShareTaken Caller
        "This share was handed out already, and is no longer here." "Its holder has it; restoring needs only as many as the threshold."
        "Mảnh khóa này đã giao và không còn trong máy." "Người giữ đang có mảnh đó; phục hồi chỉ cần đủ ngưỡng.";
    113 DeviceNotEmpty Caller
        "The device has partitions: a backup is restored only into an empty one." "Restore on a new unit that is initialised and has no partition."
        "Thiết bị đã có phân vùng: chỉ phục hồi vào thiết bị trống." "Phục hồi trên thiết bị mới đã khởi tạo và chưa có phân vùng.";
    114 RestoreNeedsQuorum Caller
        "The archive is an older state of this same device: only a quorum may put it back." "Restore on another unit, or have the custodians approve it."
        "Tệp sao lưu là trạng thái cũ của chính thiết bị này: chỉ đủ số người giữ khóa mới được đặt lại." "Phục hồi trên thiết bị khác, hoặc xin người giữ khóa phê duyệt.";
    115 ArchiveInvalid Caller
        "The archive is damaged, changed, cut short or out of order; nothing was changed here." "Use another copy; `coloa backup verify` names the place."
        "Tệp sao lưu bị hỏng, bị sửa, bị cắt hoặc sai thứ tự; chưa thay đổi gì ở đây." "Dùng bản khác; `coloa backup verify` chỉ ra chỗ sai.";
    116 ArchiveForeign Caller
        "The archive does not belong here: another key, another device, or not the one that the last builds on." "Give the full archive first, then each incremental one in order, all of one device and key."
        "Tệp sao lưu không thuộc chuỗi này: khác khóa, khác thiết bị hoặc sai bản nền." "Đưa bản đầy đủ trước, rồi từng bản bổ sung theo thứ tự, cùng thiết bị và khóa.";
    117 BackupParameter Caller
        "The threshold, the holders or the share's number cannot be taken." "At least 2 shares restore, at most 16 are made; each holder is named once."
        "Ngưỡng, người giữ hoặc số mảnh khóa không hợp lệ." "Cần ít nhất 2 mảnh, nhiều nhất 16 mảnh; mỗi người giữ nêu một lần.";
    118 RestoreNotBegun Caller
        "There is no restore at this step: it was not begun, it expired, or shares are missing." "Begin again with the archive and the shares."
        "Không có phục hồi ở bước này: chưa bắt đầu, đã hết hạn hoặc thiếu mảnh khóa." "Bắt đầu lại với tệp sao lưu và các mảnh khóa.";
    119 ExportNotBegun Caller
        "There is no export at this step: it was not begun, it expired, or another took its place." "Begin the backup again."
        "Không có sao lưu ở bước này: chưa bắt đầu, đã hết hạn hoặc bị lần khác thay." "Bắt đầu sao lưu lại.";
    120 KeySuspended Caller
        "The key is suspended: nothing uses it." "Ask the security officer of the partition to resume it, or use another key."
        "Khóa đang tạm dừng: không dùng được vào việc gì." "Đề nghị cán bộ an ninh của phân vùng cho dùng lại, hoặc dùng khóa khác.";
    121 KeyPreActive Caller
        "The key is not active yet." "Wait for its day, or ask the security officer of the partition to activate it."
        "Khóa chưa được kích hoạt." "Chờ đến ngày hiệu lực hoặc đề nghị cán bộ an ninh của phân vùng kích hoạt.";
    122 KeyDeactivated Caller
        "The key is deactivated: it only decrypts, verifies and unwraps." "Use the key that has replaced it."
        "Khóa đã ngừng hoạt động: chỉ giải mã, kiểm tra chữ ký và mở bọc." "Dùng khóa thay thế.";
    123 KeyCompromised Caller
        "The key counts as compromised: it only decrypts, verifies and unwraps." "Use a new key, and trust nothing this one protected since."
        "Khóa bị coi là đã lộ: chỉ giải mã, kiểm tra chữ ký và mở bọc." "Dùng khóa mới; không tin những gì khóa này bảo vệ từ lúc đó.";
    124 KeyTransitionIllegal Caller
        "A key does not go from its present state to that one (SP 800-57)." "See the key's state; `coloa key show` says it."
        "Khóa không được chuyển từ trạng thái hiện tại sang trạng thái đó (SP 800-57)." "Xem trạng thái của khóa bằng `coloa key show`.";
    125 KeyNotRotatable Caller
        "The key was not generated here, so the engine makes none like it." "Make the new key as the old one was made, then deactivate the old one."
        "Khóa không được tạo trong máy này nên máy không tạo khóa thay thế." "Tạo khóa mới như cách đã tạo khóa cũ, rồi ngừng hoạt động khóa cũ.";
    126 KeyCompromisedUsed Caller
        "A key that counts as compromised has processed old data." "Nothing failed: the audit log marks such uses."
        "Khóa bị coi là đã lộ vừa xử lý dữ liệu cũ." "Không có lỗi: nhật ký kiểm toán đánh dấu những lần dùng này.";
    127 MetadataLoosened Caller
        "What is said of a key is not taken back: its classification only rises, its period and its uses only become fewer." "Leave the field out, or make a new key."
        "Không được rút lại điều đã ghi về khóa: độ mật chỉ tăng, thời hạn và số lần dùng chỉ giảm." "Bỏ trường đó ra, hoặc tạo khóa mới.";
    140 PinDelayed Caller
        "After wrong tries no PIN is looked at for a while, not even the right one." "Wait and try again; `coloa token list` says how long. Each further wrong PIN doubles the time."
        "Sau các lần sai, tạm thời không kiểm tra mã PIN nào, kể cả mã đúng." "Chờ rồi thử lại; `coloa token list` cho biết còn bao lâu. Mỗi lần sai nữa thời gian chờ tăng gấp đôi.";
    170 ServiceNotApproved Caller
        "The service is not approved (SP 800-131A), and this partition serves approved ones only." "Use an approved mechanism and key; MECHANISMS.md and `C_GetMechanismList` name them."
        "Dịch vụ không được phê duyệt (SP 800-131A) và phân vùng này chỉ cho dịch vụ được phê duyệt." "Dùng cơ chế và khóa được phê duyệt; xem MECHANISMS.md và `C_GetMechanismList`.";
    180 PartitionSuspended Caller
        "The partition is suspended: nothing in it is used; its keys are as they were." "Ask the administrator of the device, who lets it go on with `coloa partition resume`."
        "Phân vùng đang tạm dừng: không dùng được gì trong đó; khóa vẫn nguyên vẹn." "Đề nghị quản trị thiết bị cho hoạt động lại bằng `coloa partition resume`.";
    181 QuotaReached Caller
        "The partition stores as much as its quota allows." "Destroy objects that are not needed, or ask the administrator for a larger quota; `coloa partition usage` shows both."
        "Phân vùng đã lưu hết hạn mức." "Tiêu hủy đối tượng không cần hoặc đề nghị quản trị tăng hạn mức; xem `coloa partition usage`.";
    182 SessionQuotaReached Caller
        "As many sessions are open on the partition as its quota allows." "Close sessions, or ask the administrator for a larger quota; `coloa partition usage` shows both."
        "Số phiên mở trên phân vùng đã hết hạn mức." "Đóng bớt phiên hoặc đề nghị quản trị tăng hạn mức; xem `coloa partition usage`.";
    183 PinTooSimple Caller
        "The new PIN has too few kinds of characters for this partition." "Mix lower-case letters, capitals, digits and other characters; `coloa partition usage` shows how many kinds it asks for."
        "PIN mới có quá ít loại ký tự so với quy định của phân vùng." "Kết hợp chữ thường, chữ hoa, chữ số và ký tự khác; xem số loại cần có bằng `coloa partition usage`.";
    184 SettingsInvalid Caller
        "These settings of a partition cannot be: a bound is out of its range, or a mechanism is not one of the engine's. Nothing was changed." "PINs have 4 to 64 bytes, the least no more than the most, 1 to 4 kinds, tries from 1 to the device's; at least 1 session."
        "Thiết lập phân vùng không hợp lệ: giới hạn ngoài khoảng cho phép hoặc cơ chế không có trong máy. Chưa thay đổi gì." "PIN dài 4 đến 64 byte, tối thiểu không quá tối đa, 1 đến 4 loại ký tự, số lần thử từ 1 đến mức của thiết bị; ít nhất 1 phiên.";
    200 DeviceTampered Engine
        "The device was tampered with: its keys are destroyed, and it serves nothing." "Find out who opened it. A quorum has it return: `coloa quorum propose tamper-return`."
        "Thiết bị đã bị xâm phạm: khóa đã bị hủy và thiết bị không phục vụ." "Tìm hiểu ai đã mở máy. Đủ số người giữ khóa mới cho dùng lại: `coloa quorum propose tamper-return`.";
    201 DeviceNotTampered Caller
        "The device was not tampered with: there is nothing to return from." "Nothing is to be done."
        "Thiết bị không bị xâm phạm: không có gì để khôi phục." "Không cần làm gì.";
}

impl ErrorCode {
    /// Its number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Whether the stream it came over can no longer be trusted, so that both ends close it.
    pub fn is_fatal(self) -> bool {
        self.number() < ErrorCode::CommandUnknown.number()
    }
}

impl core::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (sentence, next) = (self.sentence(Language::English), self.next_step(Language::English));
        write!(f, "{sentence} {next} (E{:03})", self.number())
    }
}

impl core::error::Error for ErrorCode {}
