//! What the engine says: device, clock, partitions, PINs, mechanisms, speed.

use super::{Report, both};
use crate::arguments::Doctor;
use crate::secret;
use coloa_client::{CallError, Client};
use coloa_wire::SessionId;
use coloa_wire::command::{
    DeviceInfo, DeviceInfoReply, Lifecycle, Login, MechanismList, PinState, Role, SessionClose, SessionOpen, TokenInfo,
    TokenList,
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clocks further apart make certificates and audit records contradict each other.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Calls that measure the way.
const ROUNDS: usize = 200;
/// A median above this is worth a look at the network.
const SLOW: Duration = Duration::from_millis(5);

pub(super) fn examine(report: &mut Report<'_>, client: &Client, asked: &Doctor) {
    let outcome = device(report, client).and_then(|()| tokens(report, client, asked)).and_then(|()| {
        mechanisms(report, client)?;
        speed(report, client)
    });
    if let Err(error) = outcome {
        report.fail("call", both(|language| error.explain(language)));
    }
}

fn device(report: &mut Report<'_>, client: &Client) -> Result<(), CallError> {
    let (info, _) = client.call(None, None, &DeviceInfo {}, &[])?;
    let what = format!("{:?} \"{}\", serial {}, version {}", info.body, info.label, info.serial, info.version);
    match info.lifecycle {
        Lifecycle::Operational => report.good("device", (format!("{what}."), format!("{what}."))),
        Lifecycle::Manufactured => report.fail(
            "device",
            (
                format!("{what}: not initialised. An operator runs `coloa init` on it."),
                format!("{what}: chưa khởi tạo. Người vận hành chạy `coloa init`."),
            ),
        ),
        Lifecycle::Tampered => report.fail(
            "device",
            (
                format!("{what}: it was tampered with, its keys are destroyed. Tell its custodians."),
                format!("{what}: đã bị xâm phạm, khóa đã bị hủy. Báo cho những người giữ khóa."),
            ),
        ),
        Lifecycle::Error => report.fail(
            "device",
            (
                format!(
                    "{what}: a self-test failed, it refuses cryptography. Restart it; then take it out of service."
                ),
                format!("{what}: tự kiểm tra thất bại, từ chối mật mã. Khởi động lại; nếu vẫn lỗi thì dừng thiết bị."),
            ),
        ),
    }
    clock(report, &info);
    Ok(())
}

fn clock(report: &mut Report<'_>, info: &DeviceInfoReply) {
    let Some(theirs) = info.clock.map(Duration::from_millis) else { return };
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let apart = ours.abs_diff(theirs);
    let seconds = apart.as_secs();
    if apart > CLOCK_SKEW {
        report.fail(
            "clock",
            (
                format!("differs from the engine's by {seconds} s. Synchronise both (`timedatectl set-ntp true`)."),
                format!("lệch đồng hồ thiết bị {seconds} giây. Đồng bộ cả hai (`timedatectl set-ntp true`)."),
            ),
        );
    } else {
        report.good(
            "clock",
            (format!("agrees with the engine's to {seconds} s."), format!("lệch đồng hồ thiết bị {seconds} giây.")),
        );
    }
}

fn tokens(report: &mut Report<'_>, client: &Client, asked: &Doctor) -> Result<(), CallError> {
    let (found, _) = client.call(None, None, &TokenList {}, &[])?;
    if found.tokens.is_empty() {
        report.fail(
            "partition",
            (
                "this client sees none. The operator binds its certificate: `coloa client enrol --partition …`.".into(),
                "máy khách này không thấy phân vùng nào. Người vận hành gắn chứng thư: `coloa client enrol --partition …`."
                    .into(),
            ),
        );
    }
    for token in &found.tokens {
        pin_state(report, token);
        let named = asked.token.as_ref().is_none_or(|label| *label == token.label);
        if asked.log_in && named {
            log_in(report, client, token, asked)?;
        }
    }
    Ok(())
}

fn pin_state(report: &mut Report<'_>, token: &TokenInfo) {
    let what = format!("\"{}\", {:?}", token.label, token.mode);
    match (token.initialized, token.user_pin) {
        (false, _) => report.fail(
            "partition",
            (
                format!("{what}: the token is not initialised. Its SO does that (`pkcs11-tool --init-token`)."),
                format!("{what}: token chưa khởi tạo. Cán bộ an ninh khởi tạo (`pkcs11-tool --init-token`)."),
            ),
        ),
        (true, None) => report.fail(
            "PIN",
            (
                format!(
                    "{what}: the user has no PIN. The SO sets it: `coloa pin set-user --token \"{}\"`.",
                    token.label
                ),
                format!(
                    "{what}: người dùng chưa có PIN. Cán bộ an ninh đặt: `coloa pin set-user --token \"{}\"`.",
                    token.label
                ),
            ),
        ),
        (true, Some(PinState { left: 0, .. })) => report.fail(
            "PIN",
            (
                format!("{what}: the user PIN is locked. The SO sets a new one: `coloa pin set-user`."),
                format!("{what}: PIN người dùng bị khóa. Cán bộ an ninh đặt lại: `coloa pin set-user`."),
            ),
        ),
        (true, Some(PinState { failures: 0, left, .. })) => {
            report.good("PIN", (format!("{what}: set, {left} tries."), format!("{what}: đã đặt, còn {left} lần thử.")))
        }
        (true, Some(PinState { failures, left, .. })) => report.warn(
            "PIN",
            (
                format!("{what}: {failures} wrong tries, {left} left. Some program has a wrong PIN: find it."),
                format!("{what}: sai {failures} lần, còn {left}. Có chương trình dùng sai PIN: hãy tìm."),
            ),
        ),
    }
}

fn log_in(report: &mut Report<'_>, client: &Client, token: &TokenInfo, asked: &Doctor) -> Result<(), CallError> {
    let prompt = report.screen.text("User PIN: ", "PIN người dùng: ");
    let pin = match secret::present(asked.user.source(), prompt) {
        Ok(pin) => pin,
        Err(fault) => {
            report.fail("login", both(|language| fault.words(language)));
            return Ok(());
        }
    };
    let (opened, _) = client.call(None, None, &SessionOpen { partition: token.partition }, &[])?;
    let session: Option<SessionId> = Some(opened.session);
    let outcome = client.call(session, None, &Login { role: Role::User, pin }, &[]);
    client.call(session, None, &SessionClose {}, &[])?;
    match outcome {
        Ok(_) => report.good("login", ("the PIN is right.".into(), "PIN đúng.".into())),
        Err(error) => report.fail("login", both(|language| error.explain(language))),
    }
    Ok(())
}

fn mechanisms(report: &mut Report<'_>, client: &Client) -> Result<(), CallError> {
    let (found, _) = client.call(None, None, &MechanismList {}, &[])?;
    let count = found.mechanisms.len();
    report.good("mechanisms", (format!("{count} in the engine."), format!("máy có {count} cơ chế.")));
    Ok(())
}

/// The round trip of a small call: what every operation waits for besides its cryptography.
fn speed(report: &mut Report<'_>, client: &Client) -> Result<(), CallError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        client.call(None, None, &DeviceInfo {}, &[])?;
        times.push(start.elapsed());
    }
    times.sort();
    let at = |share: usize| times.get(ROUNDS * share / 100).copied().unwrap_or_default();
    let (median, slow) = (at(50), at(99));
    let figures = format!("{} µs, p99 {} µs", median.as_micros(), slow.as_micros());
    if median > SLOW {
        report.warn(
            "speed",
            (
                format!("a call takes {figures}. Look at the network between here and there (`ping`, `mtr`)."),
                format!("một lần gọi mất {figures}. Kiểm tra mạng giữa hai bên (`ping`, `mtr`)."),
            ),
        );
    } else {
        report.good("speed", (format!("a call takes {figures}."), format!("một lần gọi mất {figures}.")));
    }
    Ok(())
}
