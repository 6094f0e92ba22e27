//! A key's life and the inventory, as an operator types it: `coloa` against a real `coload`, with an application that uses
//! the keys beside it (R11, R35).
#![forbid(unsafe_code)]

mod site;

use coloa_client::{CallError, Client, Config};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, Command, ErrorCode, MechanismType, ObjectId, SessionId, Template};
use serde_json::Value;
use site::Site;
use std::fs;

/// An application that is logged in as the user.
struct Application {
    client: Client,
    session: SessionId,
}

impl Application {
    fn on(site: &Site) -> Self {
        let config = Config::read(&site.path("court-srv-1/coloa.toml")).unwrap();
        let client = Client::open(&config.targets[0]).unwrap();
        let partition = client.call(None, None, &TokenList {}, &[]).unwrap().0.tokens[0].partition;
        let session = client.call(None, None, &SessionOpen { partition }, &[]).unwrap().0.session;
        let application = Application { client, session };
        application.ask(&Login { role: Role::User, pin: Pin::from(&b"123456"[..]) }, &[]).unwrap();
        application
    }

    fn ask<C: Command>(&self, command: &C, bulk: &[u8]) -> Result<C::Reply, CallError> {
        self.client.call(Some(self.session), None, command, bulk).map(|answer| answer.0)
    }

    fn key(&self, label: &str, more: impl FnOnce(Template) -> Template) -> ObjectId {
        let template = Template::default().with(A::TOKEN, true).with(A::LABEL, label.as_bytes()).with(A::VALUE_LEN, 32);
        let template = more(template.with(A::ENCRYPT, true).with(A::DECRYPT, true));
        self.ask(&KeyGenerate { mechanism: MechanismType::AES_KEY_GEN.into(), template }, &[]).unwrap().object
    }

    fn encrypts(&self, key: ObjectId) -> Option<ErrorCode> {
        let gcm = coloa_wire::GcmParams { iv: None, aad: Vec::new(), tag_bits: 128 };
        let mechanism = coloa_wire::Mechanism { kind: MechanismType::AES_GCM, gcm: Some(gcm), parameter: None };
        self.ask(&Encrypt { key, mechanism }, b"text").err().and_then(|error| error.code())
    }
}

fn court() -> (Site, Application) {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    let application = Application::on(&site);
    (site, application)
}

fn act<'a>(site: &Site, what: &'a str, more: &[&'a str]) -> Value {
    let words = ["key", what, "--partition", "court", "--key", "archive", "--reason", "case 17"];
    site.does(&[&words[..], more].concat())
}

#[test]
fn a_suspended_key_stops_an_application_at_once_and_only_the_officer_resumes_it() {
    let (site, application) = court();
    let key = application.key("archive", |template| template);
    assert_eq!(application.encrypts(key), None);
    assert_eq!(act(&site, "suspend", &[])["state"], "suspended");
    assert_eq!(application.encrypts(key), Some(ErrorCode::KeySuspended));
    let shown = site.does(&["key", "show", "--partition", "court", "--key", "archive"]);
    assert_eq!((&shown["state"], &shown["reason"]), (&"suspended".into(), &"case 17".into()));
    fs::write(site.path("wrong.pin"), "11111111\n").unwrap();
    let words = ["key", "resume", "--partition", "court", "--key", "archive", "--reason", "found", "--so-pin-file"];
    assert!(site.fails(&[&words[..], &["wrong.pin"]].concat()).contains("E030"));
    assert_eq!(application.encrypts(key), Some(ErrorCode::KeySuspended));
    site.does(&[&words[..], &["so.pin"]].concat());
    assert_eq!(application.encrypts(key), None);
    act(&site, "compromise", &[]);
    assert_eq!(application.encrypts(key), Some(ErrorCode::KeyCompromised));
    assert!(site.fails(&[&words[..], &["so.pin"]].concat()).contains("E124"));
    let said = site.run(&["--lang", "vi", "key", "list", "--partition", "court"]);
    assert!(String::from_utf8(said.stdout).unwrap().contains("đã lộ"));
}

#[test]
fn what_is_said_of_a_key_is_listed_and_not_taken_back() {
    let (site, application) = court();
    application.key("archive", |template| template);
    let words =
        ["key", "describe", "--partition", "court", "--key", "archive", "--organ", "Tòa án", "--classification"];
    site.does(&[&words[..], &["2", "--crypto-period", "20"]].concat());
    assert!(site.fails(&[&words[..], &["1"]].concat()).contains("E127"));
    let listed = site.does(&["key", "list", "--partition", "court"]);
    assert_eq!((&listed[0]["organ"], &listed[0]["classification"]), (&"Tòa án".into(), &2.into()));
    let check = listed[0]["check_value"].as_str().unwrap();
    assert_eq!(check.len(), 6);
    let by_check = site.does(&["key", "show", "--partition", "court", "--key", check]);
    assert_eq!(by_check["object"], listed[0]["object"]);
    assert_eq!(site.does(&["expiring", "--days", "30"]).as_array().unwrap().len(), 1);
    assert_eq!(site.does(&["expiring", "--days", "10"]), serde_json::json!([]));
}

