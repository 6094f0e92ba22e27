//! No server at all: the engine in the application's process, which says what it is not.

use super::Scene;
use super::application::Application;
use super::report::Report;
use anyhow::{Result, ensure};
use coloa_hil_tests::body::{Embedded, Home};
use coloa_hil_tests::token::Curve;

pub fn show(report: &mut Report, scene: &Scene) -> Result<()> {
    let embedded = Embedded::start_in(Home::kept(&scene.dir)?)?;
    let application = Application::of(&embedded, &scene.dir);
    application.write_environment()?;
    report.line("embedded: the token says what it is not", "pkcs11-tool", || {
        let listed = application.tool(&["--list-slots"])?;
        ensure!(listed.contains("DEVELOPMENT, NOT AN HSM"), "it passes for an HSM:\n{listed}");
        Ok("DEVELOPMENT, NOT AN HSM".into())
    });
    report.line("embedded: makes a P-384 key", "OpenSSL", || application.make_key("embedded", Curve::P384));
    report.line("embedded: signs without a server", "OpenSSL", || {
        application.sign("embedded", "ECDSA-SHA384", "sha384", "signed in this very process")
    });
    Ok(())
}
