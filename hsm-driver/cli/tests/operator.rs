//! The operator's day, as a person types it: `coloa` against a real `coload`.
#![forbid(unsafe_code)]

mod site;

use site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_new_device_is_initialised_once() {
    let site = Site::new();
    assert_eq!(site.does(&["status"])["lifecycle"], "manufactured");
    let said = site.fails(&["partition", "create", "--label", "court", "--without-pins"]);
    assert!(said.contains("coloa init"), "{said}");
    let status = site.does(&["init", "--label", "rack-1"]);
    assert_eq!((&status["label"], &status["lifecycle"]), (&"rack-1".into(), &"operational".into()));
    assert!(status["listening"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(site.fails(&["init", "--label", "rack-2"]).contains("E083"));
}

#[test]
fn a_partition_with_pins_and_a_client_is_a_token_for_the_application() {
    let site = Site::with_partition("court");
    site.create("agency");
    site.enrol("court", "court-srv-1");
    let tokens = site.does(&["token", "list"]);
    assert_eq!(tokens.as_array().unwrap().len(), 1, "{tokens}");
    assert_eq!((&tokens[0]["label"], &tokens[0]["mode"]), (&"court".into(), &"strict".into()));
    assert_eq!(tokens[0]["body"], "appliance");
    let mode = fs::metadata(site.path("court-srv-1/client.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let listed = site.does(&["partition", "list"]);
    assert_eq!(listed[0]["clients"][0], "court-srv-1");
    assert_eq!(listed[1]["label"], "agency");
}

#[test]
fn a_client_that_was_removed_sees_nothing() {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    site.does(&["token", "list"]);
    site.does(&["client", "remove", "--partition", "court", "--name", "court-srv-1"]);
    assert_eq!(site.does(&["client", "list"]), serde_json::json!([]));
    let said = site.fails(&["token", "list"]);
    assert!(said.contains("refused our client certificate") && said.contains("bound"), "{said}");
    assert!(site.fails(&["client", "remove", "--partition", "court", "--name", "court-srv-1"]).contains("there is no"));
}

#[test]
fn what_is_there_is_not_overwritten_and_nothing_is_bound_then() {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    let key = fs::read(site.path("court-srv-1/client.key")).unwrap();
    let again = ["client", "enrol", "--partition", "court", "--name", "other", "--out", "court-srv-1"];
    assert!(site.fails(&again).contains("client.key cannot be used"));
    assert_eq!(fs::read(site.path("court-srv-1/client.key")).unwrap(), key);
    assert_eq!(site.does(&["client", "list"]).as_array().unwrap().len(), 1);
    // What the appliance refuses leaves no key behind.
    let never = ["client", "enrol", "--partition", "court", "--name", "n", "--out", "n", "--days", "0"];
    assert!(site.fails(&never).contains("E044"));
    assert!(!site.path("n/client.key").exists());
}

#[test]
fn a_partition_is_destroyed_only_by_who_types_its_label() {
    let site = Site::with_partition("court");
    let said = site.fails(&["partition", "destroy", "--partition", "court", "--confirm", "Court"]);
    assert!(said.contains("Nothing was destroyed"), "{said}");
    site.does(&["partition", "destroy", "--partition", "court", "--confirm", "court"]);
    assert_eq!(site.does(&["partition", "list"]), serde_json::json!([]));
    let said = site.fails(&["partition", "destroy", "--partition", "court", "--confirm", "court"]);
    assert!(said.contains("there is no partition \"court\""), "{said}");
}

/// R14: only who types the serial number of this very device.
#[test]
fn a_device_is_zeroized_by_who_types_its_serial_number() {
    let mut site = Site::with_partition("court");
    let status = site.does(&["status"]);
    let said = site.fails(&["zeroize", "--confirm", "0000000000000000"]);
    assert!(said.contains("Nothing was destroyed"), "{said}");
    let done = site.does(&["zeroize", "--confirm", status["serial"].as_str().unwrap()]);
    assert_eq!(done["zeroized"], status["serial"]);
    assert_eq!(site.ended(), Some(3));
}

#[test]
fn pins_are_changed_and_reset_through_the_application_configuration() {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    let change = ["pin", "change", "--token", "court", "--old-pin-file", "user.pin", "--new-pin-file", "new.pin"];
    site.does(&change);
    assert!(site.fails(&change).contains("E030"), "the old PIN is wrong now");
    let officer = ["pin", "set-user", "--token", "court", "--so-pin-file", "so.pin", "--user-pin-file", "user.pin"];
    site.does(&officer);
    site.does(&change);
    let said =
        site.fails(&["pin", "change", "--token", "court", "--old-pin-file", "absent", "--new-pin-file", "new.pin"]);
    assert!(said.contains("no PIN: absent"), "{said}");
    assert!(site.fails(&["pin", "change", "--token", "court"]).contains("there is no terminal"));
}

#[test]
fn the_audit_log_is_exported_and_what_was_changed_in_it_is_found() {
    let site = Site::with_partition("court");
    let exported = site.does(&["audit", "export", "--out", "audit.cbor"]);
    let records = exported["records"].as_u64().unwrap();
    assert!(records >= 4, "{exported}");
    let head = site.does(&["status"])["audit_head"].as_str().unwrap().to_owned();
    let whole = site.does(&["audit", "verify", "audit.cbor", "--head", &head]);
    assert_eq!((&whole["records"], &whole["head"]), (&records.into(), &head.as_str().into()));
    let file = site.path("audit.cbor");
    let mut bytes = fs::read(&file).unwrap();
    let pins = ["12345678", "123456"];
    assert!(pins.iter().all(|p| !bytes.windows(p.len()).any(|w| w == p.as_bytes())), "a secret is in the log");
    // Somebody else did it: one letter of a name.
    let at = bytes.windows(4).position(|w| w == b"uid ").unwrap();
    bytes[at] = b'b';
    fs::write(&file, &bytes).unwrap();
    assert!(site.fails(&["audit", "verify", "audit.cbor"]).contains("does not follow"));
    // The end is missing, and what was signed with it: only the head tells.
    bytes[at] = b'u';
    let (mut decoder, mut last) = (minicbor::Decoder::new(&bytes), 0);
    while decoder.datatype().unwrap() == minicbor::data::Type::Bytes {
        last = decoder.position();
        decoder.bytes().unwrap();
    }
    fs::write(&file, &bytes[..last]).unwrap();
    assert_eq!(site.does(&["audit", "verify", "audit.cbor"])["records"], records - 1);
    assert!(site.fails(&["audit", "verify", "audit.cbor", "--head", &head]).contains("the end is missing"));
}

#[test]
fn people_are_answered_in_their_language_and_without_colour() {
    let site = Site::operational();
    let out = site.run(&["--lang", "vi", "status"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("đang hoạt động") && !text.contains('\u{1b}'), "{text}");
    let said = site.fails(&["--lang", "vi", "init", "--label", "again"]);
    assert!(said.contains("Thiết bị đã khởi tạo"), "{said}");
    let said = site.fails(&["--socket", "nowhere.sock", "status"]);
    assert!(said.contains("nobody answers at nowhere.sock") && said.contains("systemctl status coload"), "{said}");
}

/// `coloa status` on one screen: what each partition holds, how the medium and the sandbox are, what is wrong.
#[test]
fn the_status_is_one_screen_of_figures_and_warnings() {
    let site = Site::operational();
    let status = site.does(&["status"]);
    let figures = &status["figures"];
    assert!(figures["store_bytes"].as_u64() > Some(4096) && figures["free_bytes"].as_u64() > Some(0), "{figures}");
    assert!(figures["calls"].as_u64() > Some(0) && figures["partitions"].is_array(), "{figures}");
    assert!(["whole", "partial", "absent"].contains(&figures["sandbox"].as_str().unwrap()), "{figures}");
    let warned = status["warnings"].as_array().unwrap().iter().any(|w| w["what"].as_str().unwrap().contains("Memory"));
    assert_eq!(warned, figures["memory_locked"] == false, "{status}");
    let text = String::from_utf8(site.run(&["--lang", "en", "status"]).stdout).unwrap();
    assert!(text.lines().count() < 40 && text.contains("days left") && text.contains("Warnings"), "{text}");
}

// R8
#[test]
fn a_partition_for_approved_services_says_so_wherever_it_is_listed() {
    let site = Site::with_partition("court");
    let words = ["partition", "create", "--label", "mật mã", "--approved-only", "--without-pins"];
    site.does(&words);
    let listed = site.does(&["partition", "list"]);
    let only =
        |label: &str| listed.as_array().unwrap().iter().find(|t| t["label"] == label).unwrap()["approved_only"].clone();
    assert_eq!((only("court"), only("mật mã")), (false.into(), true.into()));
    let eyes = site.run(&["--lang", "vi", "partition", "list"]);
    assert!(String::from_utf8(eyes.stdout).unwrap().contains("chỉ dịch vụ"));
}
