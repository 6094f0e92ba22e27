//! Objects: making, copying, destroying, reading and changing them (§5.7).

use crate::attribute::{bytes, suits, wants_token, wire_type};
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use coloa_wire::attribute::MAX_ATTRIBUTES;
use coloa_wire::command::{AttributesRead, AttributesWrite, ObjectCopy, ObjectCreate, ObjectDestroy};
use coloa_wire::{AttributeType, ObjectId, Template, Value};
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// One answer of `C_GetAttributeValue`.
pub(crate) enum Read {
    /// Its bytes, as C has them.
    Value(Zeroizing<Vec<u8>>),
    /// Attributes, each with its bytes.
    Template(Vec<(CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>)>),
    /// It never leaves.
    Sensitive,
    /// The object does not have it.
    Invalid,
}

impl Session {
    /// `C_CreateObject`.
    pub(crate) fn create_object(&self, template: Template) -> Outcome<CK_OBJECT_HANDLE> {
        let token = wants_token(&template);
        self.may_create(token)?;
        let command = ObjectCreate { template };
        self.make_object(("C_CreateObject", 0), (&command, &[], |rv| rv), (token, |reply| reply.object))
    }

    /// `C_CopyObject`: where the template does not say, the copy is a token object if the original is.
    pub(crate) fn copy_object(&self, handle: CK_OBJECT_HANDLE, template: Template) -> Outcome<CK_OBJECT_HANDLE> {
        let object = self.slot.handles.id(handle)?;
        let token = match template.value(AttributeType::TOKEN) {
            Some(_) => wants_token(&template),
            None => self.is_token_object(object)?,
        };
        self.may_create(token)?;
        let command = ObjectCopy { object, template };
        self.make_object(("C_CopyObject", 0), (&command, &[], |rv| rv), (token, |reply| reply.object))
    }

    /// `C_DestroyObject`.
    pub(crate) fn destroy_object(&self, handle: CK_OBJECT_HANDLE) -> Outcome {
        let object = self.slot.handles.id(handle)?;
        self.may_change(object)?;
        self.slot.ask(&ObjectDestroy { object })?;
        self.slot.handles.forget(handle);
        Ok(())
    }

    /// `C_GetObjectSize`.
    pub(crate) fn object_size(&self, handle: CK_OBJECT_HANDLE) -> Outcome<CK_ULONG> {
        let object = self.slot.handles.id(handle)?;
        Ok(self.slot.ask(&AttributesRead { object, kinds: vec![] })?.size)
    }

    /// `C_GetAttributeValue`: one answer for each type asked.
    pub(crate) fn read_attributes(&self, handle: CK_OBJECT_HANDLE, asked: &[CK_ATTRIBUTE_TYPE]) -> Outcome<Vec<Read>> {
        if asked.len() > MAX_ATTRIBUTES {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        let object = self.slot.handles.id(handle)?;
        let kinds = asked.iter().filter_map(|kind| wire_type(*kind)).collect();
        let reply = self.slot.ask(&AttributesRead { object, kinds })?;
        let (values, sensitive) = (Template(reply.values), reply.sensitive);
        if !values.0.iter().all(|a| suits(a.kind, &a.value)) {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        let answer = |kind: &CK_ATTRIBUTE_TYPE| {
            let Some(kind) = wire_type(*kind) else { return Read::Invalid };
            match values.value(kind) {
                Some(Value::Template(inner)) => {
                    Read::Template(inner.iter().map(|a| (a.kind.0.into(), bytes(&a.value))).collect())
                }
                Some(value) => Read::Value(bytes(value)),
                None if sensitive.contains(&kind) => Read::Sensitive,
                None => Read::Invalid,
            }
        };
        Ok(asked.iter().map(answer).collect())
    }

    /// `C_SetAttributeValue`.
    pub(crate) fn write_attributes(&self, handle: CK_OBJECT_HANDLE, template: Template) -> Outcome {
        let object = self.slot.handles.id(handle)?;
        self.may_change(object)?;
        self.slot.ask(&AttributesWrite { object, template })?;
        self.slot.handles.unlearn(handle);
        Ok(())
    }

    /// A read-only session changes session objects only.
    fn may_change(&self, object: ObjectId) -> Outcome {
        if self.read_write { Ok(()) } else { self.may_create(self.is_token_object(object)?) }
    }

    fn is_token_object(&self, object: ObjectId) -> Outcome<bool> {
        let reply = self.slot.ask(&AttributesRead { object, kinds: vec![AttributeType::TOKEN] })?;
        Ok(Template(reply.values).value(AttributeType::TOKEN) == Some(&Value::Bool(true)))
    }
}
