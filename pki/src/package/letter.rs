//! The activation letter: the code, once, on paper, that goes another way than the package.

use coloa_package::Code;

use crate::ca::Packaged;
use crate::hex;
use crate::package::table::Site;

/// The text, Vietnamese first.
pub fn text(site: &Site, made: &Packaged, code: &Code) -> zeroize::Zeroizing<String> {
    let (serial, digest, code) = (hex::encode(&made.serial), hex::encode(&made.digest), code.text());
    let code = zeroize::Zeroizing::new(code);
    zeroize::Zeroizing::new(format!(
        "THƯ KÍCH HOẠT / ACTIVATION LETTER\n\n\
         Đơn vị / Site:            {} ({})\n\
         Gói khóa / Package:       {serial}\n\
         Dấu vân tay / SHA-256:    {digest}\n\
         Hạn mở / Open before:     {}\n\n\
         Mã kích hoạt / Activation code:\n\n        {}\n\n\
         Mã chỉ dùng một lần. Không gửi cùng đường với gói khóa. Trên thiết bị:\n\
         The code serves once. Never send it the same way as the package. On the box:\n\n\
         \x20   coloa link join {}.coloapkg\n\n\
         Xong, gửi tệp `receipt` về cơ quan cấp và huỷ thư này.\n\
         Then send the file `receipt` back to the authority, and destroy this letter.\n",
        site.name, site.organ, made.until, *code, site.name,
    ))
}
