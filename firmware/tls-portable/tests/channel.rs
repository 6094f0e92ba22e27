//! Our provider and state loop as the server, rustls over aws-lc-rs as the client: two implementations of each algorithm.

mod rig;

use rig::{Authority, ClientSetup, Wire, client_config, server};
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::{AlertDescription, CertificateError, Error, NamedGroup, ProtocolVersion};

use coloa_tls_portable::Fault;

#[test]
fn hybrid_handshake_with_mutual_authentication_carries_data_both_ways() {
    let authority = Authority::new("channel");
    let mut wire = Wire::new(server(&authority), client_config(&authority, ClientSetup::default()));
    wire.run();
    assert!(wire.server.is_established());
    assert_eq!(wire.client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(wire.client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert!(wire.server.client_certificate().is_some());
    let text: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
    assert_eq!(wire.echo(&text), text);
}

#[test]
fn every_group_and_suite_agrees_with_aws_lc() {
    let authority = Authority::new("channel");
    let groups = [kx_group::SECP384R1, kx_group::SECP256R1, kx_group::X25519, kx_group::X25519MLKEM768];
    let suites = [cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS13_AES_128_GCM_SHA256];
    for group in groups {
        for suite in suites {
            let setup = ClientSetup { groups: vec![group], suites: vec![suite], ..ClientSetup::default() };
            let mut wire = Wire::new(server(&authority), client_config(&authority, setup));
            wire.run();
            assert_eq!(wire.client.negotiated_key_exchange_group().unwrap().name(), group.name());
            assert_eq!(wire.client.negotiated_cipher_suite().unwrap().suite(), suite.suite());
            assert_eq!(wire.echo(b"xin chao"), b"xin chao");
        }
    }
}

#[test]
fn certificates_on_p384_work_as_well() {
    let authority = Authority::on(&rcgen::PKCS_ECDSA_P384_SHA384, "channel");
    let mut wire = Wire::new(server(&authority), client_config(&authority, ClientSetup::default()));
    wire.run();
    assert_eq!(wire.echo(b"384"), b"384");
}

#[test]
fn hello_retry_is_answered_when_the_client_guessed_a_group_the_board_lacks() {
    let authority = Authority::new("channel");
    let groups = vec![kx_group::SECP256R1MLKEM768, kx_group::SECP384R1];
    let setup = ClientSetup { groups, ..ClientSetup::default() };
    let mut wire = Wire::new(server(&authority), client_config(&authority, setup));
    wire.run();
    assert_eq!(wire.echo(b"again"), b"again");
}

#[test]
fn a_foreign_client_certificate_is_refused_with_an_alert() {
    let authority = Authority::new("channel");
    let setup = ClientSetup { issuer: Some(Authority::new("stranger")), ..ClientSetup::default() };
    let wire = refused(&authority, setup);
    let expected = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    assert_eq!(wire.server.fault(), Some(&Fault::Refused(expected)));
    assert_eq!(wire.client_error, Some(Error::AlertReceived(AlertDescription::UnknownCA)));
    assert!(wire.server.client_certificate().is_none());
}

#[test]
fn an_expired_client_certificate_is_refused() {
    let authority = Authority::new("channel");
    let wire = refused(&authority, ClientSetup { expired: true, ..ClientSetup::default() });
    assert_eq!(wire.client_error, Some(Error::AlertReceived(AlertDescription::CertificateExpired)));
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let authority = Authority::new("channel");
    let wire = refused(&authority, ClientSetup { anonymous: true, ..ClientSetup::default() });
    assert_eq!(wire.server.fault(), Some(&Fault::Refused(Error::NoCertificatesPresented)));
    assert_eq!(wire.client_error, Some(Error::AlertReceived(AlertDescription::CertificateRequired)));
}

#[test]
fn tls_1_2_is_refused() {
    let authority = Authority::new("channel");
    let setup = ClientSetup { versions: vec![&rustls::version::TLS12], ..ClientSetup::default() };
    let wire = refused(&authority, setup);
    assert_eq!(wire.client_error, Some(Error::AlertReceived(AlertDescription::ProtocolVersion)));
}

#[test]
fn a_damaged_record_ends_an_established_channel_with_an_alert() {
    let authority = Authority::new("channel");
    let mut wire = Wire::new(server(&authority), client_config(&authority, ClientSetup::default()));
    wire.run();
    wire.damage_next = true;
    assert_eq!(wire.echo(b"not to be understood"), b"");
    assert_eq!(wire.server.fault(), Some(&Fault::Refused(Error::DecryptError)));
    assert_eq!(wire.client_error, Some(Error::AlertReceived(AlertDescription::BadRecordMac)));
}

#[test]
fn goodbye_is_answered_and_the_channel_finishes() {
    let authority = Authority::new("channel");
    let mut wire = Wire::new(server(&authority), client_config(&authority, ClientSetup::default()));
    wire.run();
    wire.client.send_close_notify();
    wire.run();
    assert!(wire.finished);
    assert_eq!(wire.server.fault(), None);
    assert!(wire.peer_closed);
}

fn refused(authority: &Authority, setup: ClientSetup) -> Wire {
    let mut wire = Wire::new(server(authority), client_config(authority, setup));
    wire.run();
    assert!(wire.finished, "the server must end the channel");
    assert!(wire.server.fault().is_some());
    wire
}
