//! Our link, as it is measured.

use super::{Ends, INNER, OURS, Tunnel, UNDERLAY};
use anyhow::Result;
use coloa_hil_tests::body::Embedded;
use coloa_hil_tests::site::{KeyPlace, Link, Site};
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};

/// Our link, tunnel and wire in one namespace an end as OpenVPN has it.
pub struct Ours {
    ends: Ends,
    _keys: Embedded,
}

impl Ours {
    /// Starts both ends.
    pub fn start() -> Result<Self> {
        let mut ends = Ends::make("coloa-link")?;
        let keys = Embedded::start()?;
        let namespaces = [ends.near.name(), ends.far.name()];
        let link = Link::found(ends.dir.path(), &place(&keys), &sites(namespaces, UNDERLAY, INNER)?)?;
        ends.tunnel.push(link.start("site-a")?);
        ends.tunnel.push(link.start("site-b")?);
        ends.serve(INNER[1])?;
        Ok(Self { ends, _keys: keys })
    }
}

/// Where an embedded target keeps keys.
fn place(keys: &Embedded) -> KeyPlace {
    KeyPlace {
        module: keys.module().to_owned(),
        token: LABEL.into(),
        pin: USER_PIN.into(),
        environment: keys.environment(),
    }
}

/// Two sites whose red and black sides share a namespace, for measuring.
fn sites(namespaces: [&str; 2], underlay: [&str; 2], inner: [&str; 2]) -> Result<[Site; 2]> {
    let site = |n: usize, name| -> Result<Site> {
        Ok(Site {
            name,
            red: Some(namespaces[n].to_owned()),
            black: Some(namespaces[n].to_owned()),
            listen: format!("{}:4500", underlay[n]).parse()?,
            addresses: vec![format!("{}/24", inner[n])],
            prefixes: vec![format!("{}/32", inner[n])],
        })
    };
    Ok([site(0, "site-a")?, site(1, "site-b")?])
}

impl Tunnel for Ours {
    fn name(&self) -> &'static str {
        OURS
    }

    fn ends(&self) -> &Ends {
        &self.ends
    }
}
