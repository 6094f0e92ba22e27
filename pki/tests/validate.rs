//! Path validation against everything that must not pass, and certificates of other makers.

mod desk;
mod soft;

use coloa_pki::clock::Moment;
use coloa_pki::crl::{self, Issue, Reason};
use coloa_pki::lint::lint;
use coloa_pki::profile::{ISSUING, JOURNAL, Profile, ROOT};
use coloa_pki::token::Signer;
use coloa_pki::validate::{Path, Purpose, Refusal, Revocation, Validator, Verdict};
use desk::Desk;
use proptest::prelude::*;
use soft::{Party, moment, serial};

const FROM: &str = "2026-01-01T00:00:00Z";
const NOW: &str = "2026-06-01T00:00:00Z";
const UNTIL: &str = "2027-01-01T00:00:00Z";

fn link_device() -> &'static Profile {
    Profile::named("link-device").unwrap()
}

/// Root, issuing authority and device, with their certificates.
struct World {
    root: Party,
    issuing: Party,
    device: Party,
    anchors: Vec<Vec<u8>>,
    between: Vec<Vec<u8>>,
    leaf: Vec<u8>,
}

impl World {
    fn new() -> World {
        let (root, issuing, device) = (Party::new("CN=Root"), Party::new("CN=Issuing"), Party::new("CN=device"));
        let (from, until) = (moment(FROM), moment(UNTIL));
        let anchors = vec![root.certify(&root, &ROOT, from, until)];
        let between = vec![root.certify(&issuing, &ISSUING, from, until)];
        let leaf = issuing.certify(&device, link_device(), from, until);
        World { root, issuing, device, anchors, between, leaf }
    }

    fn judge(&self, leaf: &[u8]) -> Verdict<Path> {
        self.judge_as(leaf, Purpose::LinkDevice, NOW)
    }

    fn judge_as(&self, leaf: &[u8], purpose: Purpose, at: &str) -> Verdict<Path> {
        Validator::new(&self.anchors, moment(at), purpose)?.with_intermediates(&self.between).validate(leaf)
    }

    fn judge_with(&self, lists: &[Vec<u8>], policy: Revocation) -> Verdict<Path> {
        let validator = Validator::new(&self.anchors, moment(NOW), Purpose::LinkDevice)?;
        validator.with_intermediates(&self.between).with_lists(lists, policy)?.validate(&self.leaf)
    }
}

fn list(by: &Party, signer: &Party, revoked: &[u8], from: &str, until: &str) -> Vec<u8> {
    let entry = |n: &u8| crl::Entry { serial: serial(*n), at: moment(FROM), reason: Reason::KeyCompromise };
    let entries: Vec<crl::Entry> = revoked.iter().map(entry).collect();
    let issue = Issue { number: 1, this_update: moment(from), next_update: moment(until) };
    crl::build(&entries, issue, &by.issuer(), &signer.key).unwrap()
}

#[test]
fn a_good_chain_passes() {
    let world = World::new();
    let path = world.judge(&world.leaf).unwrap();
    assert_eq!(path.subjects, ["CN=device", "CN=Issuing", "CN=Root"]);
    assert!(world.judge_as(&world.leaf, Purpose::TlsClient, NOW).is_ok());
    assert!(world.judge_as(&world.between[0], Purpose::Authority, NOW).is_ok());
}

#[test]
fn dates_are_held_to_the_second() {
    let world = World::new();
    assert!(world.judge_as(&world.leaf, Purpose::LinkDevice, FROM).is_ok());
    assert!(world.judge_as(&world.leaf, Purpose::LinkDevice, UNTIL).is_ok());
    let early = world.judge_as(&world.leaf, Purpose::LinkDevice, "2025-12-31T23:59:59Z");
    assert!(matches!(early, Err(Refusal::NotYetValid { .. })));
    let late = world.judge_as(&world.leaf, Purpose::LinkDevice, "2027-01-01T00:00:01Z");
    assert!(matches!(late, Err(Refusal::Expired { .. })));
}

#[test]
fn an_expired_authority_ends_what_it_issued() {
    let mut world = World::new();
    world.between = vec![world.root.certify(&world.issuing, &ISSUING, moment(FROM), moment("2026-02-01T00:00:00Z"))];
    assert!(matches!(world.judge(&world.leaf), Err(Refusal::Expired { subject, .. }) if subject == "CN=Issuing"));
}

