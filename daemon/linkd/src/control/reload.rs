//! What can change while links live: the `[[peer]]` entries, and our own certificate when it is renewed for the same key. No
//! packet of an unchanged link is lost for it. What else the file says is in force only after a restart, and `status` says so.
//!
//! A file that is not valid, or a certificate that peers would refuse, changes nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Control;
use super::guard::{Stamp, stamp};
use crate::admission::{self, Shown};
use crate::config::{self, Config};
use crate::data::Shaping;
use crate::fault::{Fault, Lang};
use crate::identity::{Identity, read_certificates};

/// Where peers are and how the traffic to them is disguised, by site name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory {
    endpoints: HashMap<String, SocketAddr>,
    shapings: HashMap<String, Shaping>,
}

impl Directory {
    /// As the file has it.
    pub fn new(peers: &[config::Peer]) -> Self {
        let endpoint = |peer: &config::Peer| Some((peer.site.clone(), peer.endpoint?));
        let shapings = peers.iter().map(|peer| (peer.site.clone(), peer.shaping())).collect();
        Self { endpoints: peers.iter().filter_map(endpoint).collect(), shapings }
    }

    /// Where the peer of this site name is, if the file says.
    pub fn endpoint(&self, site: &str) -> Option<SocketAddr> {
        self.endpoints.get(site).copied()
    }

    /// All places that the file names.
    pub fn endpoints(&self) -> impl Iterator<Item = SocketAddr> {
        self.endpoints.values().copied()
    }

    /// How the traffic to a site is disguised.
    pub fn shaping(&self, site: &str) -> Shaping {
        self.shapings.get(site).copied().unwrap_or_default()
    }
}

/// How the file on disk stands to what is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Sections that differ and need a restart.
    pub restart: Vec<String>,
    /// Why the file, or our new certificate, was not taken.
    pub refused: Option<String>,
}

impl Pending {
    /// What an operator should know; nothing while file and daemon agree.
    pub fn words(&self, lang: Lang) -> Vec<String> {
        let vietnamese = lang == Lang::Vi;
        let restart = (!self.restart.is_empty()).then(|| {
            let sections = self.restart.join(", ");
            if vietnamese {
                format!("tệp cấu hình đã đổi {sections}: chỉ có hiệu lực sau khi khởi động lại")
            } else {
                format!("the file has changed in {sections}: in force only after a restart")
            }
        });
        let refused = self.refused.as_ref().map(|why| {
            let why = why.replace('\n', " ");
            if vietnamese {
                format!("không nhận thay đổi, giữ nguyên như trước: {why}")
            } else {
                format!("a change was not taken, all stays as it was: {why}")
            }
        });
        restart.into_iter().chain(refused).collect()
    }
}

/// Looks at the files once a second, and at a word of the operator.
#[derive(Default)]
pub struct Reloader {
    path: PathBuf,
    seen: Option<[Stamp; 2]>,
}

impl Reloader {
    /// For the daemon's configuration file.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Takes what has changed.
    pub fn look(&mut self, control: &Arc<Control>) {
        let files = [&self.path, &control.config.identity.certificate];
        let stamps = files.map(|path| stamp(path));
        let first = self.seen.is_none();
        if !control.take_wish() && self.seen.as_ref() == Some(&stamps) {
            return;
        }
        self.seen = Some(stamps);
        let pending = self.reload(control);
        if pending == Pending::default() && !first {
            tracing::info!("configuration and certificate are as the files have them");
        } else if *control.pending() != pending {
            pending.words(Lang::En).iter().for_each(|why| tracing::warn!(why, "configuration"));
        }
        *control.pending() = pending;
    }

    fn reload(&self, control: &Arc<Control>) -> Pending {
        let mut pending = Pending::default();
        match Config::load(&self.path) {
            Ok(config) => {
                pending.restart = differing(&control.config, &config);
                control.set_directory(Directory::new(&config.peer));
            }
            Err(why) => pending.refused = Some(why.to_string()),
        }
        if let Err(why) = renew_certificate(control) {
            pending.refused = Some(why.to_string());
        }
        pending
    }
}

/// Sections that cannot change while the daemon runs.
fn differing(old: &Config, new: &Config) -> Vec<String> {
    let sections = [
        ("state_dir", old.state_dir == new.state_dir),
        ("allow_shared_namespace", old.allow_shared_namespace == new.allow_shared_namespace),
        ("[red]", old.red == new.red),
        ("[black]", old.black == new.black),
        ("[token]", old.token == new.token),
        ("[identity]", old.identity == new.identity),
        ("[policy]", old.policy == new.policy),
        ("[rekey]", old.rekey == new.rekey),
        ("[metrics]", old.metrics == new.metrics),
        ("[log]", old.log == new.log),
    ];
    sections.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned()).collect()
}

/// Shows a renewed certificate from the next handshake on. It must be for our key and verify as peers verify it.
fn renew_certificate(control: &Control) -> Result<(), Fault> {
    let path = &control.config.identity.certificate;
    let fault = |why: String| Fault::Certificate { path: path.clone(), why };
    let chain = read_certificates(path)?;
    if control.tls.own.chain() == chain {
        return Ok(());
    }
    let identity = chain.first().and_then(Identity::of).ok_or_else(|| fault("it cannot be parsed".into()))?;
    if identity != control.admission.own() {
        return Err(fault("it is for another key, which only a restart takes up".into()));
    }
    for shown in [Shown::AsClient, Shown::AsServer] {
        let verified = control.admission.trust().verify(&chain, shown.usage(), admission::now());
        verified.map_err(|why| fault(format!("peers would refuse it: {why}")))?;
    }
    control.tls.own.renew(chain);
    tracing::info!("our renewed certificate is shown from the next handshake on");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_should_know_is_said() {
        assert!(Pending::default().words(Lang::En).is_empty());
        let pending = Pending { restart: vec!["[red]".into()], refused: Some("two\nlines".into()) };
        let said = pending.words(Lang::En);
        assert!(said[0].contains("[red]") && said[0].contains("restart") && said[1].ends_with("two lines"), "{said:?}");
        assert!(pending.words(Lang::Vi)[0].contains("khởi động lại"));
    }
}
