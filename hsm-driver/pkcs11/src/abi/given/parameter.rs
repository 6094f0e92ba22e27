//! Parameters of mechanisms (PKCS#11 §6). The mechanism says which structure is there; a length that is not that
//! structure's, NULL before bytes and a length nobody can have are all `CKR_MECHANISM_PARAM_INVALID`.

use super::{MAX_AAD, MAX_IV};
use crate::abi::memory::{Home, Ptr, probe};
use crate::mechanism::{Aead, Algorithm, Nonce, Parameter, wire_number};
use crate::rv::{Outcome, Rv};
use coloa_wire::mechanism::*;
use coloa_wire::{MechanismType as M, Parameter as Wire};
use cryptoki_sys::*;

/// Bytes of a label, a salt, a context or another public input: more than any use has.
const MAX_DATA: usize = 64 * 1024;
/// Bytes of a peer's public key: an uncompressed P-521 point in a DER OCTET STRING has 136.
const MAX_POINT: usize = 1024;
/// Bytes of a password: more than this is a pointer (see [`password_bytes`]).
const MAX_PASSWORD: usize = 16 * 1024;
/// KW's and KWP's initial values (SP 800-38F §6.2, §6.3): the only ones the engine has.
const KW_IV: [u8; 8] = [0xa6; 8];
const KWP_IV: [u8; 4] = [0xa6, 0x59, 0x59, 0xa6];

const INVALID: Rv = Rv(CKR_MECHANISM_PARAM_INVALID);

/// `CK_GCM_PARAMS` as clients of PKCS#11 2.40 have it: without `ulIvBits`.
#[repr(C)]
#[derive(Clone, Copy)]
struct OldGcmParams {
    iv: *mut CK_BYTE,
    iv_len: CK_ULONG,
    aad: *mut CK_BYTE,
    aad_len: CK_ULONG,
    tag_bits: CK_ULONG,
}

/// The parameter of a mechanism.
pub(super) fn parameter(kind: CK_MECHANISM_TYPE, start: Ptr<u8>, len: CK_ULONG) -> Outcome<Parameter> {
    if len == 0 {
        return Ok(Parameter::None);
    }
    if start.is_null() {
        return Err(INVALID);
    }
    let given = Given { start, len };
    match wire_number(kind) {
        Some(M::AES_GCM) => given.gcm(),
        Some(M::AES_CCM) => given.ccm(),
        Some(M::AES_CBC | M::AES_CBC_PAD | M::AES_XTS) => given.bytes::<16>().map(|iv| wire(Wire::Iv(Some(iv)))),
        Some(M::AES_CTR) => given.read().map(ctr),
        Some(M::AES_KEY_WRAP) => given.fixed(&KW_IV),
        Some(M::AES_KEY_WRAP_PAD | M::AES_KEY_WRAP_KWP) => given.fixed(&KWP_IV),
        Some(M::RSA_PKCS_OAEP) => oaep(given.read()?).map(|o| wire(Wire::Oaep(o))),
        Some(M::RSA_AES_KEY_WRAP) => rsa_aes(given.read()?),
        Some(M::EDDSA) => eddsa(given.read()?),
        Some(M::HASH_ML_DSA) => hash_ml_dsa(given.read()?),
        Some(M::ECDH1_DERIVE) => ecdh(given.read()?),
        Some(M::HKDF_DERIVE) => hkdf(given.read()?),
        Some(M::SP800_108_COUNTER_KDF) => counter_kdf(given.read()?),
        Some(M::PKCS5_PBKD2) => pbkdf2(given.read()?),
        Some(kind) if Algorithm::has_pss(kind) => pss(given.read()?),
        Some(kind) if Algorithm::has_context(kind) => ml_dsa(given.read()?),
        Some(kind) if Algorithm::has_length(kind) => {
            given.read::<CK_ULONG>().map(|length| wire(Wire::MacLength(number(length))))
        }
        _ => Ok(Parameter::Unknown),
    }
}

fn wire(parameter: Wire) -> Parameter {
    Parameter::Wire(parameter)
}

/// A number that the wire has with 32 bits; what does not fit is more than any engine takes.
fn number(value: CK_ULONG) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Bytes that a structure points to.
fn data(start: *mut CK_BYTE, len: CK_ULONG, max: usize) -> Outcome<Vec<u8>> {
    // SAFETY: the caller vouches for what its parameters point to.
    let start: Ptr<u8> = unsafe { Ptr::vouched(start) };
    start.copy(len, max).map(|bytes| bytes.to_vec()).map_err(|_| INVALID)
}

/// What stands at `pParameter`.
struct Given {
    start: Ptr<u8>,
    len: CK_ULONG,
}

