//! The configuration that a site's box gets: everything but the token and the state folder, which `coloa-linkd join` knows.

use std::fmt::Write;

use super::table::Site;

/// Names of the files of a package, which the configuration points at.
pub const CONFIG: &str = "link.toml";
/// The site's certificate and its chain.
pub const CERTIFICATE: &str = "device.pem";
/// Trust anchors.
pub const ANCHORS: &str = "roots.pem";
/// Revocation lists.
pub const LISTS: &str = "crls.pem";
/// The signed link policy.
pub const POLICY: &str = "policy.bundle";
/// Who signs it.
pub const POLICY_AUTHORITY: &str = "authority.pem";

/// The text of [`CONFIG`]. Everything in it was checked by [`super::table`], so that nothing needs escaping.
pub fn config(site: &Site, with_list: bool) -> String {
    let namespace = |name: &str| if name.is_empty() { String::new() } else { format!("namespace = \"{name}\"\n") };
    let [red, black] = &site.namespaces;
    let list = if with_list { format!("crl = \"{LISTS}\"\n") } else { String::new() };
    let mut text = format!(
        "[red]\n{}name = \"coloa0\"\naddresses = {:?}\n[black]\n{}listen = \"{}\"\n\
         [identity]\ncertificate = \"{CERTIFICATE}\"\ntrust_anchors = \"{ANCHORS}\"\n{list}\
         [policy]\nbundle = \"{POLICY}\"\nauthority = \"{POLICY_AUTHORITY}\"\n",
        namespace(red),
        site.red,
        namespace(black),
        site.black,
    );
    for (name, endpoint) in &site.peers {
        let endpoint = endpoint.map_or(String::new(), |e| format!("endpoint = \"{e}\"\n"));
        // Writing into a String does not fail.
        let _ = write!(text, "[[peer]]\nsite = \"{name}\"\n{endpoint}");
    }
    text
}
