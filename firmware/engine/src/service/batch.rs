//! Several commands in one frame.

use crate::Platform;
use crate::audit::result_number;
use crate::call::{Call, dispatch};
use alloc::vec::Vec;
use coloa_wire::command::{Batch, BatchItem, BatchReply, BatchResult, CommandCode, MAX_BATCH};
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame};
use zeroize::Zeroize;

/// What an item's result takes in the reply besides its head and bulk, at most.
const RESULT: usize = 32;

/// Items may carry PINs and keys on their way in.
struct Wiped(Batch);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.items.iter_mut().for_each(|item| item.head.zeroize());
    }
}

/// Answers the items in order. The reply may not outgrow a frame: what does not fit is refused, before it is run when it
/// would change something.
pub(crate) fn run<P: Platform>(call: &mut Call<'_, P>, batch: Batch) -> Result<BatchReply, ErrorCode> {
    let batch = Wiped(batch);
    let given = &batch.0.items;
    let nested = |item: &BatchItem| item.code == CommandCode::Batch as u16;
    if call.is_item() || given.len() > MAX_BATCH || given.iter().any(nested) {
        return Err(ErrorCode::BatchNested);
    }
    let (mut rest, mut taken) = (call.bulk, 0);
    let mut items = Vec::with_capacity(given.len());
    for item in given {
        let length = usize::try_from(item.bulk).map_err(|_| ErrorCode::CommandMalformed)?;
        let (bulk, after) = rest.split_at_checked(length).ok_or(ErrorCode::CommandMalformed)?;
        rest = after;
        items.push(run_item(call, item, bulk, &mut taken));
    }
    if rest.is_empty() { Ok(BatchReply { items }) } else { Err(ErrorCode::CommandMalformed) }
}

/// `taken` counts the bytes of the reply.
fn run_item<P: Platform>(call: &mut Call<'_, P>, item: &BatchItem, bulk: &[u8], taken: &mut usize) -> BatchResult {
    let frame = Frame {
        head: &item.head,
        bulk,
        session: call.session,
        retry: item.retry,
        ..Frame::status(FrameKind::Call, item.code, 0)
    };
    let mut one = Call::item(call, &frame);
    let mut head = Vec::new();
    let room = call.engine.platform().limits().max_frame;
    let full = taken.saturating_add(bulk.len()).saturating_add(4 * 1024) > room;
    let outcome = if full { Err(ErrorCode::DataTooLong) } else { dispatch(&mut one, item.code, &item.head, &mut head) };
    let mut out = if outcome.is_ok() { one.into_out() } else { Vec::new() };
    let after = taken.saturating_add(head.len()).saturating_add(out.len()).saturating_add(RESULT);
    let outcome = if after.saturating_add(RESULT) > room { Err(ErrorCode::DataTooLong) } else { outcome };
    if outcome.is_err() {
        (head, out) = (Vec::new(), Vec::new());
    }
    *taken = taken.saturating_add(head.len()).saturating_add(out.len()).saturating_add(RESULT);
    call.out.extend_from_slice(&out);
    BatchResult { code: result_number(&outcome), head, bulk: u32::try_from(out.len()).unwrap_or(u32::MAX) }
}
