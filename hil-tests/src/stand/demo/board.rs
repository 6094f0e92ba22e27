//! The same module, pointed at the firmware image in QEMU: a key made there survives SIGKILL.

use super::Scene;
use super::application::Application;
use super::report::Report;
use anyhow::{Context, Result, ensure};
use coloa_hil_tests::body::{Board, Home};
use coloa_hil_tests::target::Target;
use coloa_hil_tests::token::Curve;

pub fn show(report: &mut Report, scene: &Scene) -> Result<()> {
    let mut board = Board::start_in(Home::kept(&scene.dir)?)?;
    let application = Application::of(&board, &scene.dir);
    application.write_environment()?;
    report.line("QEMU board: boots and says what it is", "its console", || {
        let said = board.console();
        let banner = said.lines().find(|line| line.contains("NOT AN HSM")).context("no banner says NOT AN HSM")?;
        Ok(banner.to_owned())
    });
    report.line("QEMU board: makes a P-256 key", "OpenSSL", || application.make_key("board", Curve::P256));
    let sign = |text: &str| application.sign("board", "ECDSA-SHA256", "sha256", text);
    report.line("QEMU board: signs over TLS 1.3", "OpenSSL", || sign("signed on a Cortex-M4"));
    report.line("QEMU board: after kill -9 the same key signs", "OpenSSL", || {
        let before = board.pid();
        board.restart()?;
        ensure!(before != board.pid(), "it was not killed");
        sign("signed by the same key, after the kill")
    });
    Ok(())
}
