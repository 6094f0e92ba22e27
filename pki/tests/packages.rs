//! R32: packages for sites in bulk, resumed after a kill, opened with the letter's code, and their receipts.

mod desk;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use coloa_package::{Code, Keys, Package, Receipt};
use desk::Desk;

const CREATE: &str = "package create --dir issuing --pin-file pin --signer packages.pem --signer-label packages \
                      --policy-authority policy.pem --csv sites.csv --batch b1 --out out --letters letters";

fn desk(sites: usize) -> Desk {
    let desk = Desk::founded();
    for (label, profile) in [("packages", "package-signer"), ("policy", "policy-signer")] {
        desk.pki(&format!(
            "device-key --token ca --pin-file pin --label {label} --subject CN={label} --out {label}.csr"
        ));
        let issue = "issue --dir issuing --pin-file pin";
        desk.pki(&format!("{issue} --profile {profile} --csr {label}.csr --out {label}.pem"));
    }
    let line = |n: usize| format!("site-{n},Court,10.{n}.0.1/24,192.0.2.{n}:4500,hub@192.0.2.254:4500\n");
    let lines: String = (1..=sites).map(line).collect();
    desk.write("sites.csv", format!("site,organ,red,black,peers\n{lines}"));
    desk
}

fn code_in(desk: &Desk, site: &str) -> Code {
    let letter = String::from_utf8(desk.read(&format!("letters/{site}.txt"))).unwrap();
    let codes: Vec<Code> = letter.lines().filter_map(|line| Code::parse(line.trim()).ok()).collect();
    assert_eq!(codes.len(), 1, "printed once: {letter}");
    codes[0].clone()
}

