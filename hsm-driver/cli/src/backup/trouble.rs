//! What goes wrong with backups, for a person.

use coloa_wire::command::ShareVerdict;
use coloa_wire::error::Language;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug)]
pub enum Trouble {
    /// An archive is not whole from this chunk and byte on.
    Damaged { file: PathBuf, chunk: u64, at: usize },
    /// An archive does not build on the one before it.
    OutOfOrder(PathBuf),
    /// A text holds no share.
    NoShare,
    /// A line of a share is missing or mistyped.
    ShareLine(u8),
    /// The device does not take a share.
    Refused { holder: String, verdict: ShareVerdict },
    /// Too few shares.
    TooFew { wanted: u8, holders: Vec<String> },
    /// Shares are shown at a terminal, or written to a folder.
    NoTerminal,
    /// Nobody of this name waits for a share.
    NoSuchHolder(String),
}

impl Trouble {
    pub fn words(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Vietnamese => self.vietnamese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Trouble::Damaged { file, chunk, at } => format!(
                "{}: damaged, changed or cut short at chunk {chunk} (byte {at}). Use another copy.",
                file.display()
            ),
            Trouble::OutOfOrder(file) => format!(
                "{}: does not build on the archive before it. Give the full one first, then each in its order.",
                file.display()
            ),
            Trouble::NoShare => "this is no share. Give the text as it was printed, with its numbered lines.".into(),
            Trouble::ShareLine(line) => {
                format!("line {line} of the share is missing or mistyped. Compare it with the printed one.")
            }
            Trouble::Refused { holder, verdict } => {
                let why = match verdict {
                    ShareVerdict::Foreign => {
                        "belongs to another key. Bring the share of the key that the archive names"
                    }
                    ShareVerdict::Repeated => "was given already. The next holder's is wanted",
                    ShareVerdict::Altered => "was altered: it is not what this holder was given. It is not used",
                    ShareVerdict::Unreadable | ShareVerdict::Accepted => "cannot be read as a share",
                };
                format!("the share of {} {why}.", named(holder, "an unknown holder"))
            }
            Trouble::TooFew { wanted, holders } => {
                format!("{wanted} more of these shares are wanted: {}. Give them with --share.", holders.join(", "))
            }
            Trouble::NoTerminal => {
                "there is no terminal to show or type a share at. Use --out-dir, or --share FILE.".into()
            }
            Trouble::NoSuchHolder(name) => {
                format!("no share of {name} is waiting. `coloa backup key show` lists who has one.")
            }
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            Trouble::Damaged { file, chunk, at } => {
                format!("{}: bị hỏng, bị sửa hoặc bị cắt tại khối {chunk} (byte {at}). Dùng bản khác.", file.display())
            }
            Trouble::OutOfOrder(file) => {
                format!("{}: không nối tiếp bản trước. Đưa bản đầy đủ trước, rồi từng bản theo thứ tự.", file.display())
            }
            Trouble::NoShare => "đây không phải mảnh khóa. Đưa đúng văn bản đã in, gồm các dòng có số.".into(),
            Trouble::ShareLine(line) => {
                format!("dòng {line} của mảnh khóa thiếu hoặc gõ sai. So lại với bản in.")
            }
            Trouble::Refused { holder, verdict } => {
                let why = match verdict {
                    ShareVerdict::Foreign => "thuộc khóa khác. Mang mảnh của khóa mà tệp sao lưu nêu",
                    ShareVerdict::Repeated => "đã được đưa rồi. Cần mảnh của người khác",
                    ShareVerdict::Altered => "đã bị sửa: không đúng mảnh đã giao. Không dùng mảnh này",
                    ShareVerdict::Unreadable | ShareVerdict::Accepted => "không đọc được",
                };
                format!("mảnh khóa của {} {why}.", named(holder, "người chưa rõ"))
            }
            Trouble::TooFew { wanted, holders } => {
                format!("còn thiếu {wanted} mảnh trong số của: {}. Đưa bằng --share.", holders.join(", "))
            }
            Trouble::NoTerminal => "không có màn hình để hiện hoặc gõ mảnh khóa. Dùng --out-dir hoặc --share.".into(),
            Trouble::NoSuchHolder(name) => {
                format!("không có mảnh nào chờ {name}. Xem `coloa backup key show`.")
            }
        }
    }
}

fn named<'a>(holder: &'a str, nobody: &'a str) -> &'a str {
    if holder.is_empty() { nobody } else { holder }
}
