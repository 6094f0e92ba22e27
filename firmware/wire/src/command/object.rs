//! Commands about objects.

use crate::{Attribute, AttributeType, ObjectId, Template};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// `C_CreateObject`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ObjectCreate {
    /// Its attributes.
    #[n(0)]
    pub template: Template,
}

/// The reply of commands that make one object.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ObjectReply {
    /// The new object.
    #[n(0)]
    pub object: ObjectId,
}

/// `C_CopyObject`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ObjectCopy {
    /// The original.
    #[n(0)]
    pub object: ObjectId,
    /// What is different in the copy.
    #[n(1)]
    pub template: Template,
}

/// `C_DestroyObject`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ObjectDestroy {
    /// Which.
    #[n(0)]
    pub object: ObjectId,
}

/// `C_GetAttributeValue`, and `C_GetObjectSize` when no attribute is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AttributesRead {
    /// Which object.
    #[n(0)]
    pub object: ObjectId,
    /// Which attributes, at most [`crate::attribute::MAX_ATTRIBUTES`].
    #[n(1)]
    pub kinds: Vec<AttributeType>,
}

/// See [`AttributesRead`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AttributesReadReply {
    /// The values there are, in the order asked for.
    #[n(0)]
    pub values: Vec<Attribute>,
    /// Those that may not be read (`CKR_ATTRIBUTE_SENSITIVE`).
    #[n(1)]
    pub sensitive: Vec<AttributeType>,
    /// Those the object does not have (`CKR_ATTRIBUTE_TYPE_INVALID`).
    #[n(2)]
    pub invalid: Vec<AttributeType>,
    /// Bytes the object takes in the store; 0 when attributes were asked for.
    #[n(3)]
    pub size: u64,
}

/// `C_SetAttributeValue`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct AttributesWrite {
    /// Which object.
    #[n(0)]
    pub object: ObjectId,
    /// The new values.
    #[n(1)]
    pub template: Template,
}

/// One page of `C_FindObjects`: the objects whose attributes all match, in the order of their ids.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ObjectFind {
    /// What must match; an empty one matches all.
    #[n(0)]
    pub template: Template,
    /// The last id of the page before.
    #[n(1)]
    pub after: Option<ObjectId>,
    /// How many at most; the engine caps it at [`MAX_FIND`].
    #[n(2)]
    pub max: u32,
}

/// Ids in one [`ObjectFindReply`] at most: a page fits a board's frame.
pub const MAX_FIND: u32 = 256;

/// See [`ObjectFind`]. A page that is not full (as many as asked for, or [`MAX_FIND`]) is the end.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ObjectFindReply {
    /// Ids, rising.
    #[n(0)]
    pub objects: Vec<ObjectId>,
}
