//! `coloa zeroize`.

use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::command::{DeviceInfo, DeviceZeroize};
use serde_json::json;

/// R14. The serial number is typed, so that nobody destroys the device beside the one he means.
pub fn zeroize(socket: &mut AdminSocket, screen: &Screen, confirm: Option<&str>) -> Result<(), Fault> {
    let device = socket.call(None, &DeviceInfo {})?;
    let serial = match confirm {
        Some(typed) => typed.to_owned(),
        None => screen.typed(&format!(
            "{} \"{}\" ({}): {}",
            screen.text(
                "Every key, PIN and record will be gone for good, the audit log too, on",
                "Mọi khóa, mã PIN và bản ghi, kể cả nhật ký kiểm toán, sẽ mất vĩnh viễn trên"
            ),
            device.label,
            device.serial,
            screen.text("type its serial number to go on.", "gõ lại số hiệu để tiếp tục.")
        ))?,
    };
    if serial != device.serial {
        return Err(Fault::NotConfirmed);
    }
    let last = socket.call(None, &DeviceZeroize { serial })?;
    let sentence = format!(
        "{} {} {}\n{}",
        screen.text("Zeroized. The audit log ended with record", "Đã xóa sạch. Nhật ký kiểm toán kết thúc ở bản ghi"),
        last.audit_records,
        hex(&last.audit_head),
        screen.text(
            "coload starts anew as it left the factory; `coloa init` comes next.",
            "coload khởi động lại như lúc xuất xưởng; tiếp theo là `coloa init`."
        )
    );
    let document = json!({
        "zeroized": device.serial, "audit_records": last.audit_records, "audit_head": hex(&last.audit_head),
    });
    screen.done(&document, &sentence);
    Ok(())
}
