//! A full disk: the caller is told, nothing is lost, reading goes on.

use crate::rig::{Appliance, key_pair, sign, until, user};
use coloa_wire::{ErrorCode, ObjectId, SessionId};
use std::process::Command;

/// In a mount namespace of its own, so that the small disk goes with the process.
fn on_a_small_disk(appliance: &Appliance) -> Command {
    let plain = appliance.command();
    let data = appliance.path("data");
    std::fs::create_dir_all(&data).unwrap();
    let mut command = Command::new("unshare");
    let mount = "mount -t tmpfs -o size=640k,mode=700 coloa \"$1\" && shift && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", mount, "sh"]).arg(data);
    command.arg(plain.get_program()).args(plain.get_args());
    let log = std::fs::File::create(appliance.path("log")).unwrap();
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(log);
    command
}

/// A small disk with an appliance in service on it.
fn on_a_full_disk() -> (Appliance, coloa_client::Client, SessionId, ObjectId) {
    let mut appliance = Appliance::manufactured();
    appliance.stop();
    std::fs::remove_dir_all(appliance.path("data")).unwrap();
    let command = on_a_small_disk(&appliance);
    appliance.start_with(command);
    appliance.admin().call(None, &coloa_wire::command::DeviceInitialize { label: "small".into() }).unwrap();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = user(&client, court);
    let key = key_pair(&client, session).unwrap();
    let full = (0..10_000).find_map(|_| key_pair(&client, session).err()).expect("the disk is small");
    assert_eq!(full.code(), Some(ErrorCode::StoreFull), "{full}");
    (appliance, client, session, key)
}

#[test]
fn a_full_disk_is_told_to_the_caller_and_keys_still_sign() {
    let (mut appliance, client, session, key) = on_a_full_disk();
    sign(&client, session, key).unwrap();
    assert!(appliance.runs());
}

#[test]
fn room_that_is_made_is_used_without_a_restart() {
    let (appliance, client, session, key) = on_a_full_disk();
    let data = appliance.path("data");
    let mut grow = Command::new("nsenter");
    grow.args(["--mount", "--target", &appliance.pid().to_string(), "mount", "-o", "remount,size=4m"]).arg(data);
    assert!(grow.status().unwrap().success(), "nsenter and mount are there");
    assert!(until(|| key_pair(&client, session).is_ok()), "{}", appliance.log());
    sign(&client, session, key).unwrap();
}
