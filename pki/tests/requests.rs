//! Requests from outside: forged, garbled, greedy. Nothing panics, nothing but key and permitted names gets through (B4).

mod desk;
mod soft;

use coloa_pki::name::AltName;
use coloa_pki::profile::Profile;
use coloa_pki::request::{self, Request};
use coloa_pki::{Error, pem};
use desk::Desk;
use proptest::prelude::*;
use soft::SoftKey;

fn honest() -> Vec<u8> {
    let names = [AltName::dns("site-a.link").unwrap()];
    request::write(&"CN=site-a,O=Court".parse().unwrap(), &names, &SoftKey::new()).unwrap()
}

/// A request by OpenSSL: subject, `-addext` options, key.
fn by_openssl(desk: &Desk, key: &str, subject: &str, extensions: &[&str]) -> Vec<u8> {
    if !desk.path(&format!("{key}.key")).exists() {
        let algorithm: &[&str] = match key {
            "rsa" => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "ed25519" => &["-algorithm", "ED25519"],
            "p521" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
            _ => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        };
        desk.openssl(&[&["genpkey", "-out", &format!("{key}.key")], algorithm].concat());
    }
    let file = format!("{key}.key");
    let mut arguments = vec!["req", "-new", "-utf8", "-key", &file, "-sha384", "-subj", subject, "-outform", "DER"];
    arguments.extend(["-out", "request.der", "-multivalue-rdn"]);
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    desk.openssl(&arguments);
    desk.read("request.der")
}

#[test]
fn openssl_reads_our_request_and_we_read_its() {
    let desk = Desk::with_tokens(&[]);
    desk.write("ours.der", honest());
    let said = desk.openssl(&["req", "-inform", "DER", "-in", "ours.der", "-noout", "-text", "-verify"]);
    assert!(said.contains("DNS:site-a.link") && said.contains("O = Court, CN = site-a"), "{said}");

    let theirs = Request::parse(&by_openssl(&desk, "ec", "/C=VN/O=Tòa án/CN=trạm 1", &["subjectAltName=DNS:Trạm.vn"]));
    assert!(matches!(theirs, Err(Error::NameRefused { .. })), "a DNS name is ASCII");
    let der =
        by_openssl(&desk, "ec", "/C=VN/O=Tòa án/CN=trạm 1", &["subjectAltName=DNS:Tram.vn,IP:10.0.0.1,IP:fd00::1"]);
    let theirs = Request::parse(&der).unwrap();
    assert_eq!(theirs.subject().to_string(), "CN=trạm 1, O=Tòa án, C=VN");
    let names: Vec<String> = theirs.alt_names().iter().map(AltName::to_string).collect();
    assert_eq!(names, ["DNS:tram.vn", "IP:10.0.0.1", "IP:fd00::1"]);
}

