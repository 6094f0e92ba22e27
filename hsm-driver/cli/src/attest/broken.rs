//! Why what a device is to have said of a key does not hold.

use coloa_wire::error::Language;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// It is no such file.
    Form,
    /// The device's certificate is not the one that was taken at the ceremony.
    Root,
    /// A certificate is not signed by the one above it.
    Chain,
    /// The statement is not signed by the device's attestation key.
    Signature,
    /// The key's certificate holds another key or statement.
    Certificate,
    /// The statement names another device than the certificates.
    Serial,
    /// It is about another key.
    Key,
    /// It answers another question.
    Nonce,
    /// Another image ran, or none that is known.
    Image,
}

impl Broken {
    /// The sentence.
    pub fn words(self, language: Language) -> &'static str {
        let (english, vietnamese) = self.both();
        match language {
            Language::English => english,
            Language::Vietnamese => vietnamese,
        }
    }

    fn both(self) -> (&'static str, &'static str) {
        match self {
            Broken::Form => (
                "it is not what `coloa attest key` writes. Have the key attested anew.",
                "không phải tệp do `coloa attest key` ghi. Hãy xin chứng thực lại.",
            ),
            Broken::Root => (
                "its device certificate is not that of --root: it is another device's, or forged. Do not trust the key.",
                "chứng thư thiết bị không trùng với --root: của thiết bị khác hoặc giả mạo. Không tin khóa này.",
            ),
            Broken::Chain => (
                "a certificate is not signed by the one above it: the file was changed or forged. Do not trust the key.",
                "một chứng thư không do chứng thư cấp trên ký: tệp đã bị sửa hoặc giả mạo. Không tin khóa này.",
            ),
            Broken::Signature => (
                "the statement is not signed by the device: it was changed or forged. Do not trust the key.",
                "lời khai không do thiết bị ký: đã bị sửa hoặc giả mạo. Không tin khóa này.",
            ),
            Broken::Certificate => (
                "the key's certificate does not hold this statement and key: parts of two files were put together. Do not trust the key.",
                "chứng thư của khóa không chứa lời khai và khóa này: tệp bị ghép từ hai nguồn. Không tin khóa này.",
            ),
            Broken::Serial => (
                "the statement names another device than the certificates. Do not trust the key.",
                "lời khai nêu thiết bị khác với chứng thư. Không tin khóa này.",
            ),
            Broken::Key => (
                "it is about another key than the one in --public. Ask for the attestation of that key.",
                "lời khai nói về khóa khác với --public. Hãy xin chứng thực đúng khóa đó.",
            ),
            Broken::Nonce => (
                "it does not answer this nonce: it may be an old answer. Ask anew with your nonce.",
                "không trả lời đúng nonce này: có thể là câu trả lời cũ. Hãy hỏi lại bằng nonce của bạn.",
            ),
            Broken::Image => (
                "the device did not run the image in --image. Find out which version it runs before you trust the key.",
                "thiết bị không chạy ảnh phần mềm nêu ở --image. Tìm hiểu phiên bản đang chạy trước khi tin khóa.",
            ),
        }
    }
}
