//! What goes wrong in a ceremony, for a person.

use crate::fault::Fault;
use coloa_wire::error::Language;
use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug)]
pub enum Trouble {
    /// A plan cannot be carried out as it is written.
    Plan { file: PathBuf, why: String },
    /// The plan is not the one that was confirmed.
    PlanChanged { file: PathBuf },
    /// A record is not as it was written.
    Edited { file: PathBuf, record: u64 },
    /// The device knows of a record that is not there.
    Cut { file: PathBuf },
    /// Somebody else runs this ceremony.
    Busy(PathBuf),
    /// Nobody answers at the prompt.
    Interrupted,
    /// What was typed is not what this side shows.
    Differs { subject: String },
    /// The device is not new.
    NotNew,
    /// The device is not initialised.
    NotInitialised,
    /// It is another device.
    OtherDevice { wanted: String, found: String },
    /// The device's custodians or their number are not the plan's.
    OtherCustodians,
    /// There is a backup key that this ceremony did not make.
    OtherKey,
    /// What a step would make is there already.
    Exists(String),
    /// Too few custodians.
    TooFew { given: usize, wanted: u32 },
    /// The custodians rejected an act.
    Rejected,
    /// A custodian's answer is not to what was asked.
    Answer { person: String, why: String },
    /// The ceremony is not at its end.
    NotClosed,
    /// A file of the ceremony is not what the journal says.
    Forged { what: String },
}

impl Trouble {
    pub fn plan(file: &Path, why: impl ToString) -> Fault {
        Trouble::Plan { file: file.to_path_buf(), why: why.to_string() }.into()
    }

    pub fn words(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Vietnamese => self.vietnamese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Trouble::Plan { file, why } => format!("{}: the plan cannot be used: {why}. Correct it.", file.display()),
            Trouble::PlanChanged { file } => format!(
                "{}: this is not the plan that was confirmed at the start. Put the confirmed one back, or begin a new ceremony.",
                file.display()
            ),
            Trouble::Edited { file, record } => format!(
                "{}: record {record} is not as it was written: the journal was edited there. Keep the folder for those who investigate, and begin a new ceremony.",
                file.display()
            ),
            Trouble::Cut { file } => format!(
                "{}: the device noted a record that is not in it: the journal was cut, or is an older copy. Bring the right one back.",
                file.display()
            ),
            Trouble::Busy(file) => {
                format!("{}: somebody else runs this ceremony. End the other `coloa ceremony run` first.", file.display())
            }
            Trouble::Interrupted => {
                "the ceremony is interrupted: nobody answers. `coloa ceremony run` goes on at this step.".into()
            }
            Trouble::Differs { subject } => format!(
                "the check value of {subject} that was typed is not the one here. Find out which side has another one; nothing was done with it."
            ),
            Trouble::NotNew => {
                "the device is initialised already, and not by this ceremony. Bring a new one, or leave the step out.".into()
            }
            Trouble::NotInitialised => {
                "the device is not initialised. Begin the plan with the step `initialise`.".into()
            }
            Trouble::OtherDevice { wanted, found } => format!(
                "this is device {found}, and the ceremony is device {wanted}'s. Connect that one (--socket)."
            ),
            Trouble::OtherCustodians => {
                "the device has other custodians, other keys of theirs, or another quorum than the plan: the ceremony does not go on with a weaker one. `coloa custodian list` shows them.".into()
            }
            Trouble::OtherKey => {
                "the device has a master backup key that this ceremony did not make; a second one is not drawn. `coloa backup key show` says whose it is.".into()
            }
            Trouble::Exists(what) => {
                format!("\"{what}\" is there already, and not from this ceremony. Take it away, or leave the step out.")
            }
            Trouble::TooFew { given, wanted } => {
                format!("{given} of the {wanted} custodians that are needed are there. Go on when they are: `coloa ceremony run`.")
            }
            Trouble::Rejected => {
                "the custodians rejected it: it was not done. `coloa ceremony run` asks anew, or end here.".into()
            }
            Trouble::Answer { person, why } => {
                format!("the answer of {person} cannot be taken: {why}. Have it made again.")
            }
            Trouble::NotClosed => "the ceremony is not at its end: nothing is signed yet. `coloa ceremony run` goes on.".into(),
            Trouble::Forged { what } => format!("{what}. Trust neither the folder nor the minutes; keep both."),
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            Trouble::Plan { file, why } => format!("{}: không dùng được kế hoạch: {why}. Hãy sửa lại.", file.display()),
            Trouble::PlanChanged { file } => format!(
                "{}: không phải kế hoạch đã được xác nhận lúc bắt đầu. Đưa lại đúng bản đó hoặc bắt đầu buổi lễ mới.",
                file.display()
            ),
            Trouble::Edited { file, record } => format!(
                "{}: bản ghi {record} không còn như lúc ghi: biên bản gốc đã bị sửa tại đó. Giữ nguyên thư mục để điều tra và bắt đầu buổi lễ mới.",
                file.display()
            ),
            Trouble::Cut { file } => format!(
                "{}: thiếu bản ghi mà thiết bị đã ghi nhận: tệp bị cắt hoặc là bản cũ. Mang đúng bản về.",
                file.display()
            ),
            Trouble::Busy(file) => {
                format!("{}: có người khác đang chạy buổi lễ này. Dừng `coloa ceremony run` kia trước.", file.display())
            }
            Trouble::Interrupted => {
                "buổi lễ bị gián đoạn: không ai trả lời. `coloa ceremony run` sẽ tiếp tục từ bước này.".into()
            }
            Trouble::Differs { subject } => format!(
                "giá trị kiểm tra của {subject} được gõ không trùng với bên này. Tìm xem bên nào khác; chưa dùng đến nó."
            ),
            Trouble::NotNew => {
                "thiết bị đã khởi tạo, không phải trong buổi lễ này. Dùng thiết bị mới hoặc bỏ bước này.".into()
            }
            Trouble::NotInitialised => "thiết bị chưa khởi tạo. Đặt bước `initialise` ở đầu kế hoạch.".into(),
            Trouble::OtherDevice { wanted, found } => {
                format!("đây là thiết bị {found}, còn buổi lễ là của thiết bị {wanted}. Kết nối đúng thiết bị (--socket).")
            }
            Trouble::OtherCustodians => {
                "thiết bị có người giữ khóa, khóa của họ hoặc số phiếu khác kế hoạch: buổi lễ không tiếp tục với mức yếu hơn. Xem `coloa custodian list`.".into()
            }
            Trouble::OtherKey => {
                "thiết bị đã có khóa sao lưu chủ không do buổi lễ này tạo; không tạo khóa thứ hai. Xem `coloa backup key show`.".into()
            }
            Trouble::Exists(what) => {
                format!("đã có \"{what}\", không phải từ buổi lễ này. Bỏ đi hoặc bỏ bước này.")
            }
            Trouble::TooFew { given, wanted } => {
                format!("có {given} trong {wanted} người giữ khóa cần thiết. Đủ người thì tiếp tục: `coloa ceremony run`.")
            }
            Trouble::Rejected => {
                "những người giữ khóa đã bác: chưa thực hiện. `coloa ceremony run` sẽ hỏi lại, hoặc dừng tại đây.".into()
            }
            Trouble::Answer { person, why } => {
                format!("không nhận được trả lời của {person}: {why}. Hãy làm lại.")
            }
            Trouble::NotClosed => "buổi lễ chưa kết thúc: chưa ký gì. `coloa ceremony run` để tiếp tục.".into(),
            Trouble::Forged { what } => format!("{what}. Không tin thư mục và biên bản này; giữ lại cả hai."),
        }
    }
}
