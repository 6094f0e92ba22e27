//! Structures of every shape as a C program lays them out: at odd addresses, one inside another, with counts that lie. Nothing
//! here asks a token or the kernel, so that Miri can watch every access (`cargo xtask miri`).

use super::*;
use crate::mechanism::{Message, Parameter};
use cryptoki_sys::*;
use std::ptr::null_mut;

const INVALID: Rv = Rv(CKR_MECHANISM_PARAM_INVALID);

/// Values one byte beside where they would be aligned. The pointer is made once: each that is made anew would end the others.
struct Odd<T> {
    whole: *mut [u64],
    start: *mut T,
}

impl<T: Copy> Odd<T> {
    fn new(value: T) -> Self {
        Self::with(&[value])
    }

    fn with(values: &[T]) -> Self {
        let whole = Box::into_raw(vec![0_u64; size_of_val(values) / 8 + 2].into_boxed_slice());
        let own = Odd { whole, start: whole.cast::<u8>().wrapping_add(1).cast() };
        values.iter().enumerate().for_each(|(n, value)| own.ptr().element(n).write(*value).unwrap());
        own
    }

    fn ptr(&self) -> Ptr<T> {
        // SAFETY: the box has room for the values and the byte before them, until this is dropped.
        unsafe { Ptr::vouched(self.start) }
    }

    fn raw(&self) -> *mut T {
        self.start
    }
}

impl<T> Drop for Odd<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and goes once.
        drop(unsafe { Box::from_raw(self.whole) });
    }
}

/// The parameter of a mechanism in its structure, and that a structure of another length is none.
fn parameter_of<T: Copy>(kind: CK_MECHANISM_TYPE, value: T) -> Outcome<Parameter> {
    let odd = Odd::with(&[value, value]);
    let start: Ptr<u8> = odd.ptr().cast();
    let len = size_of::<T>() as CK_ULONG;
    for other in [1, len - 1, len + 1] {
        assert_eq!(parameter::parameter(kind, start, other).err(), Some(INVALID), "{kind:#x} of {other} bytes");
    }
    let how = Odd::new(CK_MECHANISM { mechanism: kind, pParameter: odd.raw().cast(), ulParameterLen: len });
    mechanism(how.ptr()).map(|given| given.parameter)
}

fn attribute_of(kind: CK_ATTRIBUTE_TYPE, value: *mut u8, len: usize) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.cast(), ulValueLen: len as CK_ULONG }
}

#[test]
fn a_template_is_copied_from_odd_addresses_and_within_a_template() {
    let (label, class) = (Odd::new(*b"key"), Odd::new(CKO_SECRET_KEY));
    let inner = Odd::with(&[
        attribute_of(CKA_LABEL, label.raw().cast(), 3),
        attribute_of(CKA_ID, null_mut(), 0),
        attribute_of(CKA_CLASS, class.raw().cast(), size_of::<CK_ULONG>()),
    ]);
    let outer = Odd::with(&[
        attribute_of(CKA_LABEL, label.raw().cast(), 3),
        attribute_of(CKA_WRAP_TEMPLATE, inner.raw().cast(), 3 * size_of::<CK_ATTRIBUTE>()),
    ]);
    let read = template(outer.ptr(), 2).unwrap();
    assert_eq!(read.0.len(), 2);
    assert!(template(outer.ptr(), 0).unwrap().0.is_empty());
}

#[test]
fn templates_that_lie_are_refused_before_they_are_read() {
    let label = Odd::new(*b"key");
    for (value, len) in [(null_mut(), 1), (label.raw().cast(), usize::MAX), (label.raw().cast(), isize::MAX as usize)] {
        for kind in [CKA_LABEL, CKA_WRAP_TEMPLATE] {
            let lies = Odd::new(attribute_of(kind, value, len));
            assert_eq!(template(lies.ptr(), 1).err(), Some(Rv(CKR_ATTRIBUTE_VALUE_INVALID)), "{kind:#x} {len}");
        }
    }
    let one = Odd::new(attribute_of(CKA_LABEL, label.raw().cast(), 3));
    for count in [CK_ULONG::MAX, 1 << 60, MAX_ATTRIBUTES as CK_ULONG + 1] {
        assert_eq!(template(one.ptr(), count).err(), Some(Rv(CKR_ARGUMENTS_BAD)));
    }
}

#[test]
fn authenticated_encryption_has_three_structures_for_gcm_and_one_for_ccm() {
    let (iv, aad) = (Odd::new([7_u8; 12]), Odd::new(*b"associated"));
    let (iv, aad) = (iv.raw().cast::<u8>(), aad.raw().cast::<u8>());
    let gcm = CK_GCM_PARAMS { pIv: iv, ulIvLen: 12, ulIvBits: 96, pAAD: aad, ulAADLen: 10, ulTagBits: 128 };
    let Ok(Parameter::Aead(read)) = parameter_of_one(CKM_AES_GCM, gcm) else { panic!("a GCM parameter") };
    assert_eq!((&read.iv[..], &read.aad[..], read.tag_bytes), (&[7; 12][..], &b"associated"[..], 16));
    let ccm = CK_CCM_PARAMS { ulDataLen: 5, pNonce: iv, ulNonceLen: 12, pAAD: aad, ulAADLen: 10, ulMACLen: 8 };
    let Ok(Parameter::Aead(read)) = parameter_of(CKM_AES_CCM, ccm) else { panic!("a CCM parameter") };
    assert_eq!((read.tag_bytes, read.data_bytes), (8, Some(5)));
    for bad in [
        CK_GCM_PARAMS { pIv: null_mut(), ..gcm },
        CK_GCM_PARAMS { ulIvLen: CK_ULONG::MAX, ..gcm },
        CK_GCM_PARAMS { ulAADLen: CK_ULONG::MAX, ..gcm },
        CK_GCM_PARAMS { ulTagBits: 127, ..gcm },
    ] {
        assert_eq!(parameter_of_one(CKM_AES_GCM, bad).err(), Some(INVALID));
    }
}