#[test]
fn a_rotated_key_has_a_successor_of_the_same_label() {
    let (site, application) = court();
    let old = application.key("archive", |template| template);
    let rotated = site.does(&["key", "rotate", "--token", "court", "--key", "archive", "--user-pin-file", "user.pin"]);
    assert_eq!(rotated["version"], 2);
    assert_eq!(application.encrypts(old), Some(ErrorCode::KeyDeactivated));
    let wanted = Template::default().with(A::LABEL, &b"archive"[..]).with(A::STATE, KeyState::Active.number());
    let found = application.ask(&ObjectFind { template: wanted, after: None, max: 9 }, &[]).unwrap().objects;
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [rotated["object"].as_str().unwrap()]);
    assert_eq!(application.encrypts(found[0]), None);
    let said = site.fails(&["key", "show", "--partition", "court", "--key", "archive"]);
    assert!(said.contains("not unique"), "{said}");
}

#[test]
fn a_destruction_is_certified_and_the_log_has_it() {
    let (site, application) = court();
    application.key("archive", |template| template);
    let check = site.does(&["key", "list", "--partition", "court"])[0]["check_value"].as_str().unwrap().to_owned();
    let words = ["key", "destroy", "--partition", "court", "--key", "archive", "--reason", "old", "--so-pin-file"];
    let said = site.fails(&[&words[..], &["so.pin", "--confirm", "000000"]].concat());
    assert!(said.contains("Nothing was destroyed"), "{said}");
    let certificate = site.does(&[&words[..], &["so.pin", "--confirm", &check]].concat());
    assert_eq!(certificate["check_value"], check.as_str());
    assert!(certificate["does_not_prove"].as_str().unwrap().contains("backups"));
    assert_eq!(site.does(&["key", "list", "--partition", "court"]), serde_json::json!([]));
    // The next record holds the digest that was certified.
    site.does(&["partition", "create", "--label", "agency", "--without-pins"]);
    site.does(&["audit", "export", "--out", "audit.cbor"]);
    let bytes = fs::read(site.path("audit.cbor")).unwrap();
    let digest = certificate["audit"]["digest"].as_str().unwrap();
    let digest: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&digest[2 * n..2 * n + 2], 16).unwrap()).collect();
    assert!(bytes.windows(32).any(|window| window == digest), "no record follows from the certified one");
}

/// R35: made = active + suspended + deactivated + compromised + destroyed, and where not, which.
#[test]
fn the_inventory_adds_up() {
    let (site, application) = court();
    let archive = application.key("archive", |template| template);
    let other = application.key("other", |template| template);
    let gone = application.key("gone", |template| template);
    application.key("passing", |mut template| {
        template.0.retain(|attribute| attribute.kind != A::TOKEN);
        template
    });
    let public =
        Template::default().with(A::TOKEN, true).with(A::EC_PARAMS, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..]);
    let private = Template::default().with(A::TOKEN, true);
    let pair = KeyPairGenerate { mechanism: MechanismType::EC_KEY_PAIR_GEN.into(), public, private };
    application.ask(&pair, &[]).unwrap();
    application.encrypts(archive);
    application.ask(&ObjectDestroy { object: gone }, &[]).unwrap();
    act(&site, "suspend", &[]);
    let other = other.to_string();
    site.does(&["key", "compromise", "--partition", "court", "--key", &other, "--reason", "found outside"]);
    let inventory = site.does(&["inventory"]);
    let total = &inventory["totals"][0];
    let counts = ["made", "active", "suspended", "compromised", "destroyed"].map(|name| total[name].as_u64().unwrap());
    assert_eq!((counts, &total["agrees"]), ([5, 2, 1, 1, 1], &true.into()), "{total}");
    assert_eq!(inventory["partitions"][0]["keys"].as_array().unwrap().len(), 4);
    let text = String::from_utf8(site.run(&["--lang", "vi", "inventory"]).stdout).unwrap();
    assert!(text.contains("khớp") && !text.contains("KHÔNG KHỚP"), "{text}");
}

#[test]
fn a_month_is_reported_as_text_html_and_json() {
    let (site, application) = court();
    let key = application.key("<b>archive</b>", |template| template);
    application.encrypts(key);
    let status = site.does(&["key", "list", "--partition", "court"]);
    let month = &status[0]["created"].as_str().unwrap()[..7];
    let report = site.does(&["report", "--month", month]);
    let court = &report["partitions"][0];
    assert_eq!((&court["partition"], &court["keys_made"]), (&"court".into(), &1.into()), "{report}");
    assert!(court["key_uses"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(report["totals_now"][0]["agrees"], true);
    assert_eq!(site.does(&["report", "--month", "2020-01"])["partitions"][0]["keys_made"], 0);
    let written = site.run(&["--lang", "vi", "report", "--month", month, "--format", "html", "--out", "r.html"]);
    assert!(written.status.success());
    let html = fs::read_to_string(site.path("r.html")).unwrap();
    assert!(html.contains("<html lang=\"vi\">") && html.contains("Báo cáo tháng") && html.ends_with("</html>\n"));
    assert!(site.fails(&["report", "--month", month, "--out", "r.html"]).contains("cannot be used"));
    assert!(site.fails(&["report", "--month", "10-2026"]).contains("YYYY-MM"));
}
