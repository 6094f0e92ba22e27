//! Starts, stops, and what goes wrong at either.

use crate::rig::{Appliance, call, key_pair, sign, until, user};
use coloa_wire::ErrorCode;
use coloa_wire::command::*;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

#[test]
fn a_graceful_stop_ends_with_success_and_keys_are_there_again() {
    let mut appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    let client = enrolled.client(&appliance.address());
    let key = key_pair(&client, user(&client, court)).unwrap();
    assert!(appliance.stop().success(), "{}", appliance.log());
    assert!(!appliance.path("coload.sock").exists());
    appliance.start();
    let client = enrolled.client(&appliance.address());
    let session = user(&client, court);
    sign(&client, session, key).unwrap();
}

#[test]
fn what_was_acknowledged_survives_a_kill_in_the_middle_of_calls() {
    let mut appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    let (tell, acknowledged) = channel();
    let busy = {
        let client = enrolled.client(&appliance.address());
        let session = user(&client, court);
        std::thread::spawn(move || {
            while let Ok(key) = key_pair(&client, session) {
                tell.send(key).unwrap();
            }
        })
    };
    // Some keys are there, and one is being made.
    let mut keys: Vec<_> = (0..5).map(|_| acknowledged.recv().unwrap()).collect();
    appliance.kill();
    busy.join().unwrap();
    keys.extend(acknowledged.try_iter());
    appliance.start();
    let client = enrolled.client(&appliance.address());
    let session = user(&client, court);
    keys.into_iter().for_each(|key| sign(&client, session, key).unwrap());
}

#[test]
fn logins_and_signatures_run_beside_each_other_on_one_channel() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = user(&client, court);
    let key = key_pair(&client, session).unwrap();
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..4).map(|_| scope.spawn(|| user(&client, court).0)).collect();
        (0..50).for_each(|_| sign(&client, session, key).unwrap());
        logins.into_iter().for_each(|l| assert_ne!(l.join().unwrap(), [0; 16]));
    });
}

#[test]
fn a_second_coload_in_the_same_folder_is_refused() {
    let appliance = Appliance::operational();
    let said = appliance.fails();
    assert!(said.contains("store.sqlite is in use by another process. End that one"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut appliance = Appliance::operational();
    appliance.stop();
    appliance.configure(&address);
    let said = appliance.fails();
    assert!(said.contains(&format!("{address} is in use by another program")) && said.contains("`listen`"), "{said}");
}

#[test]
fn a_file_where_the_local_socket_belongs_is_left_alone() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    let socket = appliance.path("coload.sock");
    fs::write(&socket, "precious").unwrap();
    let said = appliance.fails();
    assert!(said.contains("no socket has this name") && said.contains("`admin_socket`"), "{said}");
    assert_eq!(fs::read(&socket).unwrap(), b"precious");
}

#[test]
fn a_local_socket_that_a_kill_left_gives_way() {
    let mut appliance = Appliance::operational();
    appliance.kill();
    assert!(appliance.path("coload.sock").exists());
    appliance.start();
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    let file = appliance.path("coload.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("colour = \"red\"\n{text}")).unwrap();
    let said = appliance.fails();
    assert!(said.contains("line 1") && said.contains("`colour`") && said.contains("Correct that line"), "{said}");
}

#[test]
fn a_corrupted_store_is_refused_with_a_next_step() {
    let mut appliance = Appliance::operational();
    appliance.partition("court");
    appliance.stop();
    let store = appliance.path("data/store.sqlite");
    let mut bytes = fs::read(&store).unwrap();
    let from = 4096.min(bytes.len());
    bytes[from..].iter_mut().for_each(|b| *b ^= 0xa5);
    fs::write(&store, bytes).unwrap();
    let said = appliance.fails();
    assert!(said.contains("store.sqlite is damaged") && said.contains("restore the last backup"), "{said}");
}

#[test]
fn a_root_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut appliance = Appliance::operational();
    appliance.stop();
    fs::set_permissions(appliance.path("data/root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = appliance.fails();
    assert!(said.contains("can be reached by other users") && said.contains("chmod 600"), "{said}");
}

#[test]
fn private_keys_are_in_no_file() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    for file in fs::read_dir(appliance.path("data")).unwrap().flatten() {
        let bytes = fs::read(file.path()).unwrap();
        // PKCS#8 of a P-384 key names id-ecPublicKey and secp384r1 (RFC 5480 §2.1.1.1).
        let named = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
        assert!(!bytes.windows(named.len()).any(|w| w == named), "{}", file.path().display());
    }
}