impl Given {
    /// A structure of exactly this length.
    fn read<T: Copy>(&self) -> Outcome<T> {
        if self.len == size_of::<T>() as CK_ULONG { self.start.cast().read() } else { Err(INVALID) }
    }

    fn bytes<const N: usize>(&self) -> Outcome<Vec<u8>> {
        self.read::<[u8; N]>().map(|bytes| bytes.to_vec())
    }

    /// A value that may be said but not chosen.
    fn fixed<const N: usize>(&self, only: &[u8; N]) -> Outcome<Parameter> {
        if self.read::<[u8; N]>()? == *only { Ok(Parameter::None) } else { Err(INVALID) }
    }

    /// Which of the three structures it is, its length says.
    fn gcm(&self) -> Outcome<Parameter> {
        if let Ok(p) = self.read::<CK_GCM_PARAMS>() {
            return gcm((p.pIv, p.ulIvLen), (p.pAAD, p.ulAADLen), p.ulTagBits, Nonce::Classic);
        }
        if let Ok(p) = self.read::<OldGcmParams>() {
            return gcm((p.iv, p.iv_len), (p.aad, p.aad_len), p.tag_bits, Nonce::Classic);
        }
        let p = self.read::<CK_GCM_WRAP_PARAMS>()?;
        let nonce = Nonce::of_generator(p.ivGenerator, p.ulIvFixedBits, usize::try_from(p.ulIvLen).unwrap_or(0))?;
        gcm((p.pIv, p.ulIvLen), (p.pAAD, p.ulAADLen), p.ulTagBits, nonce)
    }

    fn ccm(&self) -> Outcome<Parameter> {
        let p = self.read::<CK_CCM_PARAMS>()?;
        let (iv, iv_home) = iv(p.pNonce, p.ulNonceLen)?;
        let tag = usize::try_from(p.ulMACLen).ok().filter(|t| matches!(t, 4 | 6 | 8 | 10 | 12 | 14 | 16));
        Ok(Parameter::Aead(Aead {
            kind: M::AES_CCM,
            iv,
            iv_home,
            nonce: Nonce::Classic,
            aad: data(p.pAAD, p.ulAADLen, MAX_AAD)?,
            tag_bytes: tag.ok_or(INVALID)?,
            data_bytes: Some(usize::try_from(p.ulDataLen).map_err(|_| INVALID)?),
        }))
    }
}

type Bytes = (*mut CK_BYTE, CK_ULONG);

fn gcm(given: Bytes, aad: Bytes, tag_bits: CK_ULONG, nonce: Nonce) -> Outcome<Parameter> {
    let (iv, iv_home) = iv(given.0, given.1)?;
    let aad = data(aad.0, aad.1, MAX_AAD)?;
    let (kind, tag_bytes) = (M::AES_GCM, gcm_tag(tag_bits)?);
    Ok(Parameter::Aead(Aead { kind, iv, iv_home, nonce, aad, tag_bytes, data_bytes: None }))
}

/// Bytes of a GCM tag: at least 96 bits (SP 800-38D §5.2.1.2).
pub(super) fn gcm_tag(bits: CK_ULONG) -> Outcome<usize> {
    match bits {
        128 | 120 | 112 | 104 | 96 => Ok(usize::try_from(bits).unwrap_or_default() / 8),
        _ => Err(INVALID),
    }
}

/// An IV, and where it stands until the operation ends.
pub(super) fn iv(start: *mut CK_BYTE, len: CK_ULONG) -> Outcome<(Vec<u8>, Home)> {
    let iv = data(start, len, MAX_IV)?;
    if iv.is_empty() {
        return Err(INVALID);
    }
    // SAFETY: the caller vouches for its IV until the operation ends.
    let home = Home::new(unsafe { Ptr::vouched(start) }, iv.len());
    Ok((iv, home))
}

fn ctr(p: CK_AES_CTR_PARAMS) -> Parameter {
    wire(Wire::Ctr(CtrParams { bits: number(p.ulCounterBits), block: p.cb.to_vec() }))
}

fn pss(p: CK_RSA_PKCS_PSS_PARAMS) -> Outcome<Parameter> {
    let hash = wire_number(p.hashAlg).ok_or(INVALID)?;
    Ok(wire(Wire::Pss(PssParams { hash, mgf: mgf(p.mgf)?, salt: number(p.sLen) })))
}

fn oaep(p: CK_RSA_PKCS_OAEP_PARAMS) -> Outcome<OaepParams> {
    let label = data(p.pSourceData.cast(), p.ulSourceDataLen, MAX_DATA)?;
    // Old clients leave the source out when there is no label.
    if p.source != CKZ_DATA_SPECIFIED && !(p.source == 0 && label.is_empty()) {
        return Err(INVALID);
    }
    Ok(OaepParams { hash: wire_number(p.hashAlg).ok_or(INVALID)?, mgf: mgf(p.mgf)?, label })
}

