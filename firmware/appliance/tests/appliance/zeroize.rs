//! The end of a device (R14): nothing of it is left, also when its process is killed while it is destroyed.

use crate::rig::{Appliance, key_pair, sign, user};
use coloa_wire::ErrorCode;
use coloa_wire::command::{DeviceInfo, DeviceZeroize, Lifecycle};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn serial(appliance: &Appliance) -> String {
    appliance.admin().call(None, &DeviceInfo {}).unwrap().serial
}

#[test]
fn nothing_of_a_zeroized_device_is_left() {
    let mut appliance = Appliance::operational();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = user(&client, court);
    let key = key_pair(&client, session).unwrap();
    let serial = serial(&appliance);
    let other = appliance.admin().call(None, &DeviceZeroize { serial: "0".repeat(16) }).err();
    assert_eq!(other, Some(ErrorCode::SerialMismatch));
    sign(&client, session, key).unwrap();

    let data = appliance.path("data");
    let root_key = fs::read(data.join("root.key")).unwrap();
    let last = appliance.admin().call(None, &DeviceZeroize { serial: serial.clone() }).unwrap();
    assert!(last.audit_records > 0);
    assert!(sign(&client, session, key).is_err());
    assert_eq!(appliance.ended().code(), Some(3));
    let left = files(&data);
    assert!(!left.contains_key("store.sqlite") && !left.contains_key("root.key"), "{:?}", left.keys());

    appliance.start();
    assert_eq!(appliance.admin().call(None, &DeviceInfo {}).unwrap().lifecycle, Lifecycle::Manufactured);
    let left = files(&data);
    assert!(left.values().all(|bytes| !holds(bytes, &root_key)), "the root key is in a file");
    let epitaph = String::from_utf8(left["zeroized.log"].clone()).unwrap();
    assert!(epitaph.contains(&serial) && epitaph.contains("uid "), "{epitaph}");
}

/// Killed at any moment after the word was given: at the next start the device is what it was, or nothing at all.
#[test]
fn a_zeroization_that_is_killed_is_finished_or_was_not_begun() {
    let mut ends = BTreeMap::new();
    for round in 0..8 {
        let mut appliance = Appliance::operational();
        let serial = serial(&appliance);
        let mut admin = appliance.admin();
        let asks = std::thread::spawn(move || admin.call(None, &DeviceZeroize { serial }).is_ok());
        std::thread::sleep(Duration::from_micros(300 * round));
        appliance.kill();
        let acknowledged = asks.join().unwrap_or(false);
        appliance.start();
        let lifecycle = appliance.admin().call(None, &DeviceInfo {}).unwrap().lifecycle;
        assert!(matches!(lifecycle, Lifecycle::Operational | Lifecycle::Manufactured));
        assert!(!acknowledged || lifecycle == Lifecycle::Manufactured, "what was acknowledged was not done");
        *ends.entry(format!("{lifecycle:?}")).or_insert(0) += 1;
    }
    println!("{ends:?}");
}
