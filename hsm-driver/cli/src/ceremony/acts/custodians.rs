//! The custodians get their voices (R2): each compares the key's check value with what their own machine showed.

use crate::ceremony::Trouble;
use crate::ceremony::journal::Data;
use crate::ceremony::stage::Stage;
use crate::custodian::check_value;
use crate::fault::Fault;
use coloa_wire::command::{CustodiansRead, CustodiansSet};
use serde_json::{Map, Value, json};

/// Others' custodians are not replaced: that takes a quorum of theirs, and is another act.
pub fn before(stage: &Stage<'_>) -> Result<Data, Fault> {
    let found = stage.appliance()?.call(None, &CustodiansRead {})?;
    if found.threshold == 0 { Ok(Data::new()) } else { Err(Trouble::OtherCustodians.into()) }
}

pub fn act(stage: &mut Stage<'_>, step: usize) -> Result<Value, Fault> {
    let named = stage.custodians();
    let mut checks = Map::new();
    for custodian in &named {
        let check = check_value(&custodian.key);
        let compared = |r: &crate::ceremony::journal::Record| r.is_note("compared") && r.person == custodian.name;
        if !stage.journal.of_step(step).any(compared) {
            let subject = stage.screen.text("your key", "khóa của bạn").to_owned();
            stage.compare(Some(step), &custodian.name, &subject, &check)?;
            stage.note(step, &custodian.name, json!({ "kind": "compared", "subject": "key", "check": check }))?;
        }
        checks.insert(custodian.name.clone(), Value::String(check));
    }
    let threshold = stage.plan.quorum;
    let mut socket = stage.appliance()?;
    let found = socket.call(None, &CustodiansRead {})?;
    if found.threshold == 0 {
        socket.call(None, &CustodiansSet { threshold, custodians: named })?;
    } else if !stage.is_governed(&found) {
        // R2: what is there is not taken for what was meant.
        return Err(Trouble::OtherCustodians.into());
    }
    Ok(json!({ "threshold": threshold, "custodians": checks }))
}
