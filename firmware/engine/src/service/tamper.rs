//! The return from tampering (R15).

use crate::Platform;
use crate::call::{Call, Effect, removal};
use crate::record::TAMPER;
use alloc::format;
use alloc::string::String;
use coloa_wire::ErrorCode;
use coloa_wire::command::{Done, TamperReturn};

/// What custodians read: the serial number, and what happened.
pub(crate) fn subject<P: Platform>(call: &Call<'_, P>, command: &TamperReturn) -> Result<String, ErrorCode> {
    let tamper = call.engine.state().tamper().ok_or(ErrorCode::DeviceNotTampered)?;
    is_meant(call, command)?;
    Ok(format!("{}: {}", command.serial, tamper.record.sensor))
}

/// The device is empty, and serves again.
pub(crate) fn return_from<P: Platform>(call: &mut Call<'_, P>, command: TamperReturn) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let tamper = call.engine.state().tamper().ok_or(ErrorCode::DeviceNotTampered)?;
    is_meant(call, &command)?;
    // Where there were no custodians, nobody says so.
    if call.approval.is_none() {
        return Err(ErrorCode::QuorumNeeded);
    }
    call.detail = Some(tamper.record.sensor.clone());
    let changes = [removal(TAMPER, tamper.version)].into();
    call.commit(Effect { changes, ..Effect::on_device() }, Done {})
}

fn is_meant<P: Platform>(call: &Call<'_, P>, command: &TamperReturn) -> Result<(), ErrorCode> {
    let serial = call.engine.state().device().map(|device| device.serial());
    if serial.as_ref() == Some(&command.serial) { Ok(()) } else { Err(ErrorCode::SerialMismatch) }
}
