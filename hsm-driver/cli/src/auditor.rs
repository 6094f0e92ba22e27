//! `coloa auditor`: who reads all of a device and uses nothing of it (R1).

use crate::arguments::{Auditor as Command, AuditorEnrol as Asked};
use crate::client::{Enrolling, enrol_with};
use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_wire::admin::AuditorEnrol;
use coloa_wire::command::{AuditorAdd, AuditorList, AuditorRemove};
use serde_json::json;

pub fn run(socket: &mut AdminSocket, screen: &Screen, command: &Command) -> Result<(), Fault> {
    match command {
        Command::Enrol(asked) => enrol(socket, screen, asked),
        Command::List => list(socket, screen),
        Command::Remove { name } => remove(socket, screen, name),
    }
}

/// The key is made and written here; only the request goes to the appliance.
fn enrol(socket: &mut AdminSocket, screen: &Screen, asked: &Asked) -> Result<(), Fault> {
    let (name, days) = (asked.name.clone(), asked.days);
    let enrolling = Enrolling { name: &asked.name, out: &asked.out, address: asked.address.as_deref() };
    let (made, address) = enrol_with(&enrolling, |request| socket.ask(&AuditorEnrol { name, request, days }))?;
    let document = json!({
        "name": asked.name, "identity": made.identity.to_string(), "address": address, "directory": asked.out,
    });
    screen.facts(
        &document,
        vec![
            (screen.text("Auditor", "Kiểm toán viên"), asked.name.clone()),
            (screen.text("Identity", "Định danh"), made.identity.to_string()),
            (screen.text("Appliance", "Thiết bị"), address),
            (
                screen.text("To read the log", "Để đọc nhật ký"),
                format!("COLOA_CONF={}/coloa.toml coloa audit --remote export --out audit.cbor", asked.out.display()),
            ),
        ],
    );
    Ok(())
}

fn list(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let all = socket.call(None, &AuditorList {})?.auditors;
    let document: Vec<_> = all.iter().map(|a| json!({ "name": a.name, "identity": a.identity.to_string() })).collect();
    let header = [screen.text("Auditor", "Kiểm toán viên"), screen.text("Identity", "Định danh")];
    let row = |a: &AuditorAdd| vec![a.name.clone(), a.identity.to_string()];
    screen.rows(&json!(document), &header, all.iter().map(row).collect());
    Ok(())
}

fn remove(socket: &mut AdminSocket, screen: &Screen, name: &str) -> Result<(), Fault> {
    let all = socket.call(None, &AuditorList {})?.auditors;
    let mut found = all.iter().filter(|a| a.name == name || a.identity.to_string() == name);
    let identity = match (found.next(), found.next()) {
        (Some(auditor), None) => auditor.identity,
        (None, _) => return Err(Fault::Unknown(format!("auditor \"{name}\""))),
        (Some(_), Some(_)) => return Err(Fault::Ambiguous(format!("\"{name}\""))),
    };
    socket.call(None, &AuditorRemove { identity })?;
    let sentence = screen.text("Removed; live channels are cut.", "Đã gỡ; các kênh đang mở bị cắt.");
    screen.done(&json!({ "removed": identity.to_string() }), sentence);
    Ok(())
}
