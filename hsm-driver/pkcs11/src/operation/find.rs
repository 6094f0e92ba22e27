//! `C_FindObjects*` (§5.7.7): a page at a time, so that a token of a million objects answers at once.

use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use coloa_wire::command::{MAX_FIND, ObjectFind};
use coloa_wire::{ObjectId, Template};
use cryptoki_sys::*;
use std::collections::VecDeque;

/// The smallest page that is asked for: applications often take one handle at a time.
const MIN_PAGE: u32 = 16;

/// Handles that one call gives, whatever room it is said to have: a search may be without end.
const MOST_AT_ONCE: usize = 1 << 20;

/// A search that is not at its end.
pub(crate) struct Find {
    template: Template,
    after: Option<ObjectId>,
    ready: VecDeque<ObjectId>,
    ended: bool,
}

impl Session {
    pub(crate) fn find_init(&self, template: Template) -> Outcome {
        let mut state = self.state();
        if state.find.is_some() {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        state.find = Some(Find { template, after: None, ready: VecDeque::new(), ended: false });
        Ok(())
    }

    pub(crate) fn find(&self, max: usize) -> Outcome<Vec<CK_OBJECT_HANDLE>> {
        let State { find, scratch, .. } = &mut *self.state();
        let find = find.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        let max = max.min(MOST_AT_ONCE);
        while find.ready.len() < max && !find.ended {
            let wanted = u32::try_from(max - find.ready.len()).unwrap_or(MAX_FIND).clamp(MIN_PAGE, MAX_FIND);
            let page = ObjectFind { template: find.template.clone(), after: find.after, max: wanted };
            let found = self.slot.call(scratch, &page, &[])?.objects;
            // Who goes round in circles has no end.
            if !find.after.iter().chain(&found).is_sorted_by(|one, next| one < next) {
                return Err(Rv(CKR_DEVICE_ERROR));
            }
            find.after = found.last().copied().or(find.after);
            // A page that is not full is the last: who looks for one key asks once.
            find.ended = found.len() < wanted as usize;
            find.ready.extend(found);
        }
        let count = max.min(find.ready.len());
        Ok(find.ready.drain(..count).map(|id| self.slot.handles.of(id)).collect())
    }

    pub(crate) fn find_final(&self) -> Outcome {
        self.state().find.take().map(drop).ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))
    }
}
