//! Tampering (R15): what happens to a device whose case is opened, and how it is used again.
//!
//! The body watches its lines and calls [`Engine::tamper`]. At once nothing is served any more, and [`Platform::tampered`]
//! destroys the root key by the very write that also says so, before anything else is done: from then on no cut of power
//! makes the device anything but tampered. Then the body ends.
//!
//! Its next start is [`Engine::start_tampered`], with a new root key. Whatever was sealed under the old one is deleted; the
//! audit log, which is not sealed, stays and goes on with a record of what happened. What a device must know to be itself, its
//! serial number and its custodians, comes from a testament that the body keeps outside the store ([`Platform::keep_testament`]):
//! all of it is public. The device is then tampered until a quorum executes `TamperReturn`; it returns empty.
//!
//! A testament is not sealed: there is no key left that could open it. Who can change it on a body's disk can also destroy
//! the device; keys are gone in either case.

use crate::audit::{Act, AuditEvent, Head, TAMPERED};
use crate::keyring::Key;
use crate::ledger::{Change, Request};
use crate::record::{self, CUSTODIANS, CustodiansRecord, DEVICE_RECORD, DeviceRecord, TAMPER, TamperRecord};
use crate::state::Fact;
use crate::{Engine, Platform, RecordId, Store, StoreError, Write, ZeroizeError};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use minicbor::{Decode, Encode};

/// Bytes of a sensor's name.
const MAX_SENSOR: usize = 64;

/// What a line told.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TamperEvent {
    /// Milliseconds since 1970; 0 when it is not known.
    #[n(0)]
    pub time: u64,
    /// Which line.
    #[n(1)]
    pub sensor: String,
}

/// What a device leaves to the one it is after tampering. No secret.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Testament {
    #[n(0)]
    device: DeviceRecord,
    #[n(1)]
    custodians: Option<CustodiansRecord>,
}

/// The state in which a device starts after tampering.
pub(crate) struct Bequest {
    testament: Option<Testament>,
    event: TamperEvent,
}

impl Bequest {
    /// A testament that cannot be read is none: then there is no way back.
    pub(crate) fn new(testament: Option<&[u8]>, event: Option<TamperEvent>) -> Self {
        let unknown = TamperEvent { time: 0, sensor: "unknown".into() };
        let testament = testament.and_then(|bytes| minicbor::decode(bytes).ok());
        Bequest { testament, event: event.unwrap_or(unknown) }
    }
}

impl<P: Platform> Engine<P> {
    /// A line tells of tampering: every secret is destroyed, now. The body ends when it returns.
    ///
    /// # Errors
    /// See [`ZeroizeError`]: nothing is served in either case.
    pub fn tamper(&self, sensor: &str) -> Result<(), ZeroizeError> {
        let event = TamperEvent { time: self.platform().now().0, sensor: printable(sensor) };
        self.strike(&event)
    }

    /// Keeps the testament as it is now; does nothing on a device that is none yet.
    pub(crate) fn testify(&self) -> Result<(), StoreError> {
        let Some(device) = self.state().device() else { return Ok(()) };
        let custodians = self.state().custodians().map(|known| (*known.record).clone());
        let testament = Testament { device: (*device).clone(), custodians };
        self.platform().keep_testament(&record::encode(&testament))
    }

    /// Makes a store without any sealed record that of a tampered device.
    pub(crate) fn inherit(&self, bequest: Bequest) -> Result<(), ErrorCode> {
        let Bequest { testament, event } = bequest;
        let (device, custodians) = match testament {
            Some(Testament { device, custodians }) => (device, custodians),
            None => (DeviceRecord { label: String::new(), serial: self.random()? }, None),
        };
        let said = AuditEvent { detail: Some(event.sensor.clone()), ..record_of_it() };
        let tamper = TamperRecord { time: event.time, sensor: event.sensor };
        let mut changes: Vec<Change<Key<P>>> = Vec::new();
        changes.push(self.device_change(DEVICE_RECORD, 0, &device, Fact::Device(device.clone()))?);
        if let Some(known) = custodians {
            changes.push(self.device_change(CUSTODIANS, 0, &known, Fact::Custodians(known.clone()))?);
        }
        changes.push(self.device_change(TAMPER, 0, &tamper, Fact::Tamper(tamper.clone()))?);
        self.commit(Request { changes, events: [said].into(), ..Request::default() })
    }
}

fn record_of_it() -> AuditEvent {
    Act { action: TAMPERED, ..Act::default() }.counted(1)
}

fn printable(sensor: &str) -> String {
    sensor.chars().filter(|c| !c.is_control()).take(MAX_SENSOR / 4).collect()
}

/// Deletes every record that is sealed, in one commit, and finds the end of the log. May be begun again at any point.
pub(crate) fn clear<P: Platform>(platform: &P) -> Result<(u64, Head), ErrorCode> {
    let (mut sealed, mut last) = (Vec::new(), 0);
    let scanned = platform.store().scan(&mut |found| {
        match record::audit_number(&found.id) {
            Some(number) => last = last.max(number),
            None => sealed.push((found.id, found.version)),
        }
        Ok(())
    });
    let mut generation = scanned.map_err(|_| ErrorCode::StoreFailed)?;
    if !sealed.is_empty() {
        let gone = |(id, version): &(RecordId, u64)| Write { id: *id, version: version.saturating_add(1), value: None };
        let batch: Vec<_> = sealed.iter().map(gone).collect();
        platform.store().commit(generation, &batch).map_err(|_| ErrorCode::StoreFailed)?;
        generation = generation.saturating_add(1);
    }
    Ok((generation, end_of_log(platform, last)?))
}

/// The last record of the log, from one on that is there: steps that double, then steps that halve.
fn end_of_log<P: Platform>(platform: &P, from: u64) -> Result<Head, ErrorCode> {
    let read = |number| platform.store().read(&record::audit_id(number)).map_err(|_| ErrorCode::StoreFailed);
    let mut last = from;
    let mut step = 1_u64;
    while read(last.saturating_add(step))?.is_some() {
        last = last.saturating_add(step);
        step = step.saturating_mul(2);
    }
    while step > 0 {
        if read(last.saturating_add(step))?.is_some() {
            last = last.saturating_add(step);
        }
        step /= 2;
    }
    match read(last)?.and_then(|found| found.value) {
        Some(bytes) => Head::at(platform.crypto(), &bytes),
        None => Ok(Head::default()),
    }
}
