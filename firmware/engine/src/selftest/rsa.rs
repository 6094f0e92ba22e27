//! RSA with a fixed key.

use super::{Test, hex};
use crate::crypto::Padding;
use crate::{Crypto, Feature, Hash, KeyKind, PairKind, Scheme};

pub(super) fn tests<C: Crypto>() -> &'static [Test<C>] {
    &[(Feature::Rsa, "RSA signature", signature), (Feature::Rsa, "RSA decryption", decryption)]
}

/// Signs PKCS#1 v1.5 to the known answer, verifies both known signatures and a PSS signature of its own, and refuses them
/// over another digest.
fn signature<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Pair(PairKind::Rsa), &KEY).ok()?;
    let public = crypto.load_public(PairKind::Rsa, &PUBLIC).ok()?;
    let (digest, other) = (crypto.digest(Hash::Sha256, &[b"sample"]), crypto.digest(Hash::Sha256, &[b"test"]));
    let pkcs1 = Scheme::Pkcs1(Some(Hash::Sha256));
    let pss = Scheme::Pss { hash: Hash::Sha256, mgf: Hash::Sha256, salt: 32 };
    let known = crypto.sign(&key, pkcs1, digest.as_ref()).ok()? == PKCS1;
    let own = crypto.sign(&key, pss, digest.as_ref()).ok()?;
    let tells_apart = |scheme, signature: &[u8]| {
        crypto.verify(&public, scheme, digest.as_ref(), signature).is_ok()
            && crypto.verify(&public, scheme, other.as_ref(), signature).is_err()
    };
    Some(known && tells_apart(pkcs1, &PKCS1) && tells_apart(pss, &PSS) && tells_apart(pss, &own))
}

/// Decrypts the known ciphertext and one of its own, and refuses the known one under another label.
fn decryption<C: Crypto>(crypto: &C) -> Option<bool> {
    let key = crypto.load(KeyKind::Pair(PairKind::Rsa), &KEY).ok()?;
    let public = crypto.load_public(PairKind::Rsa, &PUBLIC).ok()?;
    let oaep = |label| Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha256, label };
    let own = crypto.rsa_encrypt(&public, oaep(b""), b"sample").ok()?;
    let decrypts = |text: &[u8]| crypto.rsa_decrypt(&key, oaep(b""), text).is_ok_and(|plain| *plain == b"sample");
    Some(decrypts(&OAEP) && decrypts(&own) && crypto.rsa_decrypt(&key, oaep(b"label"), &OAEP).is_err())
}

