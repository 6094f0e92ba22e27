//! Who may end a device, and which (R14). What a body makes of it is the body's to test.

mod rig;

use coloa_engine::Platform;
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, MechanismType};
use rig::*;

#[test]
fn only_an_administrator_ends_a_device_and_only_the_one_he_names() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let operator = Caller::new(&engine, admin());
    let serial = operator.call(&DeviceInfo {}).unwrap().serial;
    let asks = |caller: &Caller<'_>, serial: &str| caller.call(&DeviceZeroize { serial: serial.into() }).err();
    assert_eq!(asks(&caller, &serial), Some(ErrorCode::ChannelForbidden));
    assert_eq!(asks(&operator, "0000000000000000"), Some(ErrorCode::SerialMismatch));
    assert_eq!(asks(&operator, ""), Some(ErrorCode::SerialMismatch));
    // This body has no way to do it, says so, and goes on.
    assert_eq!(asks(&operator, &serial), Some(ErrorCode::BodyUnsupported));
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    caller.sign(pair.private, MechanismType::ECDSA, &[1; 32]).unwrap();
}

#[test]
fn a_device_in_its_error_state_can_still_be_ended() {
    let engine = start(&RamStore::new()).unwrap();
    token(&engine, PartitionMode::Strict);
    let operator = Caller::new(&engine, admin());
    let serial = operator.call(&DeviceInfo {}).unwrap().serial;
    engine.platform().crypto().fail_random(true);
    let create = PartitionCreate { label: "x".into(), mode: PartitionMode::Strict, approved_only: None };
    assert_eq!(operator.call(&create).err(), Some(ErrorCode::EntropyFailed));
    assert_eq!(operator.call(&create).err(), Some(ErrorCode::ErrorState));
    assert_eq!(operator.call(&DeviceZeroize { serial }).err(), Some(ErrorCode::BodyUnsupported));
}
