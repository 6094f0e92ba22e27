//! coload on loopback with two partitions: a court and an agency, each with PINs and client certificates of its own.

use super::Scene;
use super::application::Application;
use super::report::Report;
use anyhow::{Context, Result, ensure};
use coloa_hil_tests::body::{Appliance, Home};
use coloa_hil_tests::target::{Target, USER_PIN};
use coloa_hil_tests::token::Curve;
use std::path::Path;
use std::process::{Command, Stdio};

pub fn show(report: &mut Report, scene: &Scene) -> Result<()> {
    let mut started = None;
    report.line("coload starts; coloa initialises it: two partitions", "OpenSSL", || {
        let appliance = Appliance::start_in(Home::kept(&scene.dir)?)?;
        appliance.make_partition("court", "strict")?;
        appliance.make_partition("agency", "strict")?;
        let said = tls(&appliance, &scene.dir);
        started = Some(appliance);
        said
    });
    let appliance = started.context("without the appliance there are no partitions")?;
    let court = organ(&appliance, "court", &scene.dir);
    let agency = organ(&appliance, "agency", &scene.dir);
    court.write_environment()?;
    report.line("court: makes a P-384 key", "OpenSSL", || court.make_key("seal", Curve::P384));
    report.line("court: signs a document", "OpenSSL", || {
        court.sign("seal", "ECDSA-SHA384", "sha384", "Quyết định số 1/2026")
    });
    report.line("court: AES-256-GCM on a file, key not extractable", "cmp, grep", || court.encrypt_a_file());
    report.line("agency: sees none of it", "pkcs11-tool", || {
        let tokens = agency.tool(&["--list-token-slots"])?;
        ensure!(tokens.contains("agency") && !tokens.contains("court"), "it sees another token:\n{tokens}");
        let objects = agency.as_user(&["--list-objects"])?;
        ensure!(!objects.contains("Object"), "it sees objects:\n{objects}");
        let own = court.as_user(&["--list-objects"])?;
        ensure!(own.contains("seal") && own.contains("file-key"), "the court does not see its own:\n{own}");
        Ok("its own token, empty".into())
    });
    Ok(())
}

fn organ(appliance: &Appliance, label: &str, dir: &Path) -> Application {
    Application {
        module: appliance.module().to_owned(),
        environment: appliance.environment_of(label),
        token: label.into(),
        pin: USER_PIN.into(),
        dir: dir.to_owned(),
    }
}

/// With the court's certificate TLS 1.3 is spoken; TLS 1.2, and a caller without a certificate, are refused.
fn tls(appliance: &Appliance, dir: &Path) -> Result<String> {
    let client = dir.join("client-court");
    let own = ["-cert", "client.pem", "-key", "client.key"];
    let right = s_client(appliance.port(), &client, &[&["-tls1_3"], own.as_slice()].concat())?;
    ensure!(right.contains("Verify return code: 0 (ok)"), "OpenSSL does not take the certificate:\n{right}");
    let version = right.lines().find(|l| l.starts_with("New, TLSv1.3")).context("no TLS 1.3")?.to_owned();
    let old = s_client(appliance.port(), &client, &[&["-tls1_2"], own.as_slice()].concat())?;
    ensure!(old.contains("New, (NONE)"), "TLS 1.2 is spoken");
    let bare = s_client(appliance.port(), &client, &["-tls1_3"])?;
    ensure!(bare.contains("certificate required"), "a caller without a certificate is let in");
    Ok(version)
}

fn s_client(port: u16, dir: &Path, words: &[&str]) -> Result<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-CAfile", "ca.pem", "-ign_eof"]);
    openssl.args(["-servername", "localhost", "-verify_hostname", "localhost"]).args(words);
    // the server waits for a hello: timeout ends the talk
    let mut timed = Command::new("timeout");
    timed.arg("2").arg(openssl.get_program()).args(openssl.get_args());
    let out = timed.current_dir(dir).stdin(Stdio::null()).output().context("cannot start openssl")?;
    Ok(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}