#[test]
fn strangers_and_forgers_are_refused() {
    let world = World::new();
    let (from, until) = (moment(FROM), moment(UNTIL));
    let stranger = Party::new("CN=Stranger").certify(&world.device, link_device(), from, until);
    assert!(matches!(world.judge(&stranger), Err(Refusal::NoPath { .. })));
    // The issuing authority's name, another key: its key identifier gives it away.
    let forger = Party::new("CN=Issuing").certify(&world.device, link_device(), from, until);
    assert!(matches!(world.judge(&forger), Err(Refusal::NoPath { .. })));
    // A root of one's own in place of the anchor, sent along as if it stood between.
    let own = Party::new("CN=Root");
    let mut own_world = World::new();
    own_world.between =
        vec![own.certify(&own, &ROOT, from, until), own.certify(&own_world.issuing, &ISSUING, from, until)];
    assert!(matches!(own_world.judge(&own_world.leaf), Err(Refusal::NoPath { .. })));
    let mut alone = World::new();
    alone.between.clear();
    assert!(matches!(alone.judge(&alone.leaf), Err(Refusal::NoPath { .. })));
}

#[test]
fn a_device_cannot_certify() {
    let mut world = World::new();
    let thief = Party::new("CN=thief");
    let (from, until) = (moment(FROM), moment(UNTIL));
    world.between.push(world.leaf.clone());
    let forged = world.device.certify(&thief, link_device(), from, until);
    assert!(matches!(world.judge(&forged), Err(Refusal::NotAuthority { subject }) if subject == "CN=device"));
    // Nor does a certificate for an authority that a device signed help.
    world.between.push(world.device.certify(&thief, &ISSUING, from, until));
    let deeper = thief.certify(&Party::new("CN=x"), link_device(), from, until);
    assert!(matches!(world.judge(&deeper), Err(Refusal::NotAuthority { .. })));
}

#[test]
fn the_path_length_is_held() {
    let mut world = World::new();
    let (from, until) = (moment(FROM), moment(UNTIL));
    let below = Party::new("CN=Below");
    world.between.push(world.issuing.certify(&below, &ISSUING, from, until));
    let leaf = below.certify(&Party::new("CN=x"), link_device(), from, until);
    assert!(matches!(world.judge(&leaf), Err(Refusal::PathTooLong { subject }) if subject == "CN=Issuing"));
    let authority = world.between[1].clone();
    assert!(matches!(world.judge_as(&authority, Purpose::Authority, NOW), Err(Refusal::PathTooLong { .. })));
}

#[test]
fn each_purpose_admits_its_own_certificates_only() {
    let world = World::new();
    let purposes = [Purpose::LinkDevice, Purpose::TlsServer, Purpose::TlsClient, Purpose::PolicySigner];
    let purposes = [&purposes[..], &[Purpose::JournalSigner, Purpose::Authority]].concat();
    let profiles = ["link-device", "tls-server", "tls-client", "policy-signer"].map(|n| Profile::named(n).unwrap());
    let expected = [
        [true, true, true, false, false, false],
        [false, true, false, false, false, false],
        [false, false, true, false, false, false],
        [false, false, false, true, false, false],
        [false, false, false, false, true, false],
    ];
    for (profile, expected) in profiles.into_iter().chain([&JOURNAL]).zip(expected) {
        let leaf = world.issuing.certify(&world.device, profile, moment(FROM), moment(UNTIL));
        let judged: Vec<bool> = purposes.iter().map(|p| world.judge_as(&leaf, *p, NOW).is_ok()).collect();
        assert_eq!(judged, expected, "{}", profile.name);
    }
    assert!(matches!(world.judge(&world.between[0]), Err(Refusal::WrongUsage { .. })), "an authority is no device");
}

#[test]
fn revocation_reaches_devices_and_authorities() {
    let world = World::new();
    let require = Revocation::Require;
    let empty_root = list(&world.root, &world.root, &[], FROM, UNTIL);
    let empty = list(&world.issuing, &world.issuing, &[2], FROM, UNTIL);
    let full = list(&world.issuing, &world.issuing, &[2, 1], FROM, UNTIL);
    let root_full = list(&world.root, &world.root, &[1], FROM, UNTIL);
    assert!(world.judge_with(&[empty_root.clone(), empty.clone()], require).is_ok());
    let revoked = world.judge_with(&[empty_root, full.clone()], require);
    assert!(matches!(revoked, Err(Refusal::Revoked { reason: Some(Reason::KeyCompromise), .. })));
    assert!(matches!(world.judge_with(&[full], Revocation::IfAvailable), Err(Refusal::Revoked { .. })));
    let authority = world.judge_with(&[root_full, empty], require);
    assert!(matches!(authority, Err(Refusal::Revoked { subject, .. }) if subject == "CN=Issuing"));
}

