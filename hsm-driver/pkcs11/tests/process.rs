//! The module in a process that forks, unloads it or runs it through another program (R24).

#[macro_use]
mod rig;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use rig::forked::in_child;
use rig::{P256, PIN, Rig, SO_PIN, Token, key_pair, library, pin, run};

fn sign_in_a_new_process() -> Result<(), String> {
    let say = |what: &str, e: Error| format!("{what}: {e}");
    let module = cryptoki::context::Pkcs11::new(library()).map_err(|e| say("load", e))?;
    match module.get_library_info() {
        Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
        other => return Err(format!("a child is initialised: {other:?}")),
    }
    let module = rig::open();
    let slot = module.get_slots_with_token().map_err(|e| say("slots", e))?[0];
    let session = module.open_rw_session(slot).map_err(|e| say("session", e))?;
    session.login(UserType::User, Some(&pin(PIN))).map_err(|e| say("login", e))?;
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).map_err(|e| say("find", e))?;
    session.sign(&Mechanism::EcdsaSha256, keys[0], b"child").map_err(|e| say("sign", e))?;
    key_pair(&session, P256, true);
    drop(session);
    module.finalize().map_err(|e| say("finalize", e))
}

#[test]
fn a_forked_child_begins_anew_and_its_parent_goes_on() {
    let token = Token::new("strict");
    let session = token.user();
    let (_, private) = key_pair(&session, P256, true);
    for _ in 0..3 {
        in_child(sign_in_a_new_process);
        session.sign(&Mechanism::EcdsaSha256, private, b"parent").unwrap();
    }
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    assert_eq!(keys.len(), 4, "the children's keys are there too");
}

#[test]
fn a_process_forks_while_its_threads_sign() {
    let token = Token::new("strict");
    let session = token.user();
    let (_, private) = key_pair(&session, P256, true);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (module, slot, stop) = (token.module.clone(), token.slot, &stop);
            scope.spawn(move || {
                let session = module.open_rw_session(slot).unwrap();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    session.sign(&Mechanism::EcdsaSha256, private, b"x").unwrap();
                }
            });
        }
        for _ in 0..3 {
            in_child(sign_in_a_new_process);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn unloading_without_finalize_is_quiet() {
    let token = Token::new("strict");
    let session = token.user();
    key_pair(&session, P256, false);
    std::mem::forget(session);
    // SAFETY: loading and unloading run no code of ours.
    let library = unsafe { libloading::Library::new(library()) }.unwrap();
    library.close().unwrap();
    drop(token);
    std::thread::spawn(|| ()).join().unwrap();
}

#[test]
fn only_pkcs11_functions_are_exported() {
    let symbols = run("nm", &["-D", "--defined-only", library().to_str().unwrap()], std::path::Path::new("/"));
    let names: Vec<_> = symbols.lines().filter_map(|l| l.split_whitespace().last()).collect();
    assert!(names.contains(&"C_GetFunctionList") && names.contains(&"C_GetInterface"));
    let strange: Vec<_> = names.iter().filter(|n| !n.starts_with("C_")).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn pkcs11_tool_makes_a_token_a_key_and_a_signature_that_openssl_verifies() {
    let rig = Rig::new("strict");
    let (directory, library) = (rig.directory.path(), library());
    let tool = |arguments: &[&str]| {
        let all: Vec<&str> = ["--module", library.to_str().unwrap()].iter().chain(arguments).copied().collect();
        run("pkcs11-tool", &all, directory)
    };
    assert!(tool(&["-L"]).contains("DEVELOPMENT, NOT AN HSM"));
    tool(&["--init-token", "--slot", "0", "--label", "bench", "--so-pin", SO_PIN]);
    tool(&["--init-pin", "--login", "--token-label", "bench", "--so-pin", SO_PIN, "--new-pin", PIN]);
    let user = ["--token-label", "bench", "--login", "--pin", PIN];
    let as_user = |arguments: &[&str]| tool(&[&user[..], arguments].concat());
    as_user(&["--keypairgen", "--key-type", "EC:secp384r1", "--usage-sign", "--label", "ky", "--id", "01"]);
    std::fs::write(directory.join("message"), b"van ban").unwrap();
    let sign = ["--sign", "-m", "ECDSA-SHA384", "--id", "01", "--signature-format", "openssl"];
    as_user(&[&sign[..], &["-i", "message", "-o", "signature"]].concat());
    std::fs::write(directory.join("public.der"), spki_p384(&tool(&["--token-label", "bench", "-O"]))).unwrap();
    let verify = ["dgst", "-sha384", "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"];
    assert!(run("openssl", &verify, directory).contains("Verified OK"));
    let list = as_user(&["-O"]);
    assert!(list.contains("Private Key Object; EC") && list.contains("never extractable"), "{list}");
    assert!(tool(&["-M"]).contains("ECDSA-SHA384"));
}

/// The public key info of the P-384 point that `pkcs11-tool -O` shows. (Its `--read-object` of 0.23 can P-256 only.)
fn spki_p384(listing: &str) -> Vec<u8> {
    let line =
        listing.lines().find_map(|l| l.trim().strip_prefix("EC_POINT:")).expect("no EC_POINT in the listing").trim();
    let point: Vec<u8> = (0..line.len()).step_by(2).map(|n| u8::from_str_radix(&line[n..n + 2], 16).unwrap()).collect();
    let head: [u8; 23] = [
        0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
        0x00, 0x22, 0x03, 0x62, 0x00,
    ];
    [&head[..], &point[2..]].concat()
}