/// As [`parameter_of`], where structures of several lengths are right.
fn parameter_of_one<T: Copy>(kind: CK_MECHANISM_TYPE, value: T) -> Outcome<Parameter> {
    let odd = Odd::new(value);
    parameter::parameter(kind, odd.ptr().cast(), size_of::<T>() as CK_ULONG)
}

#[test]
fn structures_that_point_to_others_are_followed() {
    let label = Odd::new(*b"label");
    let oaep = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.raw().cast(),
        ulSourceDataLen: 5,
    };
    assert!(matches!(parameter_of(CKM_RSA_PKCS_OAEP, oaep), Ok(Parameter::Wire(_))));
    let inner = Odd::new(oaep);
    let wraps = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: inner.raw() };
    assert!(matches!(parameter_of(CKM_RSA_AES_KEY_WRAP, wraps), Ok(Parameter::Wire(_))));
    let nowhere = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: null_mut() };
    assert_eq!(parameter_of(CKM_RSA_AES_KEY_WRAP, nowhere).err(), Some(INVALID));
    let counter = Odd::new(CK_SP800_108_COUNTER_FORMAT { bLittleEndian: CK_FALSE, ulWidthInBits: 32 });
    let field = |type_, value: *mut u8, len: usize| CK_PRF_DATA_PARAM {
        type_,
        pValue: value.cast(),
        ulValueLen: len as CK_ULONG,
    };
    let fields = Odd::with(&[
        field(CK_SP800_108_ITERATION_VARIABLE, counter.raw().cast(), size_of::<CK_SP800_108_COUNTER_FORMAT>()),
        field(CK_SP800_108_BYTE_ARRAY, label.raw().cast(), 5),
    ]);
    let kdf = |count| CK_SP800_108_KDF_PARAMS {
        prfType: CKM_SHA256_HMAC,
        ulNumberOfDataParams: count,
        pDataParams: fields.raw(),
        ulAdditionalDerivedKeys: 0,
        pAdditionalDerivedKeys: null_mut(),
    };
    let (two, endless) = (kdf(2), kdf(CK_ULONG::MAX));
    assert!(matches!(parameter_of(CKM_SP800_108_COUNTER_KDF, two), Ok(Parameter::Wire(_))));
    assert_eq!(parameter_of(CKM_SP800_108_COUNTER_KDF, endless).err(), Some(INVALID));
}

#[test]
fn flat_structures_are_read() {
    let pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA384, mgf: CKG_MGF1_SHA384, sLen: 48 };
    assert!(matches!(parameter_of(CKM_SHA384_RSA_PKCS_PSS, pss), Ok(Parameter::Wire(_))));
    let ctr = CK_AES_CTR_PARAMS { ulCounterBits: 32, cb: [1; 16] };
    assert!(matches!(parameter_of(CKM_AES_CTR, ctr), Ok(Parameter::Wire(_))));
    assert!(matches!(parameter_of(CKM_SHA256_HMAC_GENERAL, 16 as CK_ULONG), Ok(Parameter::Wire(_))));
    let (point, info) = (Odd::new([4_u8; 65]), Odd::new(*b"info"));
    let ecdh = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: null_mut(),
        ulPublicDataLen: 65,
        pPublicData: point.raw().cast(),
    };
    assert!(matches!(parameter_of(CKM_ECDH1_DERIVE, ecdh), Ok(Parameter::Wire(_))));
    let hkdf = CK_HKDF_PARAMS {
        bExtract: CK_TRUE,
        bExpand: CK_TRUE,
        prfHashMechanism: CKM_SHA256,
        ulSaltType: CKF_HKDF_SALT_NULL,
        pSalt: null_mut(),
        ulSaltLen: 0,
        hSaltKey: 0,
        pInfo: info.raw().cast(),
        ulInfoLen: 4,
    };
    assert!(matches!(parameter_of(CKM_HKDF_DERIVE, hkdf), Ok(Parameter::Hkdf(_, None))));
    let odd_flag = CK_HKDF_PARAMS { bExtract: 2, ..hkdf };
    assert_eq!(parameter_of(CKM_HKDF_DERIVE, odd_flag).err(), Some(INVALID));
}

/// The IV that an engine makes and the tag are written to where the message's structure says, through the caller's pointers.
#[test]
fn a_messages_iv_and_tag_are_written_where_they_belong() {
    let (iv, tag) = (Odd::new([0_u8; 12]), Odd::new([0_u8; 16]));
    let params = CK_GCM_MESSAGE_PARAMS {
        pIv: iv.raw().cast(),
        ulIvLen: 12,
        ulIvFixedBits: 0,
        ivGenerator: CKG_GENERATE_RANDOM,
        pTag: tag.raw().cast(),
        ulTagBits: 128,
    };
    let odd = Odd::new(params);
    let size = size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG;
    let Ok(Some(Message { iv_home, tag: tag_home, .. })) = message(odd.ptr().cast(), size) else { panic!("a message") };
    iv_home.write(&[1; 12]).unwrap();
    tag_home.write(&[2; 16]).unwrap();
    assert!(tag_home.write(&[3; 17]).is_err(), "no more than there is room for");
    assert_eq!((iv.ptr().read(), tag.ptr().read()), (Ok([1; 12]), Ok([2; 16])));
    assert!(matches!(message(odd.ptr().cast(), 0), Ok(None)));
    assert!(message(odd.ptr().cast(), size - 1).is_err());
}