#[test]
fn a_bulk_is_made_and_its_letters_open_it() {
    let desk = desk(3);
    let done = desk.pki(CREATE);
    assert_eq!(
        (done["asked"].as_u64(), done["issued"].as_u64(), done["missing"].as_u64()),
        (Some(3), Some(3), Some(0))
    );
    let octets = desk.read("out/site-2.coloapkg");
    let package = Package::parse(&octets).unwrap();
    let body = package.open(&Keys::derive(&code_in(&desk, "site-2"), &package.header.serial).unwrap()).unwrap();
    assert!(String::from_utf8(body.item("link.toml").unwrap().to_vec()).unwrap().contains("site = \"hub\""));
    assert!(package.open(&Keys::derive(&code_in(&desk, "site-1"), &package.header.serial).unwrap()).is_err());
    desk.write("device.pem", body.item("device.pem").unwrap());
    desk.write("roots.pem", body.item("roots.pem").unwrap());
    let (good, said) = desk.judge(&["verify", "-CAfile", "roots.pem", "-untrusted", "device.pem", "device.pem"]);
    assert!(good, "{said}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(desk.path("letters/site-1.txt")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(desk.pki("package list --dir issuing")["states"]["made"], 3);
    desk.pki("journal verify --dir issuing");
}

/// OpenSSL unwraps the key and signs receipts with it: the first is taken, a forged one refused, a second one an alarm.
#[test]
fn the_certified_key_is_inside_and_signs_the_receipt() {
    let desk = desk(1);
    desk.pki(CREATE);
    let package = Package::parse(&desk.read("out/site-1.coloapkg")).unwrap();
    let keys = Keys::derive(&code_in(&desk, "site-1"), &package.header.serial).unwrap();
    desk.write("wrapped", package.wrapped.as_slice());
    let kek: String = keys.wrapping.iter().map(|b| format!("{b:02x}")).collect();
    let unwrap =
        ["enc", "-d", "-id-aes256-wrap-pad", "-K", &kek, "-iv", "A65959A6", "-in", "wrapped", "-out", "key.der"];
    desk.openssl(&unwrap);
    let of_key = desk.openssl(&["pkey", "-inform", "DER", "-in", "key.der", "-pubout"]);
    let of_certificate = desk.openssl(&["x509", "-in", "out/site-1.pem", "-noout", "-pubkey"]);
    assert_eq!(of_key, of_certificate);
    let receipt = |device: &str, opened: u64| {
        let digest = coloa_package::digest(&desk.read("out/site-1.coloapkg"));
        let mut r =
            Receipt { package: package.header.serial, digest, opened, device: device.into(), signature: Vec::new() };
        desk.write("message", r.message());
        desk.openssl(&["pkey", "-inform", "DER", "-in", "key.der", "-out", "key.pem"]);
        desk.openssl(&["dgst", "-sha384", "-sign", "key.pem", "-out", "signature", "message"]);
        r.signature = desk.read("signature");
        desk.write("receipt", r.to_bytes());
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    receipt("box", now);
    let good = desk.read("receipt");
    let mut forged = String::from_utf8(good.clone()).unwrap();
    forged = forged.replace("device: box", "device: bax");
    desk.write("forged", forged);
    assert_eq!(desk.refused("package receive --dir issuing --pin-file pin forged"), 604);
    assert_eq!(desk.pki("package receive --dir issuing --pin-file pin receipt")["site"], "site-1");
    assert_eq!(desk.pki("package list --dir issuing")["states"]["received"], 1);
    receipt("another box", now);
    assert_eq!(desk.refused("package receive --dir issuing --pin-file pin receipt"), 605, "opened twice");
    let listed = desk.pki("package list --dir issuing");
    assert_eq!(listed["states"]["alarm"], 1);
    assert!(listed["packages"][0]["alarms"][0].as_str().unwrap().contains("on box"));
}

#[test]
fn a_package_can_be_withdrawn_once() {
    let desk = desk(2);
    let done = desk.pki(CREATE);
    let serial = done["packages"][1]["package"].as_str().unwrap();
    desk.pki(&format!("package void --dir issuing --pin-file pin {serial}"));
    assert_eq!(desk.refused(&format!("package void --dir issuing --pin-file pin {serial}")), 603);
    assert_eq!(desk.refused("package void --dir issuing --pin-file pin 00"), 602);
    assert_eq!(desk.pki("list --dir issuing")["totals"]["revoked"], 1, "its certificate goes with it");
    assert_eq!(desk.pki("package list --dir issuing")["states"]["voided"], 1);
}

#[test]
fn a_mistake_in_the_table_issues_nothing() {
    let desk = desk(1);
    let before = desk.read("issuing/journal");
    desk.write(
        "sites.csv",
        "site,organ,red,black,peers\na,O,10.1.0.1/24,192.0.2.1:4500,b\nb,O,nonsense,192.0.2.2:4500,a\n",
    );
    assert_eq!(desk.refused(CREATE), 601);
    assert_eq!(desk.read("issuing/journal"), before);
    assert!(!desk.path("out").exists());
    let one = CREATE.replace("--letters letters", "--letters out");
    desk.write("sites.csv", "site,organ,red,black,peers\na,O,10.1.0.1/24,192.0.2.1:4500,b\n");
    assert_eq!(desk.refused(&one), 304, "letters beside packages");
    let wrong = CREATE.replace("packages.pem", "policy.pem");
    assert_eq!(desk.refused(&wrong), 606);
}

/// Killed at many moments and started again: every site has one package of the batch, one letter, and they fit.
#[test]
fn a_bulk_goes_on_after_kills() {
    const SITES: usize = 12;
    let desk = desk(SITES);
    for kill in 1..=6 {
        let mut command = desk.command(env!("CARGO_BIN_EXE_coloa-pki"));
        command.arg("--json").args(CREATE.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_millis(250 + 60 * kill);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let done = desk.pki(CREATE);
    assert_eq!(done["issued"], SITES);
    let listed = desk.pki("package list --dir issuing");
    assert_eq!(listed["made"], SITES, "none twice");
    for line in done["packages"].as_array().unwrap() {
        let site = line["site"].as_str().unwrap();
        let octets = desk.read(&format!("out/{site}.coloapkg"));
        assert_eq!(line["digest"], coloa_pki::hex::encode(&coloa_package::digest(&octets)), "{site}");
        let package = Package::parse(&octets).unwrap();
        let keys = Keys::derive(&code_in(&desk, site), &package.header.serial).unwrap();
        assert!(package.open(&keys).is_ok(), "{site}");
    }
    let left = fs::read_dir(desk.path("out"))
        .unwrap()
        .filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|e| e == "new"));
    assert_eq!(left.count(), 0);
}