fn rsa_aes(p: CK_RSA_AES_KEY_WRAP_PARAMS) -> Outcome<Parameter> {
    if !matches!(p.ulAESKeyBits, 128 | 192 | 256) {
        return Err(INVALID);
    }
    // SAFETY: the caller vouches for what its parameters point to.
    let inner: Ptr<CK_RSA_PKCS_OAEP_PARAMS> = unsafe { Ptr::vouched(p.pOAEPParams) };
    let oaep = oaep(inner.read().map_err(|_| INVALID)?)?;
    Ok(wire(Wire::RsaAes(RsaAesParams { aes_bits: number(p.ulAESKeyBits), oaep })))
}

/// The digest that `CK_RSA_PKCS_MGF_TYPE` names.
fn mgf(mgf: CK_RSA_PKCS_MGF_TYPE) -> Outcome<M> {
    Ok(match mgf {
        CKG_MGF1_SHA1 => M::SHA_1,
        CKG_MGF1_SHA224 => M::SHA224,
        CKG_MGF1_SHA256 => M::SHA256,
        CKG_MGF1_SHA384 => M::SHA384,
        CKG_MGF1_SHA512 => M::SHA512,
        CKG_MGF1_SHA3_224 => M::SHA3_224,
        CKG_MGF1_SHA3_256 => M::SHA3_256,
        CKG_MGF1_SHA3_384 => M::SHA3_384,
        CKG_MGF1_SHA3_512 => M::SHA3_512,
        _ => return Err(INVALID),
    })
}

/// Ed25519 without prehash and context is all there is (§6.3.14).
fn eddsa(p: CK_EDDSA_PARAMS) -> Outcome<Parameter> {
    if p.phFlag == CK_FALSE && p.ulContextDataLen == 0 { Ok(Parameter::None) } else { Err(INVALID) }
}

fn ml_dsa(p: CK_SIGN_ADDITIONAL_CONTEXT) -> Outcome<Parameter> {
    let context = context(p.hedgeVariant, p.pContext, p.ulContextLen)?;
    Ok(wire(Wire::MlDsa(MlDsaParams { context, hash: None })))
}

fn hash_ml_dsa(p: CK_HASH_SIGN_ADDITIONAL_CONTEXT) -> Outcome<Parameter> {
    let context = context(p.hedgeVariant, p.pContext, p.ulContextLen)?;
    Ok(wire(Wire::MlDsa(MlDsaParams { context, hash: Some(wire_number(p.hash).ok_or(INVALID)?) })))
}

/// Signing is always hedged, so that who demands that it is not is refused.
fn context(hedge: CK_HEDGE_TYPE, start: *mut CK_BYTE, len: CK_ULONG) -> Outcome<Vec<u8>> {
    match hedge {
        CKH_HEDGE_PREFERRED | CKH_HEDGE_REQUIRED => data(start, len, 255),
        _ => Err(INVALID),
    }
}

fn ecdh(p: CK_ECDH1_DERIVE_PARAMS) -> Outcome<Parameter> {
    let kdf = match p.kdf {
        CKD_NULL => None,
        CKD_SHA1_KDF => Some(M::SHA_1),
        CKD_SHA224_KDF => Some(M::SHA224),
        CKD_SHA256_KDF => Some(M::SHA256),
        CKD_SHA384_KDF => Some(M::SHA384),
        CKD_SHA512_KDF => Some(M::SHA512),
        CKD_SHA3_224_KDF => Some(M::SHA3_224),
        CKD_SHA3_256_KDF => Some(M::SHA3_256),
        CKD_SHA3_384_KDF => Some(M::SHA3_384),
        CKD_SHA3_512_KDF => Some(M::SHA3_512),
        _ => return Err(INVALID),
    };
    let shared = data(p.pSharedData, p.ulSharedDataLen, MAX_DATA)?;
    let public = data(p.pPublicData, p.ulPublicDataLen, MAX_POINT)?;
    Ok(wire(Wire::Ecdh(EcdhParams { kdf, shared, public })))
}