/// `RSAPrivateKey` of 2048 bits; key and answers were made by OpenSSL 3.0.19.
const KEY: [u8; 1191] = hex(
    "308204a30201000282010100b601ea1ea0f0eccea7660396ea3f0090447c98d339de7943bd8c0fb8562e6a7b8882531a98107ddc374f6183\
     d83f4831ba9c6f796841cf2dd7223ca99830bd4c0a3e1ea910e4b092f84eb5f4d229e22e170a66baef1f1565b200e2990716dd6c743dba6c\
     e19e0d8ef25cd6a3eac282cb941546428c5d9fb28e5532c5c2fbe361539593c30972096000a9fc12c6f6d6200703045a0497372a7e50a5aa\
     6c677e28c60cd9109c6883b850430193409ea008b86b5eba5f02f9d35255c907950d5a55843d77950c08c3a918ae6e10b5202e7830d35677\
     2da9aae69aa4fe45e06c035ebb83562fbe8c1c559e35b8c97532bd86672885dfb1ac66c963b42869fcef184b02030100010282010024ecde\
     82b84428c7044f3e0b301af8124cd2ba6ea01ef29b3ba95ec71734f3857c7c743fc0fa178ec5e9e4eecac08bf50ad712069f903a68226d5f\
     c1488f1ad8827b77dcf500709260ae175c44071b4c1e808db6ff2c5f3af2921b66d0796312cdc2783ffec6021a2e31879a59d67c92b0c860\
     28c0317e64cb5b9da1619d98d39e256bdde436c85c5ad1586320ad7f9a4739ba2be6df7b2e7fb167919bc78d65a8f7f9aec40af4edf96f8b\
     ebe86893f6e4ec9622335186a3e456e03c634090d12d8fad7fd3511860ab541d0b7b4e37f371f6c4b46fbc1b20fd0a4f8e81fd717ab86d31\
     0bd520351991ba70344871185f46119e41c7e4163094adb3df053b808102818100eb9d414fbcd3f5c77b3c4dcd5b9b1f759a5997264ef57c\
     b96aeddf357c656a97f938ad9f316561586d3bcfcc373a29cf81fe113263f35ee5812ef2d0ba28243d5c346a680f138c5b4c1f2b448b024f\
     e208961877ef77e73e69c8af4a4d9117b6c10656bd1c096be0b58a7922049eda583778b6166c754a5df675ec72abdfed6f02818100c5c14b\
     4d1914bf2050cb4522bde82f46c9ed7b43b5699f10227b96a629bf5bb4b88accbcefe877d8100d8f841a8ebc78cf77906773bfeeecfd4e2e\
     41e0cea4f69bd9b476996f998ab95e1e255785ee92e2ba7ec852841daace5efe19bbe7cad8275025794b18d3b214f3ea098b95697d148f61\
     be0fceb6fa289404e2cf298ce5028180712911d92e23cf0383d8aeb556ade62a217badf0a4339b37a277a4a097a24dd3b7cad4f8844ce0b8\
     0b9e926ace8b8cd130e9c9709e38a0f731584f1e9889f6fdd16f0b3bf721b86390e7d76c1027881e5369634f17204b5bda8a9c45df833414\
     7e1881484a52ec10fca00915a18a79ebac98b93b83d3c167e79b3378cfbbb8d90281801d0660da010b657e05bdbff8f86ca2bbbe19881509\
     04669f44a0651d205580cd46a4c0a61e843d4ace185f6f2142bff0ef6a7a1c6505cfb8a2f91d9af7b6fcc9615893bf30880bbe2bb4dfb1d5\
     65c7fd711fb44a0caa6d7c4b6befd9b115b555027825f7e688cf517cf7cbeaf8bcc64de07da6f7f17402b136d17ae21b4bdaed02818100cb\
     4facd28f610db7709797ac8139c680a2ecde0e239b834bdb216c612e8ec463488813db3f1dd30d4bc235349e7559ab93947dbd1f1479f239\
     ed05f54d0611a2b09f0c4c38282a23c06dfeaa60958a7cc7e4717a4156ec0ceb977219a0e9ecbb8da0794406d5e018cfce5ba83170602c1a\
     40a169ee4ff411f7e1aa18b08b5a51",
);
/// Its `RSAPublicKey`.
const PUBLIC: [u8; 270] = hex(
    "3082010a0282010100b601ea1ea0f0eccea7660396ea3f0090447c98d339de7943bd8c0fb8562e6a7b8882531a98107ddc374f6183d83f48\
     31ba9c6f796841cf2dd7223ca99830bd4c0a3e1ea910e4b092f84eb5f4d229e22e170a66baef1f1565b200e2990716dd6c743dba6ce19e0d\
     8ef25cd6a3eac282cb941546428c5d9fb28e5532c5c2fbe361539593c30972096000a9fc12c6f6d6200703045a0497372a7e50a5aa6c677e\
     28c60cd9109c6883b850430193409ea008b86b5eba5f02f9d35255c907950d5a55843d77950c08c3a918ae6e10b5202e7830d356772da9aa\
     e69aa4fe45e06c035ebb83562fbe8c1c559e35b8c97532bd86672885dfb1ac66c963b42869fcef184b0203010001",
);
/// RSASSA-PKCS1-v1_5 with SHA-256 of "sample".
const PKCS1: [u8; 256] = hex(
    "443d020d9b4399ec8713fa221ca6fe1c2ca054b56a7c1abed775412617dcba191c71706f1551c3d1b1e751cc8d71330a4b03ead9ffbb3892\
     68848ce62d3c51c92465f5f4d31f77c49bfb0499d83c994d3ee563a3ea3482192625021c51350ebc1ea3a1fdc0cb0072e92d387153613625\
     43054826ea178dcd1955854c88afe94988c06f0368c3b3613b46bb28cd4b72240639e7f97a15bfc49446d1436613d4bbe63b6bb7a6dd33ac\
     35ca1241dbc3af8b408cd620c17531e57992486112a1ac2180f09a40874e135766681ce1c455dba5f24f8abb1ee01f74aad290aae836df90\
     5581355f8818fbf73b0e074ee00e8d8f1127f835608b7cf4b9b25d2654c53de5",
);
/// RSASSA-PSS of the same with a salt of 32 bytes.
const PSS: [u8; 256] = hex(
    "3c2060107cb93b40e26b92f66adbab54e3b3f59bc89befd1328d5ac2a2fca3233a125af499cd064e4f5314b21a972f3adba066ae83387164\
     12f24b55f93ac19ca982fd344b3cbc127ce96601b2c63c8cf603b291628164caa7acc004eb172a89318d07d13233eed1f6cb209d91dc32f8\
     77cf548c504de06b93931bc59d7aead488ac543e389c01a4a4855a09d7c7ac9d2b39d499b67532841d7424dd03ff29ab5e7bdd83ab72d69b\
     b54abf6809c3c58e975c7a518418433dd6750275ff7ae8f3a689a3800e2fbe682c756e9e3fc918155ebfe2b19440a116c3c6923bf9a73b9d\
     48d7610a85ebe0adbe553c40f910e6d29e8fbcf1e9421985d27bd3601bb7e3fe",
);
/// RSAES-OAEP with SHA-256 of "sample".
const OAEP: [u8; 256] = hex(
    "275f83b9be53c1e995260f7c8c74fcd830b2b842aa27492ea91c6e90267322bb4b1cae1674a40de6dcd1ca71e1453dccfc5ff63fad831f12\
     3960be1af110d54a950d771c761aeac184cc1565266d50fa3547ccc27af5af6363e765d1498f82739bfc913891de999f33f47865685b3077\
     099e91c1ade75e7f685418d7e70365901cf9ad7825d56d5e6ea9910bc71facf7cc64975631a53be7996e90660fcb5d8dac613b7fd7a81caa\
     2e5fd3d9a296dc8e9599e5c1d33bf0d43693a42e00ecf59e88dddc7fe40948ce2c5ed6bda639d0b64b63b1bb996f6dcb7b83b6a3253c9914\
     c9b06948bd04a4584a2cc3e9df9d4959cd290f1dd52b4d933a24ccee11a4821e",
);