/// R31: the stated policy when status is not to be had.
#[test]
fn missing_old_future_and_forged_lists_count_as_missing_where_lists_are_required() {
    let world = World::new();
    let root = list(&world.root, &world.root, &[], FROM, UNTIL);
    let stale = list(&world.issuing, &world.issuing, &[], FROM, "2026-05-01T00:00:00Z");
    let future = list(&world.issuing, &world.issuing, &[], "2026-07-01T00:00:00Z", UNTIL);
    let forged = list(&world.issuing, &Party::new("CN=Issuing"), &[], FROM, UNTIL);
    let by_device = list(&world.device, &world.device, &[1], FROM, UNTIL);
    let with = |other: &Vec<u8>, policy| world.judge_with(&[root.clone(), other.clone()], policy);
    assert!(matches!(with(&root, Revocation::Require), Err(Refusal::NoList { .. })));
    assert!(matches!(with(&stale, Revocation::Require), Err(Refusal::ListStale { .. })));
    for other in [&future, &forged, &by_device] {
        assert!(matches!(with(other, Revocation::Require), Err(Refusal::NoList { .. })));
    }
    for other in [&root, &stale, &future, &forged, &by_device] {
        assert!(with(other, Revocation::IfAvailable).is_ok());
    }
    // An old list still tells who was revoked; a forged one tells nothing.
    let old = list(&world.issuing, &world.issuing, &[1], FROM, "2026-05-01T00:00:00Z");
    assert!(matches!(with(&old, Revocation::IfAvailable), Err(Refusal::Revoked { .. })));
    let slander = list(&world.issuing, &Party::new("CN=Issuing"), &[1], FROM, UNTIL);
    assert!(with(&slander, Revocation::IfAvailable).is_ok());
}

#[test]
fn a_crowd_of_lookalike_issuers_costs_little() {
    let mut world = World::new();
    let (from, until) = (moment(FROM), moment(UNTIL));
    // The same name and key, certified by a hundred unknown roots: each signature on the way holds.
    world.between = (0..100)
        .map(|n| Party::new(&format!("CN=Nowhere {n}")).certify(&world.issuing, &ISSUING, from, until))
        .collect();
    assert_eq!(world.judge(&world.leaf).unwrap_err(), Refusal::TooMuchWork);
    // A ring of authorities that certify each other ends too.
    let (a, b) = (Party::new("CN=A"), Party::new("CN=B"));
    world.between = vec![a.certify(&b, &ROOT, from, until), b.certify(&a, &ROOT, from, until)];
    let leaf = a.certify(&world.device, link_device(), from, until);
    assert!(world.judge(&leaf).is_err());
}

#[test]
fn what_openssl_makes_is_judged_by_the_same_rules() {
    let desk = Desk::with_tokens(&[]);
    desk.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=Other CA",
        "-days",
        "30",
        "-sha384",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]);
    desk.openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "d.key",
        "-out",
        "d.csr",
        "-subj",
        "/CN=d",
    ]);
    let usage = "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n";
    let judge = |extensions: &str| {
        desk.write("ext", extensions);
        desk.openssl(&[
            "x509", "-req", "-in", "d.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "9", "-extfile", "ext",
            "-out", "d.pem",
        ]);
        desk.try_pki("verify --root ca.pem --purpose link-device d.pem")
    };
    let said = |extensions: &str| desk::text(&judge(extensions).stderr);
    let fine = judge(usage);
    assert!(fine.status.success(), "{}", desk::text(&fine.stderr));
    assert!(said(&format!("{usage}1.2.3.4=critical,ASN1:UTF8String:x\n")).contains("critical extension 1.2.3.4"));
    assert!(
        said(&format!("{usage}nameConstraints=critical,permitted;DNS:a\n")).contains("critical extension 2.5.29.30")
    );
    assert!(said("extendedKeyUsage=serverAuth,clientAuth\n").contains("keyUsage"));
    assert!(said("keyUsage=critical,digitalSignature\n").contains("extendedKeyUsage"));
    assert!(said(&format!("{usage}basicConstraints=CA:TRUE\n")).contains("keyUsage"));
    assert!(judge(&format!("{usage}1.2.3.4=ASN1:UTF8String:x\n")).status.success(), "not critical: not in the way");
}