fn hkdf(p: CK_HKDF_PARAMS) -> Outcome<Parameter> {
    let flag = |value: CK_BBOOL| match value {
        CK_FALSE => Ok(false),
        CK_TRUE => Ok(true),
        _ => Err(INVALID),
    };
    let (salt, key) = match p.ulSaltType {
        CKF_HKDF_SALT_NULL => (None, None),
        CKF_HKDF_SALT_DATA => (Some(data(p.pSalt, p.ulSaltLen, MAX_DATA)?), None),
        CKF_HKDF_SALT_KEY => (None, Some(p.hSaltKey)),
        // Without the first step no salt is used.
        _ if p.bExtract == CK_FALSE => (None, None),
        _ => return Err(INVALID),
    };
    let (extract, expand) = (flag(p.bExtract)?, flag(p.bExpand)?);
    let hash = wire_number(p.prfHashMechanism).ok_or(INVALID)?;
    let info = data(p.pInfo, p.ulInfoLen, MAX_DATA)?;
    Ok(Parameter::Hkdf(HkdfParams { extract, expand, hash, salt, salt_key: None, info }, key))
}

/// One key is derived at a time.
fn counter_kdf(p: CK_SP800_108_KDF_PARAMS) -> Outcome<Parameter> {
    if p.ulAdditionalDerivedKeys != 0 {
        return Err(INVALID);
    }
    // SAFETY: the caller vouches for what its parameters point to.
    let start: Ptr<CK_PRF_DATA_PARAM> = unsafe { Ptr::vouched(p.pDataParams) };
    let fields = start.read_all(p.ulNumberOfDataParams, MAX_KDF_FIELDS).map_err(|_| INVALID)?;
    let fields = fields.into_iter().map(kdf_field).collect::<Outcome<_>>()?;
    Ok(wire(Wire::CounterKdf(CounterKdfParams { prf: wire_number(p.prfType).ok_or(INVALID)?, fields })))
}

fn kdf_field(p: CK_PRF_DATA_PARAM) -> Outcome<KdfField> {
    // SAFETY: the caller vouches for what its parameters point to.
    let start: Ptr<u8> = unsafe { Ptr::vouched(p.pValue.cast()) };
    let given = Given { start: start.not_null().map_err(|_| INVALID)?, len: p.ulValueLen };
    match p.type_ {
        CK_SP800_108_ITERATION_VARIABLE => given
            .read::<CK_SP800_108_COUNTER_FORMAT>()
            .map(|f| KdfField::Counter(written(f.ulWidthInBits, f.bLittleEndian))),
        CK_SP800_108_DKM_LENGTH => {
            let format = given.read::<CK_SP800_108_DKM_LENGTH_FORMAT>()?;
            match format.dkmLengthMethod {
                CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS => {
                    Ok(KdfField::Length(written(format.ulWidthInBits, format.bLittleEndian)))
                }
                _ => Err(INVALID),
            }
        }
        CK_SP800_108_BYTE_ARRAY => data(p.pValue.cast(), p.ulValueLen, MAX_DATA).map(KdfField::Bytes),
        _ => Err(INVALID),
    }
}

fn written(bits: CK_ULONG, little_endian: CK_BBOOL) -> KdfNumber {
    KdfNumber { bits: number(bits), little_endian: little_endian != CK_FALSE }
}

fn pbkdf2(p: CK_PKCS5_PBKD2_PARAMS2) -> Outcome<Parameter> {
    let prf = match p.prf {
        CKP_PKCS5_PBKD2_HMAC_SHA1 => M::SHA_1_HMAC,
        CKP_PKCS5_PBKD2_HMAC_SHA224 => M::SHA224_HMAC,
        CKP_PKCS5_PBKD2_HMAC_SHA256 => M::SHA256_HMAC,
        CKP_PKCS5_PBKD2_HMAC_SHA384 => M::SHA384_HMAC,
        CKP_PKCS5_PBKD2_HMAC_SHA512 => M::SHA512_HMAC,
        _ => return Err(INVALID),
    };
    if p.saltSource != CKZ_SALT_SPECIFIED || p.ulPrfDataLen != 0 {
        return Err(INVALID);
    }
    let salt = data(p.pSaltSourceData.cast(), p.ulSaltSourceDataLen, MAX_DATA)?;
    // SAFETY: the caller vouches for what its parameters point to.
    let password: Ptr<u8> = unsafe { Ptr::vouched(p.pPassword) };
    let password = password.copy(password_bytes(p.ulPasswordLen)?, MAX_PASSWORD).map_err(|_| INVALID)?;
    let (iterations, password) = (number(p.iterations), Password(password.to_vec()));
    Ok(wire(Wire::Pbkdf2(Pbkdf2Params { prf, salt, iterations, password })))
}

/// `CK_PKCS5_PBKD2_PARAMS` and `CK_PKCS5_PBKD2_PARAMS2` have the same length and differ in one field: the password's length,
/// or a pointer to it. No password is as long as the lowest address.
fn password_bytes(field: CK_ULONG) -> Outcome<CK_ULONG> {
    if field <= MAX_PASSWORD as CK_ULONG { Ok(field) } else { probe(field).map_err(|_| INVALID) }
}
