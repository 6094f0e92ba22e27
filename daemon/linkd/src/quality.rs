//! `test`: asks the running daemon to measure a link, waits, and shows what it found.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::TestArgs;
use crate::config::{Config, MetricsAddress};
use crate::control::measure::{Outcome, Quality};
use crate::fault::{Fault, Lang};
use crate::{hex, metrics};

/// Nothing came, or packets were lost.
const NOT_WELL: u8 = 3;
/// Between two looks whether it is done, and how long it may take.
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

/// Tests and shows.
pub fn show(args: &TestArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let invalid = |why: String| Fault::Config { path: path.clone(), why };
    let metrics = Config::load(path)?.metrics.ok_or_else(|| invalid("[metrics] listen is needed for test".into()))?;
    let address = MetricsAddress::parse(&metrics.listen).map_err(invalid)?;
    let quality = measure(&address, &args.peer, args.rate)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&quality).map_err(|e| invalid(e.to_string()))?);
    } else {
        quality.lines(lang).iter().for_each(|(label, words)| println!("{label:<12} {words}"));
    }
    let well = quality.answered > 0 && quality.loss.is_none_or(|loss| loss == 0.0);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) })
}

fn measure(address: &MetricsAddress, site: &str, rate: u32) -> Result<Quality, Fault> {
    let failed = |why: String| Fault::Test { site: site.to_owned(), why };
    let mut outcome: Outcome =
        metrics::get(address, &format!("/test/begin?rate={rate}&site={}", hex::encode(site.as_bytes())))?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match outcome {
            Outcome::Done(quality) => return Ok(quality),
            Outcome::Failed(why) => return Err(failed(why)),
            Outcome::Nothing => return Err(failed("the daemon was restarted meanwhile".into())),
            Outcome::Running => std::thread::sleep(LOOK),
        }
        outcome = metrics::get(address, "/test")?;
    }
    Err(failed("it did not end".into()))
}

impl Quality {
    fn lines(&self, lang: Lang) -> Vec<(&'static str, String)> {
        let text = |en: &'static str, vi: &'static str| if lang == Lang::Vi { vi } else { en };
        let unknown = || text("unknown", "không rõ").to_owned();
        let millis = |micros: u64| micros as f64 / 1000.0;
        let latency = |[least, middle, most]: [u64; 3]| {
            format!("{:.2} / {:.2} / {:.2} ms", millis(least), millis(middle), millis(most))
        };
        let rate = |kilobits: u64| format!("{:.1} Mbit/s", kilobits as f64 / 1000.0);
        let arrived = |kilobits| format!("{} {} {}", rate(kilobits), text("of", "trên"), rate(self.offered.into()));
        let octets = text("octets inside", "byte bên trong");
        vec![
            (text("peer", "đối tác"), self.site.clone()),
            (text("path", "đường"), self.address.clone().unwrap_or_else(unknown)),
            ("mtu", format!("{} {octets}", self.inner_mtu)),
            (text("answers", "trả lời"), format!("{} / {}", self.answered, self.asked)),
            (text("round trip", "khứ hồi"), self.round_trip.map_or_else(unknown, latency)),
            (text("throughput", "thông lượng"), self.arrived.map_or_else(unknown, arrived)),
            (text("loss", "mất gói"), self.loss.map_or_else(unknown, |loss| format!("{:.2} %", loss * 100.0))),
        ]
    }
}
