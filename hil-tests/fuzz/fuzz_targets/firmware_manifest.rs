//! Firmware manifests and lists of custodians of an enemy: reading never panics, and what is read is written the same; nobody
//! without the custodians' keys makes a release.
#![no_main]

use coloa_crypto_native::Native;
use coloa_image::{Manifest, Trust};

/// The list of the self-test; the manifest that it holds for is not known here.
const TRUST: &[u8] = include_bytes!("../../../firmware/image/src/known/trust.cbor");
const GOOD: &[u8] = include_bytes!("../../../firmware/image/src/known/manifest.clfw");

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(trust) = Trust::parse(input) {
        assert!(trust.threshold() >= 2 && usize::from(trust.threshold()) <= trust.custodians().len());
    }
    if let Ok(manifest) = Manifest::parse(input) {
        assert_eq!(manifest.to_bytes(), input);
        let Ok(trust) = Trust::parse(TRUST) else { panic!("the list is one") };
        let Ok(good) = Manifest::parse(GOOD) else { panic!("the manifest is one") };
        // ECDSA signatures can be written in two ways, so that bytes may differ; what they release may not.
        assert!(trust.verify(&Native, &manifest).is_err() || manifest.statement() == good.statement());
    }
});