/// R16.
#[test]
fn no_core_dump_and_nothing_in_swap() {
    let appliance = Appliance::operational();
    let limits = appliance.kernel("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let status = appliance.kernel("status");
    let locked = status.lines().find_map(|l| l.strip_prefix("VmLck:")).unwrap();
    let warned = appliance.log().contains("memory is not locked");
    assert!(warned || !locked.trim().starts_with("0 "), "neither locked nor said: {locked}");
}

#[test]
fn the_local_socket_is_the_owners_alone_and_requests_are_counted() {
    use std::os::unix::fs::PermissionsExt;
    let appliance = Appliance::operational();
    let mode = fs::metadata(appliance.path("coload.sock")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = call(&client, None, &SessionOpen { partition: court }).unwrap().session;
    let login = Login { role: Role::User, pin: b"000000"[..].into() };
    let refused = call(&client, Some(session), &login).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::PinIncorrect));
    let metrics = appliance.metrics();
    for line in [
        "coloa_requests_total{command=\"Login\",result=\"PinIncorrect\"} 1",
        "coloa_requests_total{command=\"DeviceInitialize\",result=\"ok\"} 1",
        "coloa_handshakes_total 1",
        "coloa_channels 1",
        "coloa_sessions 1",
        "coloa_operational 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
    // The last channel's end ends the sessions.
    drop(client);
    assert!(crate::rig::until(|| appliance.metrics().lines().any(|l| l == "coloa_sessions 0")));
}

/// R4: a guesser over the network waits longer and longer, a kill wins it nothing, and nobody else waits.
#[test]
fn a_delay_after_wrong_pins_outlives_a_kill() {
    let mut appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let [guesser, other] = [(court, "court-srv"), (agency, "agency-srv")].map(|(p, name)| appliance.enrol(p, name));
    appliance.stop();
    // A second would be over before a busy machine has started again.
    appliance.configure_with("127.0.0.1:0", "pin_delay_ms = 3600000\n");
    appliance.start();
    let log_in = |address: &str, pin: &[u8]| {
        let client = guesser.client(address);
        let session = call(&client, None, &SessionOpen { partition: court }).unwrap().session;
        call(&client, Some(session), &Login { role: Role::User, pin: pin.into() }).err().and_then(|e| e.code())
    };
    let address = appliance.address();
    (0..3).for_each(|_| assert_eq!(log_in(&address, b"000000"), Some(ErrorCode::PinIncorrect)));
    appliance.kill();
    appliance.start();
    let address = appliance.address();
    assert_eq!(log_in(&address, crate::rig::USER_PIN), Some(ErrorCode::PinDelayed));
    user(&other.client(&address), agency);
}

// R5: what runs is what the package's script recorded, or nothing is served.
#[test]
fn another_program_than_was_installed_serves_nothing() {
    let mut appliance = Appliance::manufactured();
    appliance.stop();
    let (bin, lib) = (appliance.path("bin"), appliance.path("lib/coloa"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&lib).unwrap();
    let (program, record) = (bin.join("coload"), lib.join("coload.sha384"));
    fs::copy(env!("CARGO_BIN_EXE_coload"), &program).unwrap();
    let sum = Command::new("sha384sum").arg(&program).output().unwrap();
    fs::write(&record, &sum.stdout).unwrap();
    let installed = || {
        let mut command = Command::new(&program);
        command.arg("--config").arg(appliance.path("coload.toml")).args(["--lang", "en"]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(fs::File::create(appliance.path("log")).unwrap());
        command
    };
    let mut serves = installed().spawn().unwrap();
    let up = until(|| appliance.log().contains("coload serves"));
    serves.kill().unwrap();
    serves.wait().unwrap();
    assert!(up && appliance.log().contains("is_recorded=true"), "{}", appliance.log());
    // One more byte at the end: it runs as before, and is another one.
    fs::OpenOptions::new().append(true).open(&program).unwrap().write_all(&[0]).unwrap();
    let refused = installed().status().unwrap();
    assert!(
        !refused.success() && appliance.log().contains("the self-test of the firmware image failed"),
        "{}",
        appliance.log()
    );
    // A record that says nothing is not no record.
    fs::write(&record, "").unwrap();
    assert!(!installed().status().unwrap().success(), "{}", appliance.log());
}