#[test]
fn a_certificate_changed_at_any_bit_is_refused() {
    let world = World::new();
    for at in 0..world.leaf.len() {
        for bit in 0..8 {
            let mut changed = world.leaf.clone();
            changed[at] ^= 1 << bit;
            assert!(world.judge(&changed).is_err(), "byte {at} bit {bit}");
        }
    }
}

/// The last gate before release: a certificate that differs in any byte from what was meant is withheld.
#[test]
fn lint_withholds_a_certificate_changed_at_any_byte() {
    let issuer = Party::new("CN=Issuing,O=Authority,C=VN");
    let device = Party::new("CN=device,O=Court");
    let names = vec![coloa_pki::name::AltName::dns("a.link").unwrap()];
    let permitted = link_device().permit(device.name.parse().unwrap(), names).unwrap();
    let meant = coloa_pki::certificate::Particulars {
        permitted: &permitted,
        public_key: device.key.public_key(),
        serial: &serial(1),
        not_before: moment(FROM),
        not_after: moment(UNTIL),
    };
    let der = coloa_pki::certificate::build(&meant, &issuer.issuer(), &issuer.key).unwrap();
    let check = |der: &[u8]| lint(der, &meant, &issuer.issuer(), issuer.key.public_key());
    check(&der).unwrap();
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            assert!(check(&changed).is_err(), "byte {at} bit {bit}");
        }
    }
}

/// What lint finds when the signature is good and the content is not: another's every field in turn.
#[test]
fn lint_names_what_is_not_as_meant() {
    let (issuer, other) = (Party::new("CN=Issuing"), Party::new("CN=other"));
    let device = Party::new("CN=device");
    let (from, until) = (moment(FROM), moment(UNTIL));
    let permitted = link_device().permit(device.name.parse().unwrap(), Vec::new()).unwrap();
    let meant = coloa_pki::certificate::Particulars {
        permitted: &permitted,
        public_key: device.key.public_key(),
        serial: &serial(1),
        not_before: from,
        not_after: until,
    };
    let rule = |der: &[u8]| match lint(der, &meant, &issuer.issuer(), issuer.key.public_key()) {
        Err(coloa_pki::Error::LintFailed { rule }) => rule,
        other => panic!("{other:?}"),
    };
    let later = Moment::from_seconds(until.seconds() + 1).unwrap();
    let stolen = Party { name: device.name.clone(), key: soft::SoftKey::new() };
    let renamed = issuer.certify(&other, link_device(), from, until);
    assert_eq!(rule(&renamed), "subject");
    assert_eq!(rule(&issuer.certify(&stolen, link_device(), from, until)), "public key");
    assert_eq!(rule(&issuer.certify(&device, link_device(), from, later)), "notAfter");
    assert_eq!(rule(&issuer.certify(&device, link_device(), later, until)), "notBefore");
    assert_eq!(rule(&issuer.certify_as(&device, link_device(), from, until, &serial(2))), "serial number");
    assert_eq!(rule(&issuer.certify(&device, &ROOT, from, until)), "extensions missing");
    assert_eq!(rule(&issuer.certify(&device, Profile::named("tls-client").unwrap(), from, until)), "extendedKeyUsage");
    let elsewhere = Party { name: "CN=Elsewhere".into(), key: issuer.key };
    let der = elsewhere.certify(&device, link_device(), from, until);
    let judged = lint(&der, &meant, &Party::new("CN=Issuing").issuer(), elsewhere.key.public_key());
    assert!(matches!(judged, Err(coloa_pki::Error::LintFailed { rule: "issuer" })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let anchors = [bytes.clone()];
        prop_assert!(Validator::new(&anchors, moment(NOW), Purpose::LinkDevice).is_err());
        let none = [];
        let validator = Validator::new(&none, moment(NOW), Purpose::LinkDevice).unwrap();
        prop_assert!(validator.validate(&bytes).is_err());
    }

    #[test]
    fn changed_certificates_and_lists_never_panic(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let world = World::new();
        let change = |der: &[u8]| {
            let mut changed = der.to_vec();
            let at = at.index(changed.len());
            changed[at] ^= flip;
            changed
        };
        prop_assert!(world.judge(&change(&world.leaf)).is_err());
        let lists = [change(&list(&world.issuing, &world.issuing, &[1], FROM, UNTIL))];
        let _ = world.judge_with(&lists, Revocation::Require);
    }
}
