//! A link policy: only its one deterministic encoding is taken, and neither taking it nor deciding by it ever panics.
#![no_main]

use coloa_link::bundle::Bundle;
use coloa_link::ip::Selector;
use coloa_link::{SiteIndex, Spd};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.to_bytes(), bytes);
        let sites: Vec<_> = bundle.sites.iter().take(3).map(|site| (site.identity, site.prefixes.clone())).collect();
        let Ok(accepted) = bundle.accept(None) else { return };
        let addresses =
            || sites.iter().flat_map(|(_, prefixes)| prefixes.iter().take(2)).map(|prefix| prefix.address());
        for spd in sites.iter().filter_map(|(identity, _)| Spd::new(accepted.clone(), identity)) {
            for (source, destination) in addresses().flat_map(|source| addresses().map(move |to| (source, to))) {
                let selector = Selector { source, destination, protocol: 6, ports: Some((1, 2)) };
                let _ = spd.outbound(&selector);
                for peer in (0..3).map(SiteIndex) {
                    let _ = spd.arriving(peer, &selector);
                }
            }
            let _ = spd.rules_between(SiteIndex(0), SiteIndex(1)).count() + spd.reachable().count();
        }
    }
});
