//! Firmware manifests: who may release, what is refused, and hostile bytes (R23, R2, R6).

use coloa_crypto_native::Native;
use coloa_engine::crypto::{Curve, Hash, KeyKind, PairKind, Scheme};
use coloa_engine::{Crypto, CryptoError, Digest};
use coloa_image::{Custodian, Manifest, Refusal, Statement, Trust, Version, Voice, key_id, self_test};
use proptest::prelude::*;

const P384: PairKind = PairKind::Ec(Curve::P384);
const IMAGE: &[u8] = b"the image, byte for byte";

/// A custodian with a key that is no secret: the scalar `n`.
struct Holder {
    name: String,
    secret: Vec<u8>,
}

impl Holder {
    fn new(n: u8) -> Self {
        Holder { name: format!("custodian {n}"), secret: [vec![0; 47], vec![n]].concat() }
    }

    fn public(&self) -> Vec<u8> {
        Native.public(P384, &self.secret).unwrap()
    }

    fn custodian(&self) -> Custodian {
        Custodian { name: self.name.clone(), key: self.public() }
    }

    fn voice(&self, text: &[u8]) -> Voice {
        let key = Native.load(KeyKind::Pair(P384), &self.secret).unwrap();
        let digest = Native.digest(Hash::Sha384, &[text]);
        let signature = Native.sign(&key, Scheme::Ecdsa, digest.as_ref()).unwrap();
        Voice { key: key_id(&Native, &self.public()), signature: signature.try_into().unwrap() }
    }
}

fn trust(threshold: u8) -> Trust {
    Trust::new(threshold, (1..=3).map(|n| Holder::new(n).custodian()).collect()).unwrap()
}

fn statement() -> Statement {
    let digest = Native.digest(Hash::Sha384, &[IMAGE]).as_ref().try_into().unwrap();
    let (version, lowest) = ("1.2.0".parse().unwrap(), "1.1.0".parse().unwrap());
    Statement { body: "mps2-an386".into(), version, lowest, length: IMAGE.len() as u64, digest }
}

/// Signed by those with these numbers.
fn signed(by: &[u8]) -> Manifest {
    let mut manifest = Manifest::new(statement()).unwrap();
    by.iter().for_each(|n| manifest.add(Holder::new(*n).voice(&manifest.text())).unwrap());
    manifest
}

fn verified() -> coloa_image::Verified {
    trust(2).verify(&Native, &Manifest::parse(&signed(&[1, 3]).to_bytes()).unwrap()).unwrap()
}

#[test]
fn two_of_three_release_and_one_does_not() {
    assert_eq!(verified().statement(), &statement());
    let refused = |by: &[u8]| trust(2).verify(&Native, &signed(by)).unwrap_err();
    assert_eq!(refused(&[]), Refusal::Quorum { valid: 0, needed: 2 });
    assert_eq!(refused(&[2]), Refusal::Quorum { valid: 1, needed: 2 });
    assert_eq!(refused(&[2, 9]), Refusal::Quorum { valid: 1, needed: 2 }, "a stranger is no custodian");
    assert_eq!(trust(3).verify(&Native, &signed(&[1, 2])).unwrap_err(), Refusal::Quorum { valid: 2, needed: 3 });
    assert_eq!(trust(2).signers(&Native, &signed(&[3, 1, 9])), ["custodian 1", "custodian 3"]);
}

/// One custodian's signatures, however many, are one voice.
#[test]
fn a_custodian_speaks_once() {
    let one = signed(&[1]);
    let mut bytes = one.to_bytes();
    let voice = bytes[bytes.len() - 113..].to_vec();
    let count = bytes.len() - 114;
    bytes[count] = 2;
    bytes.extend(voice);
    let doubled = Manifest::parse(&bytes).unwrap();
    assert_eq!(doubled.voices().len(), 2);
    assert_eq!(trust(2).verify(&Native, &doubled).unwrap_err(), Refusal::Quorum { valid: 1, needed: 2 });
    let mut again = one;
    again.add(Holder::new(1).voice(&again.text())).unwrap();
    assert_eq!(again.voices().len(), 1);
}

/// A signature over the bare statement, as one over a vote would be, is none: the text says what it is for.
#[test]
fn what_was_signed_for_another_purpose_releases_nothing() {
    let mut manifest = signed(&[1]);
    let context = b"coloa firmware statement, format 1\0".len();
    manifest.add(Holder::new(2).voice(&manifest.text()[context..])).unwrap();
    assert!(trust(2).verify(&Native, &manifest).is_err());
}

#[test]
fn an_older_image_and_one_for_another_body_do_not_run() {
    let (good, version) = (verified(), |text: &str| text.parse::<Version>().unwrap());
    assert_eq!(good.admits("mps2-an386", version("1.2.0")), Ok(()));
    assert_eq!(good.admits("appliance", version("0.0.0")), Err(Refusal::Body("mps2-an386".into())));
    let lowest = version("1.2.1");
    let older = Refusal::RolledBack { version: version("1.2.0"), lowest };
    assert_eq!(good.admits("mps2-an386", lowest), Err(older.clone()));
    assert!(older.to_string().contains("cannot be rolled back"));
}

