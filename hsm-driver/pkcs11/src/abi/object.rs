//! Object management (§5.7).

use super::given::template;
use super::memory::{Output, Ptr};
use super::process::session_of;
use crate::object::Read;
use crate::rv::{Outcome, Rv};
use coloa_wire::attribute::MAX_ATTRIBUTES;
use cryptoki_sys::*;

/// Bytes of one value.
type Bytes = zeroize::Zeroizing<Vec<u8>>;

entry! {
    C_CreateObject(
        session: CK_SESSION_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        object: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        object.not_null()?;
        object.write(session.create_object(template(start, count)?)?)
    }

    C_CopyObject(
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        copy: *mut CK_OBJECT_HANDLE,
    ) {
        let session = session_of(session)?;
        copy.not_null()?;
        copy.write(session.copy_object(object, template(start, count)?)?)
    }

    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) {
        session_of(session)?.destroy_object(object)
    }

    C_GetObjectSize(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, size: *mut CK_ULONG) {
        let session = session_of(session)?;
        size.not_null()?;
        size.write(session.object_size(object)?)
    }

    C_GetAttributeValue(
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
    ) {
        let session = session_of(session)?;
        let mut asked = start.not_null()?.read_all(count, MAX_ATTRIBUTES)?;
        let kinds: Vec<_> = asked.iter().map(|a| a.type_).collect();
        let answers = session.read_attributes(object, &kinds)?;
        let mut first = Ok(());
        for (asked, answer) in asked.iter_mut().zip(answers) {
            first = first.and(give(asked, answer));
        }
        start.write_all(&asked)?;
        first
    }

    C_SetAttributeValue(
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        start: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
    ) {
        let session = session_of(session)?;
        session.write_attributes(object, template(start.not_null()?, count)?)
    }

    C_FindObjectsInit(session: CK_SESSION_HANDLE, start: *mut CK_ATTRIBUTE, count: CK_ULONG) {
        let session = session_of(session)?;
        session.find_init(template(start, count)?)
    }

    C_FindObjects(
        session: CK_SESSION_HANDLE,
        objects: *mut CK_OBJECT_HANDLE,
        max: CK_ULONG,
        count: *mut CK_ULONG,
    ) {
        let session = session_of(session)?;
        count.not_null()?;
        objects.not_null()?;
        let found = session.find(usize::try_from(max).map_err(|_| Rv(CKR_ARGUMENTS_BAD))?)?;
        objects.write_all(&found)?;
        count.write(found.len() as CK_ULONG)
    }

    C_FindObjectsFinal(session: CK_SESSION_HANDLE) {
        session_of(session)?.find_final()
    }
}

/// One attribute of `C_GetAttributeValue` (§5.7.5): the length says what became of it.
fn give(asked: &mut CK_ATTRIBUTE, answer: Read) -> Outcome {
    let room = std::mem::replace(&mut asked.ulValueLen, CK_UNAVAILABLE_INFORMATION);
    match answer {
        Read::Value(value) => give_value(asked, room, &value),
        Read::Template(inner) => give_template(asked, room, &inner),
        Read::Sensitive => Err(Rv(CKR_ATTRIBUTE_SENSITIVE)),
        Read::Invalid => Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID)),
    }
}

fn give_value(asked: &mut CK_ATTRIBUTE, room: CK_ULONG, value: &[u8]) -> Outcome {
    let len = value.len() as CK_ULONG;
    if !asked.pValue.is_null() {
        if room < len {
            return Err(Rv(CKR_BUFFER_TOO_SMALL));
        }
        // SAFETY: the caller vouches for the buffers in its template.
        Output::fixed(unsafe { Ptr::vouched(asked.pValue.cast()) }, value.len()).put_at(0, value)?;
    }
    asked.ulValueLen = len;
    Ok(())
}

/// Attributes in the caller's array of attributes: types and lengths where it has no buffers, values where it has.
fn give_template(asked: &mut CK_ATTRIBUTE, room: CK_ULONG, inner: &[(CK_ATTRIBUTE_TYPE, Bytes)]) -> Outcome {
    let len = inner.len().saturating_mul(size_of::<CK_ATTRIBUTE>()) as CK_ULONG;
    // SAFETY: the caller vouches for the buffers in its template.
    let array: Ptr<CK_ATTRIBUTE> = unsafe { Ptr::vouched(asked.pValue.cast()) };
    let mut first = Ok(());
    if !array.is_null() {
        if room < len {
            return Err(Rv(CKR_BUFFER_TOO_SMALL));
        }
        for (n, (kind, value)) in inner.iter().enumerate() {
            let mut element = array.element(n).read()?;
            element.type_ = *kind;
            let room = std::mem::replace(&mut element.ulValueLen, CK_UNAVAILABLE_INFORMATION);
            first = first.and(give_value(&mut element, room, value));
            array.element(n).write(element)?;
        }
    }
    asked.ulValueLen = len;
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: *mut u8, room: usize) -> CK_ATTRIBUTE {
        CK_ATTRIBUTE { type_: CKA_LABEL, pValue: value.cast(), ulValueLen: room as CK_ULONG }
    }

    #[test]
    fn a_value_goes_where_there_is_room_and_its_length_always() {
        let mut buffer = [0_u8; 4];
        let start = (&raw mut buffer).cast::<u8>();
        let unknown = CK_UNAVAILABLE_INFORMATION;
        for (value, room, wanted, length) in [
            (std::ptr::null_mut(), 0, Ok(()), 3),
            (start, 2, Err(Rv(CKR_BUFFER_TOO_SMALL)), unknown),
            (start, 4, Ok(()), 3),
        ] {
            let mut attribute = asked(value, room);
            assert_eq!(give(&mut attribute, Read::Value(b"abc".to_vec().into())), wanted);
            assert_eq!(attribute.ulValueLen, length);
        }
        assert_eq!(buffer, *b"abc\0");
        let mut attribute = asked(start, 4);
        assert_eq!(give(&mut attribute, Read::Sensitive), Err(Rv(CKR_ATTRIBUTE_SENSITIVE)));
        assert_eq!(attribute.ulValueLen, unknown);
    }

    /// §5.7.5: an array of attributes is filled like a template of its own, and never past what it has room for.
    #[test]
    fn attributes_within_an_attribute_are_filled_like_others() {
        let inner: Vec<(CK_ATTRIBUTE_TYPE, Bytes)> =
            vec![(CKA_LABEL, b"abc".to_vec().into()), (CKA_ID, b"1".to_vec().into())];
        let size = size_of::<CK_ATTRIBUTE>();
        let mut label = [0_u8; 3];
        let mut array = [asked((&raw mut label).cast(), 3), asked(std::ptr::null_mut(), 0)];
        let start = (&raw mut array).cast::<u8>();
        let mut short = asked(start, 2 * size - 1);
        assert_eq!(give(&mut short, Read::Template(inner.clone())), Err(Rv(CKR_BUFFER_TOO_SMALL)));
        let mut whole = asked(start, 2 * size);
        assert_eq!(give(&mut whole, Read::Template(inner)), Ok(()));
        assert_eq!(whole.ulValueLen, 2 * size as CK_ULONG);
        assert_eq!(array.map(|a| (a.type_, a.ulValueLen)), [(CKA_LABEL, 3), (CKA_ID, 1)]);
        assert_eq!(label, *b"abc");
    }
}