#[test]
fn asking_to_be_an_authority_is_ignored() {
    let desk = Desk::founded();
    let greedy = [
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=critical,keyCertSign,cRLSign",
        "extendedKeyUsage=codeSigning,anyExtendedKeyUsage",
        "1.2.3.4.5=critical,ASN1:UTF8String:surprise",
    ];
    by_openssl(&desk, "ec", "/CN=greedy", &greedy);
    let issued =
        desk.pki("issue --dir issuing --pin-file pin --profile link-device --csr request.der --out greedy.pem");
    assert_eq!(issued["ignored"], serde_json::json!(["2.5.29.19", "2.5.29.15", "2.5.29.37", "1.2.3.4.5"]));
    let shown = desk.openssl(&["x509", "-in", "greedy.pem", "-noout", "-text"]);
    assert!(shown.contains("CA:FALSE") && shown.contains("Digital Signature\n"), "{shown}");
    for part in ["CA:TRUE", "Certificate Sign", "Code Signing", "1.2.3.4.5", "surprise"] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn names_that_no_profile_permits_are_refused() {
    let desk = Desk::with_tokens(&[]);
    for subject in [
        "/CN=a/CN=b",
        "/CN=a+O=b",
        "/CN=a/emailAddress=a@b.c",
        "/CN=a/DC=example",
        "/CN=a/2.5.4.4=surname",
        "/CN=a\tb",
        "/CN=a;b",
        "/CN=<script>",
        "/CN=*",
        "/C=XX/CN=\u{430}dmin",
    ] {
        let der = by_openssl(&desk, "ec", subject, &[]);
        let error = Request::parse(&der).unwrap_err();
        assert!(matches!(error, Error::NameRefused { .. } | Error::NameRepeated { .. }), "{subject}: {error:?}");
    }
    assert!(matches!(Request::parse(&by_openssl(&desk, "ec", "/", &[])), Err(Error::NameEmpty)));
    for name in
        ["URI:http://a", "email:a@b.c", "DNS:*.a", "DNS:a_b", "RID:1.2.3", "otherName:1.2.3;UTF8:x", "dirName:d"]
    {
        let extension = format!("subjectAltName={name}");
        let extra = if name == "dirName:d" { continue } else { [extension.as_str()] };
        let error = Request::parse(&by_openssl(&desk, "ec", "/CN=a", &extra)).unwrap_err();
        assert!(matches!(error, Error::NameRefused { .. }), "{name}: {error:?}");
    }
}

#[test]
fn a_profile_refuses_names_it_does_not_permit_and_misses_those_it_needs() {
    let request = Request::parse(&honest()).unwrap();
    let permit =
        |profile: &str, names: Vec<AltName>| Profile::named(profile).unwrap().permit(request.subject().clone(), names);
    let ip = || vec![AltName::Ip("10.0.0.1".parse().unwrap())];
    let dns = |n: usize| (0..n).map(|i| AltName::dns(&format!("h{i}.example")).unwrap()).collect::<Vec<_>>();
    assert!(permit("tls-server", [dns(1), ip()].concat()).is_ok());
    assert!(matches!(permit("tls-server", Vec::new()), Err(Error::NameMissing { .. })));
    assert!(matches!(permit("tls-server", dns(17)), Err(Error::ProfileRefuses { .. })));
    assert!(permit("link-device", dns(4)).is_ok());
    assert!(matches!(permit("link-device", dns(5)), Err(Error::ProfileRefuses { .. })));
    assert!(matches!(permit("link-device", ip()), Err(Error::ProfileRefuses { .. })));
    for profile in ["tls-client", "policy-signer", "issuing-ca"] {
        assert!(permit(profile, Vec::new()).is_ok());
        assert!(matches!(permit(profile, dns(1)), Err(Error::ProfileRefuses { .. })), "{profile}");
    }
    let nameless = Profile::named("link-device").unwrap().permit("O=Court".parse().unwrap(), Vec::new());
    assert!(matches!(nameless, Err(Error::NameMissing { .. })));
    let numbered = Profile::named("policy-signer").unwrap().permit("CN=a,serialNumber=1".parse().unwrap(), Vec::new());
    assert!(matches!(numbered, Err(Error::ProfileRefuses { .. })));
}

#[test]
fn possession_must_be_proved() {
    let desk = Desk::with_tokens(&[]);
    let good = by_openssl(&desk, "ec", "/CN=victim", &[]);
    Request::parse(&good).unwrap();
    // Another's signature under the victim's key: the tail of a request by someone else.
    let other = by_openssl(&desk, "other", "/CN=victim", &[]);
    let tail = other.len() - 90;
    for at in (good.len() - 60..good.len()).step_by(7) {
        let mut forged = good.clone();
        forged[at] ^= 1;
        assert!(matches!(Request::parse(&forged), Err(Error::PossessionNotProved | Error::RequestMalformed)), "{at}");
    }
    let mut renamed = good.clone();
    let at = renamed.windows(6).position(|w| w == b"victim").unwrap();
    renamed[at..at + 6].copy_from_slice(b"robber");
    assert!(matches!(Request::parse(&renamed), Err(Error::PossessionNotProved)));
    let mut spliced = good[..good.len() - 90].to_vec();
    spliced.extend(&other[tail..]);
    assert!(Request::parse(&spliced).is_err());
}

#[test]
fn other_kinds_of_keys_are_refused() {
    let desk = Desk::with_tokens(&[]);
    for key in ["rsa", "ed25519", "p521"] {
        let der = by_openssl(&desk, key, "/CN=a", &[]);
        assert!(matches!(Request::parse(&der), Err(Error::PublicKeyUnusable)), "{key}");
    }
}

#[test]
fn files_that_are_no_request_are_named_as_such() {
    let desk = Desk::founded();
    let issue =
        |csr: &str| desk.refused(&format!("issue --dir issuing --pin-file pin --profile link-device --csr {csr}"));
    desk.write("garbage.der", [&[0x30, 0x82, 0xff, 0xff][..], &[0xa5; 300]].concat());
    assert_eq!(issue("garbage.der"), 202);
    desk.write("large.der", vec![0x30; 1 << 20]);
    assert_eq!(issue("large.der"), 201);
    desk.write("huge.der", vec![0x30; 5 << 20]);
    assert_eq!(issue("huge.der"), 404);
    desk.write("text", "hello");
    assert_eq!(issue("text"), 405);
    desk.write("empty", "");
    assert_eq!(issue("empty"), 405);
    assert_eq!(issue("issuing/ca.pem"), 405, "a certificate is not a request");
    let twice = pem::encode(pem::Label::Request, &honest()).unwrap().repeat(2);
    desk.write("twice.pem", twice);
    assert_eq!(issue("twice.pem"), 405);
    let long = [honest(), vec![0]].concat();
    desk.write("long.der", long);
    assert_eq!(issue("long.der"), 202);
    assert_eq!(desk.pki("list --dir issuing")["totals"]["issued"], 1, "nothing was issued");
}

#[test]
fn a_request_changed_at_any_bit_is_refused() {
    let honest = honest();
    for at in 0..honest.len() {
        for bit in 0..8 {
            let mut changed = honest.clone();
            changed[at] ^= 1 << bit;
            assert!(Request::parse(&changed).is_err(), "byte {at} bit {bit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Request::parse(&bytes).is_err());
    }

    #[test]
    fn nested_garbage_never_panics(tag in any::<u8>(), depth in 1_usize..2000) {
        // A tower of indefinite or two-byte headers, which a recursive parser would climb.
        let bytes: Vec<u8> = std::iter::repeat_n([tag, 0x80], depth).flatten().collect();
        prop_assert!(Request::parse(&bytes).is_err());
    }

    #[test]
    fn pem_garbage_never_panics(bytes in "(-----BEGIN [A-Z ]{0,30}-----\n?)?[ -~\n]{0,300}(-----END CERTIFICATE REQUEST-----)?") {
        let _ = pem::decode(bytes.as_bytes(), pem::Label::Request);
    }
}
