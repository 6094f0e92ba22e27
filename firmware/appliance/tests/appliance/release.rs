//! A program that its manifest does not name does not serve, and an older one does not open a newer one's store (R23).

use crate::rig::Appliance;
use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_engine::crypto::{Curve, Hash, KeyKind, PairKind, Scheme};
use coloa_image::{Custodian, Manifest, Statement, Trust, Voice, key_id};
use coloa_wire::command::{DeviceInfo, DeviceInitialize, Lifecycle};
use std::fs;

const P384: PairKind = PairKind::Ec(Curve::P384);
const BOTH: &[u8] = &[1, 2];

/// A custodian's key that is no secret.
fn secret(n: u8) -> Vec<u8> {
    [vec![0; 47], vec![n]].concat()
}

/// Signs this `coload` as such a release, and names the manifest in the configuration.
fn release(appliance: &Appliance, body: &str, (version, lowest): (&str, &str), by: &[u8]) {
    let program = fs::read(env!("CARGO_BIN_EXE_coload")).unwrap();
    let digest = Native.digest(Hash::Sha384, &[&program]).as_ref().try_into().unwrap();
    let (version, lowest) = (version.parse().unwrap(), lowest.parse().unwrap());
    let statement = Statement { body: body.into(), version, lowest, length: program.len() as u64, digest };
    let mut manifest = Manifest::new(statement).unwrap();
    let public = |n| Native.public(P384, &secret(n)).unwrap();
    for n in by {
        let key = Native.load(KeyKind::Pair(P384), &secret(*n)).unwrap();
        let text = Native.digest(Hash::Sha384, &[&manifest.text()]);
        let signature = Native.sign(&key, Scheme::Ecdsa, text.as_ref()).unwrap().try_into().unwrap();
        manifest.add(Voice { key: key_id(&Native, &public(*n)), signature }).unwrap();
    }
    let custodian = |n| Custodian { name: format!("{n}"), key: public(n) };
    let trust = Trust::new(2, (1..=3).map(custodian).collect()).unwrap();
    fs::write(appliance.path("coload.clfw"), manifest.to_bytes()).unwrap();
    fs::write(appliance.path("trust"), trust.to_bytes()).unwrap();
    appliance.configure("127.0.0.1:0");
    let text = fs::read_to_string(appliance.path("coload.toml")).unwrap();
    let named = format!("image_manifest = \"coload.clfw\"\nfirmware_trust = \"trust\"\n{text}");
    fs::write(appliance.path("coload.toml"), named).unwrap();
}

fn lifecycle(appliance: &Appliance) -> Lifecycle {
    appliance.admin().call(None, &DeviceInfo {}).unwrap().lifecycle
}

#[test]
fn coload_runs_as_a_quorum_signed_it_and_not_otherwise() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    release(&appliance, "appliance", ("0.1.0", "0.1.0"), &[3]);
    assert!(appliance.fails().contains("signed by 1 of the 2 custodians"));
    release(&appliance, "mps2-an386", ("0.1.0", "0.1.0"), BOTH);
    assert!(appliance.fails().contains("for \"mps2-an386\""));
    release(&appliance, "appliance", ("0.1.0", "0.1.0"), BOTH);
    appliance.start();
    assert_eq!(lifecycle(&appliance), Lifecycle::Operational);
    appliance.stop();
    // Another program than the one that was signed.
    let mut other = fs::read(env!("CARGO_BIN_EXE_coload")).unwrap();
    other.push(0);
    let path = appliance.path("other-coload");
    fs::write(&path, other).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(appliance.fails_as(&path).contains("not the image that was signed"));
    fs::remove_file(appliance.path("trust")).unwrap();
    assert!(appliance.fails().contains("trust"));
}

#[test]
fn a_store_that_newer_firmware_has_closed_is_not_opened_by_older() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    release(&appliance, "appliance", ("9.2.0", "9.1.0"), BOTH);
    appliance.start();
    appliance.stop();
    appliance.configure("127.0.0.1:0");
    let said = appliance.fails();
    assert!(
        said.contains("version 0.1.0, and nothing below 9.1.0") && said.contains("cannot be rolled back"),
        "{said}"
    );
    release(&appliance, "appliance", ("9.0.9", "0.0.1"), BOTH);
    assert!(appliance.fails().contains("nothing below 9.1.0"));
    // The quorum said that 9.1.0 may still run; it does not lower what was closed.
    release(&appliance, "appliance", ("9.1.0", "0.0.1"), BOTH);
    appliance.start();
    appliance.kill();
    release(&appliance, "appliance", ("9.0.9", "0.0.1"), BOTH);
    assert!(appliance.fails().contains("nothing below 9.1.0"));
}

/// A device that is initialised only later is closed to older programs from that moment.
#[test]
fn a_new_device_is_closed_to_older_programs_when_it_is_initialised() {
    let mut appliance = Appliance::manufactured();
    appliance.stop();
    release(&appliance, "appliance", ("2.0.0", "2.0.0"), BOTH);
    appliance.start();
    appliance.admin().call(None, &DeviceInitialize { label: "rack-1".into() }).unwrap();
    appliance.address();
    appliance.kill();
    appliance.configure("127.0.0.1:0");
    assert!(appliance.fails().contains("nothing below 2.0.0"));
}
