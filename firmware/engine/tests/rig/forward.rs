//! The methods of a provider that wraps the real one and leaves them as they are.

/// Writes each named method of [`coloa_engine::Crypto`] so that it asks `Native`.
macro_rules! forward {
    ($($name:ident),* $(,)?) => { $(forward!(@ $name);)* };
    (@ supports) => { fn supports(&self, feature: Feature) -> bool { Native.supports(feature) } };
    (@ random) => { fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> { Native.random(out) } };
    (@ digest) => { fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest { Native.digest(hash, parts) } };
    (@ generate) => { fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError> { Native.generate(kind) } };
    (@ generate_rsa) => { fn generate_rsa(&self, bits: u32) -> Result<KeyMaterial, CryptoError> { Native.generate_rsa(bits) } };
    (@ load) => { fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> { Native.load(kind, secret) } };
    (@ load_public) => {
        fn load_public(&self, kind: PairKind, public: &[u8]) -> Result<Key, CryptoError> { Native.load_public(kind, public) }
    };
    (@ public) => { fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError> { Native.public(kind, secret) } };
    (@ expand) => {
        fn expand(&self, kind: PairKind, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> { Native.expand(kind, secret) }
    };
    (@ sign) => {
        fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            Native.sign(key, scheme, message)
        }
    };
    (@ verify) => {
        fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
            Native.verify(key, scheme, message, signature)
        }
    };
    (@ mac) => {
        fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> { Native.mac(key, hash, parts) }
    };
    (@ cmac) => { fn cmac(&self, key: &Key, parts: &[&[u8]]) -> Result<Digest, CryptoError> { Native.cmac(key, parts) } };
    (@ seal) => {
        fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> { Native.seal(key, aead, text) }
    };
    (@ open) => {
        fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> { Native.open(key, aead, text) }
    };
    (@ encrypt) => {
        fn encrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
            Native.encrypt(key, mode, text)
        }
    };
    (@ decrypt) => {
        fn decrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
            Native.decrypt(key, mode, text)
        }
    };
    (@ rsa_encrypt) => {
        fn rsa_encrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
            Native.rsa_encrypt(key, padding, text)
        }
    };
    (@ rsa_decrypt) => {
        fn rsa_decrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
            Native.rsa_decrypt(key, padding, text)
        }
    };
    (@ agree) => {
        fn agree(&self, key: &Key, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> { Native.agree(key, peer) }
    };
    (@ encapsulate) => {
        fn encapsulate(&self, key: &Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> { Native.encapsulate(key) }
    };
    (@ decapsulate) => {
        fn decapsulate(&self, key: &Key, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
            Native.decapsulate(key, ciphertext)
        }
    };
    (@ derive) => {
        fn derive(&self, secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> { Native.derive(secret, kdf, out) }
    };
    (@ split) => {
        fn split(&self, secret: &[u8], threshold: u8, count: u8) -> Result<Vec<SharePoint>, CryptoError> {
            Native.split(secret, threshold, count)
        }
    };
    (@ join) => {
        fn join(&self, points: &[SharePoint]) -> Result<Zeroizing<Vec<u8>>, CryptoError> { Native.join(points) }
    };
}
