//! Who gets a channel, and what it may see (R21, R22).

use crate::rig::{Appliance, Enrolled, call, key_pair, sign, until, user};
use coloa_client::CallError;
use coloa_wire::ErrorCode;
use coloa_wire::admin::ClientList;
use coloa_wire::command::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::process::{Command, Stdio};

fn refusal(client: &Enrolled, address: &str) -> CallError {
    call(&client.client(address), None, &TokenList {}).expect_err("the channel must be refused")
}

#[test]
fn a_client_sees_only_its_own_partition() {
    let appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let address = appliance.address();
    let court_server = appliance.enrol(court, "court-srv-1").client(&address);
    let agency_server = appliance.enrol(agency, "agency-srv-1").client(&address);
    let tokens = call(&court_server, None, &TokenList {}).unwrap().tokens;
    assert_eq!(tokens.iter().map(|t| t.label.as_str()).collect::<Vec<_>>(), ["court"]);
    assert!(tokens[0].clients.is_empty(), "names of clients are the administrators' affair");
    let refused = call(&court_server, None, &SessionOpen { partition: agency }).err().unwrap();
    assert_eq!(refused.code(), Some(ErrorCode::PartitionUnknown));
    let session = user(&court_server, court);
    let key = key_pair(&court_server, session).unwrap();
    sign(&court_server, session, key).unwrap();
    // Somebody else's session is no session.
    assert_eq!(sign(&agency_server, session, key).unwrap_err().code(), Some(ErrorCode::SessionUnknown));
    let other = user(&agency_server, agency);
    assert_eq!(sign(&agency_server, other, key).unwrap_err().code(), Some(ErrorCode::ObjectUnknown));
    let create = PartitionCreate { label: "own".into(), mode: PartitionMode::Strict, approved_only: None };
    assert_eq!(call(&court_server, None, &create).unwrap_err().code(), Some(ErrorCode::ChannelForbidden));
}

#[test]
fn before_initialisation_there_is_no_tls_port() {
    let appliance = Appliance::manufactured();
    let info = appliance.admin().ask(&coloa_wire::admin::ServiceInfo {}).unwrap();
    assert_eq!((info.listening, info.trouble), (None, None));
    appliance.admin().call(None, &DeviceInitialize { label: "rack-1".into() }).unwrap();
    std::net::TcpStream::connect(appliance.address()).unwrap();
}

#[test]
fn a_withdrawn_right_cuts_the_live_channel() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    let client = enrolled.client(&appliance.address());
    user(&client, court);
    let listed = appliance.admin().ask(&ClientList {}).unwrap().clients;
    assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].channels), (1, "court-srv-1", 1));
    let unbind = ClientUnbind { partition: court, identity: enrolled.reply.identity };
    appliance.admin().call(None, &unbind).unwrap();
    assert!(until(|| appliance.metrics().lines().any(|l| l == "coloa_channels 0")), "the channel lives on");
    assert!(matches!(call(&client, None, &TokenList {}), Err(CallError::Refused(..) | CallError::Lost(..))));
    let refused = refusal(&enrolled, &appliance.address());
    assert!(matches!(refused, CallError::Refused(..)), "{refused}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let year_2020 = 1_577_836_800;
    let enrolled = appliance.enrol_from(court, "old-srv", Some(year_2020));
    let refused = refusal(&enrolled, &appliance.address());
    assert!(matches!(&refused, CallError::Refused(_, why) if why.contains("Expired")), "{refused}");
    assert!(appliance.metrics().contains("coloa_handshake_failures_total{reason=\"expired\"} 1"));
}

#[test]
fn a_live_channel_ends_with_its_certificate() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // A day that is over in a few seconds.
    let enrolled = appliance.enrol_from(court, "short-srv", Some(now - 24 * 3600 + 15));
    let client = enrolled.client(&appliance.address());
    call(&client, None, &TokenList {}).unwrap();
    assert!(until(|| appliance.metrics().lines().any(|l| l == "coloa_channels 0")), "the channel lives on");
    assert!(matches!(refusal(&enrolled, &appliance.address()), CallError::Refused(..)));
}

#[test]
fn a_foreign_certificate_is_refused() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    // The name is right, the CA's name too; only the CA's key is another's.
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name = rcgen::DistinguishedName::new();
    ca.distinguished_name.push(DnType::CommonName, "Co Loa channel CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "court-srv-1");
    let forged = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    std::fs::write(enrolled.folder.join("client.pem"), forged.pem()).unwrap();
    std::fs::write(enrolled.folder.join("client.key"), key.serialize_pem()).unwrap();
    let refused = refusal(&enrolled, &appliance.address());
    assert!(matches!(refused, CallError::Refused(..)), "{refused}");
    assert!(!appliance.metrics().contains("coloa_handshakes_total 1"));
}

#[test]
fn tls_1_2_is_refused() {
    let appliance = Appliance::operational();
    let court = appliance.partition("court");
    let enrolled = appliance.enrol(court, "court-srv-1");
    let openssl = |version: &str| {
        let out = Command::new("openssl")
            .args(["s_client", version, "-connect", &appliance.address(), "-servername", "localhost"])
            .arg("-CAfile")
            .arg(enrolled.folder.join("ca.pem"))
            .arg("-cert")
            .arg(enrolled.folder.join("client.pem"))
            .arg("-key")
            .arg(enrolled.folder.join("client.key"))
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed");
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    };
    let new = openssl("-tls1_3");
    assert!(new.contains("TLSv1.3") && new.contains("Verify return code: 0"), "{new}");
    let old = openssl("-tls1_2");
    assert!(old.contains("alert protocol version"), "{old}");
    assert!(call(&enrolled.client(&appliance.address()), None, &TokenList {}).is_ok());
}

#[test]
fn a_request_without_proof_of_possession_is_refused() {
    let appliance = Appliance::operational();
    let partition = appliance.partition("court");
    let key = KeyPair::generate().unwrap();
    let mut request = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    // The last byte belongs to the signature.
    *request.last_mut().unwrap() ^= 1;
    let asked = |request: Vec<u8>, days| coloa_wire::admin::ClientEnrol {
        partition,
        name: "srv".into(),
        request,
        days,
        valid_from: None,
    };
    let mut admin = appliance.admin();
    assert_eq!(admin.ask(&asked(request.clone(), 1)), Err(ErrorCode::SignatureInvalid));
    *request.last_mut().unwrap() ^= 1;
    assert_eq!(admin.ask(&asked(request.clone(), 0)), Err(ErrorCode::AttributeValueInvalid));
    assert!(admin.ask(&asked(request, 1)).is_ok());
}
