//! A new device becomes operational, and is this ceremony's from then on.

use crate::ceremony::Trouble;
use crate::ceremony::journal::Data;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use coloa_wire::command::{DeviceInfo, DeviceInitialize, Lifecycle};
use serde_json::{Value, json};

pub fn before(stage: &Stage<'_>) -> Result<Data, Fault> {
    match stage.any_appliance()?.1.lifecycle {
        Lifecycle::Manufactured => Ok(Data::new()),
        Lifecycle::Operational | Lifecycle::Error | Lifecycle::Tampered => Err(Trouble::NotNew.into()),
    }
}

pub fn act(stage: &Stage<'_>, label: &str) -> Result<Value, Fault> {
    let (mut socket, info) = stage.any_appliance()?;
    if info.lifecycle == Lifecycle::Manufactured {
        socket.call(None, &DeviceInitialize { label: label.to_owned() })?;
    }
    let info = socket.call(None, &DeviceInfo {})?;
    // Somebody else's, between the two.
    if info.label != label {
        return Err(Trouble::NotNew.into());
    }
    Ok(json!({ "device": info.label, "serial": info.serial, "version": info.version, "audit_from": 1 }))
}
