//! The end of a device (R14).

use crate::Platform;
use crate::call::Call;
use crate::platform::{Epitaph, ZeroizeError};
use alloc::string::ToString;
use coloa_wire::ErrorCode;
use coloa_wire::command::{DeviceZeroize, DeviceZeroizeReply};

/// From the first moment on the engine refuses cryptography, so that nobody uses a key that is being destroyed; what it
/// knew is dropped, and wiped with it, as soon as the body has destroyed what is stored.
pub(crate) fn zeroize<P: Platform>(
    call: &mut Call<'_, P>,
    command: DeviceZeroize,
) -> Result<DeviceZeroizeReply, ErrorCode> {
    call.require_administrator()?;
    let engine = call.engine;
    let device = engine.state().device().ok_or(ErrorCode::DeviceNotInitialized)?;
    let serial = device.serial();
    if command.serial != serial {
        return Err(ErrorCode::SerialMismatch);
    }
    engine.flush();
    let (audit_records, audit_head) = engine.audit_head();
    let (time, who) = (engine.platform().now(), call.peer.name().to_string());
    let epitaph = Epitaph { time, who, serial, label: device.label.clone(), audit_records, audit_head };
    match engine.end(&epitaph) {
        Ok(()) => Ok(DeviceZeroizeReply { audit_records, audit_head: audit_head.to_vec() }),
        Err(ZeroizeError::Unsupported) => Err(ErrorCode::BodyUnsupported),
        Err(ZeroizeError::Failed) => Err(ErrorCode::StoreFailed),
    }
}