#[test]
fn every_changed_byte_of_an_image_is_noticed() {
    let good = verified();
    assert_eq!(good.holds(&Native, IMAGE), Ok(()));
    for at in 0..IMAGE.len() {
        let mut bad = IMAGE.to_vec();
        bad[at] ^= 1;
        assert_eq!(good.holds(&Native, &bad), Err(Refusal::Digest));
        assert_eq!(good.holds(&Native, &IMAGE[..at]), Err(Refusal::Digest));
    }
    assert_eq!(good.holds(&Native, &[IMAGE, b"\0"].concat()), Err(Refusal::Digest));
}

/// Every flipped bit and every cut of a manifest with just a quorum's signatures: it is malformed, or no quorum's any more.
#[test]
fn every_flipped_bit_and_every_cut_of_a_manifest_is_refused() {
    let good = signed(&[1, 2]).to_bytes();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let released = Manifest::parse(&bad).and_then(|manifest| trust(2).verify(&Native, &manifest));
        assert!(released.is_err(), "bit of byte {at}");
        assert!(Manifest::parse(&good[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(Manifest::parse(&[&good[..], b"x"].concat()), Err(Refusal::Malformed));
    assert_eq!(Manifest::parse(&[0xff; 64]), Err(Refusal::Missing));
    let mut newer = good;
    newer[5] = 9;
    assert_eq!(Manifest::parse(&newer), Err(Refusal::Format(9)));
}

#[test]
fn statements_and_lists_that_say_nothing_are_refused() {
    let changed = |change: fn(&mut Statement)| {
        let mut other = statement();
        change(&mut other);
        Manifest::new(other).is_err()
    };
    assert!(changed(|s| s.body.clear()) && changed(|s| s.body = "a b".into()) && changed(|s| s.length = 0));
    assert!(changed(|s| s.body = "x".repeat(33)) && changed(|s| s.lowest = Version(s.version.0 + 1)));
    let three: Vec<_> = (1..=3).map(|n| Holder::new(n).custodian()).collect();
    // R2: one alone is no quorum.
    for threshold in [0, 1, 4] {
        assert_eq!(Trust::new(threshold, three.clone()), Err(Refusal::Trust), "{threshold}");
    }
    assert_eq!(Trust::new(2, vec![three[0].clone(), three[0].clone()]), Err(Refusal::Trust), "the same key twice");
    let bytes = trust(2).to_bytes();
    assert_eq!(Trust::parse(&bytes), Ok(trust(2)));
    assert_eq!(Trust::parse(&[&bytes[..], &[0]].concat()), Err(Refusal::Trust));
    assert_eq!(Trust::parse(&[]), Err(Refusal::Trust));
}

/// A provider whose signatures always hold, or never do.
struct Faulty(bool);

impl Crypto for Faulty {
    type Key = ();
    fn supports(&self, feature: coloa_engine::Feature) -> bool {
        Native.supports(feature)
    }
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        Native.random(out)
    }
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        Native.digest(hash, parts)
    }
    fn generate(&self, _: PairKind) -> Result<coloa_engine::crypto::KeyMaterial, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn load(&self, _: KeyKind, _: &[u8]) -> Result<(), CryptoError> {
        Ok(())
    }
    fn load_public(&self, _: PairKind, _: &[u8]) -> Result<(), CryptoError> {
        Ok(())
    }
    fn public(&self, _: PairKind, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn sign(&self, (): &(), _: Scheme<'_>, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn verify(&self, (): &(), _: Scheme<'_>, _: &[u8], _: &[u8]) -> Result<(), CryptoError> {
        if self.0 { Ok(()) } else { Err(CryptoError::Unauthentic) }
    }
    fn mac(&self, (): &(), _: Hash, _: &[&[u8]]) -> Result<Digest, CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn seal(&self, (): &(), _: &coloa_engine::Aead<'_>, _: &mut Vec<u8>) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }
    fn open(&self, (): &(), _: &coloa_engine::Aead<'_>, _: &mut Vec<u8>) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }
}

struct NoEntropy;

impl coloa_crypto_portable::Entropy for NoEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), coloa_crypto_portable::EntropyFailure> {
        out.fill(1);
        Ok(())
    }
}

/// R6: a provider that takes every signature, or none, is found out before anything is trusted to it; both of ours pass.
#[test]
fn a_broken_check_of_signatures_is_found_before_it_is_used() {
    assert_eq!(self_test(&Native), Ok(()));
    let portable = coloa_crypto_portable::Portable::<_, parking_lot::RawMutex>::new(NoEntropy, b"test").unwrap();
    assert_eq!(self_test(&portable), Ok(()));
    assert_eq!(self_test(&Faulty(true)), Err(Refusal::SelfTest));
    assert_eq!(self_test(&Faulty(false)), Err(Refusal::SelfTest));
}

proptest! {
    /// Hostile bytes never panic, and what is read is written the same.
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, after in 0_usize..400) {
        let _ = (Trust::parse(&bytes), Manifest::parse(&bytes));
        let good = signed(&[1]).to_bytes();
        let mixed = [&good[..after.min(good.len())], &bytes].concat();
        if let Ok(manifest) = Manifest::parse(&mixed) {
            prop_assert_eq!(manifest.to_bytes(), mixed);
        }
    }
}

/// Writes the files of the known answer: `cargo test -p coloa-image --test image -- --ignored`.
#[test]
#[ignore = "it writes files of the source"]
fn write_the_known_answer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/known");
    std::fs::write(folder.join("trust.cbor"), trust(2).to_bytes()).unwrap();
    std::fs::write(folder.join("manifest.clfw"), signed(&[1, 2]).to_bytes()).unwrap();
}
