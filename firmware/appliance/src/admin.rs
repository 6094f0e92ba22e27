//! What administrators ask of the appliance itself, and what their commands to the engine mean for it.

use crate::authority::identity;
use crate::figures;
use crate::service::Service;
use coloa_engine::Peer;
use coloa_host::command;
use coloa_wire::admin::*;
use coloa_wire::command::{AuditorAdd, ClientBind, CommandCode, decode_head, encode_head};
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame};
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers one frame of an administrator.
pub(crate) fn answer(service: &Arc<Service>, peer: &Peer, bytes: &[u8], reply: &mut Vec<u8>) {
    match Frame::parse(bytes) {
        Ok(frame) if frame.kind == FrameKind::Call && frame.code >= FIRST => own(service, peer, &frame, reply),
        Ok(frame) => {
            let start = reply.len();
            service.answer(peer, bytes, reply);
            if frame.code == CommandCode::DeviceZeroize as u16 && has_begun(reply.get(start..).unwrap_or_default()) {
                service.note_zeroized();
            }
            follow(service, frame.code);
        }
        // The engine says what is wrong with it.
        Err(_) => service.answer(peer, bytes, reply),
    }
}

/// Whether a zeroization was done, or will be at the next start.
fn has_begun(reply: &[u8]) -> bool {
    Frame::parse(reply).is_ok_and(|answer| answer.code == 0 || answer.code == ErrorCode::StoreFailed.number())
}

/// What the engine did may concern the channels.
fn follow(service: &Arc<Service>, code: u16) {
    use CommandCode::{AuditorRemove, Batch, ClientUnbind, DeviceInitialize, PartitionDestroy, QuorumExecute};
    // A batch may have held any of them.
    let code = CommandCode::try_from(code);
    // What a quorum had done may be the return from tampering.
    let in_service = service.engine().lifecycle() == coloa_wire::command::Lifecycle::Operational;
    if in_service
        && matches!(code, Ok(DeviceInitialize | Batch | QuorumExecute))
        && let Err(fault) = service.open_port()
    {
        let why = fault.words(coloa_wire::error::Language::English);
        tracing::error!(why, "the TLS port stays closed");
    }
    if matches!(code, Ok(AuditorRemove | ClientUnbind | PartitionDestroy | Batch)) {
        service.channels().cut_unbound(service.engine());
    }
}

fn own(service: &Service, peer: &Peer, frame: &Frame<'_>, reply: &mut Vec<u8>) {
    let outcome = match frame.code {
        ServiceInfo::CODE => run(frame, |c| info(service, &c)),
        ServiceStatus::CODE => run(frame, |_: ServiceStatus| Ok(figures::status(service))),
        ClientEnrol::CODE => run(frame, |c| enrol(service, peer, &c)),
        AuditorEnrol::CODE => run(frame, |c| enrol_auditor(service, peer, &c)),
        ClientList::CODE => run(frame, |c| list(service, &c)),
        _ => Err(ErrorCode::CommandUnknown),
    };
    match outcome {
        Ok(head) => {
            let answer = Frame::status(FrameKind::Reply, 0, frame.request);
            Frame { head: &head, ..answer }.encode(reply);
        }
        Err(error) => Frame::status(FrameKind::Reply, error.number(), frame.request).encode(reply),
    }
}

/// Ties a command's request to its reply by type.
fn run<C: AdminCommand>(
    frame: &Frame<'_>,
    serve: impl FnOnce(C) -> Result<C::Reply, ErrorCode>,
) -> Result<Vec<u8>, ErrorCode> {
    let answer = serve(decode_head(frame.head)?)?;
    let mut head = Vec::new();
    encode_head(&answer, &mut head);
    Ok(head)
}

fn info(service: &Service, _: &ServiceInfo) -> Result<ServiceInfoReply, ErrorCode> {
    let open = service.authority();
    Ok(ServiceInfoReply {
        version: env!("CARGO_PKG_VERSION").into(),
        listening: open.as_ref().map(|(_, address)| address.to_string()),
        trouble: service.trouble(),
        server_names: service.config().server_names.clone(),
        channels: u32::try_from(service.channels().count()).unwrap_or(u32::MAX),
        certificate_ends: open.map(|(authority, _)| authority.server_ends()),
    })
}

/// The certificate is bound before anyone has it.
fn enrol(service: &Service, peer: &Peer, asked: &ClientEnrol) -> Result<ClientEnrolReply, ErrorCode> {
    let made = certify(service, &asked.request, &asked.name, (asked.days, asked.valid_from))?;
    let (identity, name) = (made.identity, asked.name.clone());
    command(service.engine(), peer, &ClientBind { partition: asked.partition, identity, name })?;
    tracing::info!(peer = peer.name(), client = asked.name, %identity, "client enrolled");
    Ok(made)
}

fn enrol_auditor(service: &Service, peer: &Peer, asked: &AuditorEnrol) -> Result<ClientEnrolReply, ErrorCode> {
    let made = certify(service, &asked.request, &asked.name, (asked.days, None))?;
    let (identity, name) = (made.identity, asked.name.clone());
    command(service.engine(), peer, &AuditorAdd { identity, name })?;
    tracing::info!(peer = peer.name(), auditor = asked.name, %identity, "auditor enrolled");
    Ok(made)
}

fn certify(
    service: &Service,
    request: &[u8],
    name: &str,
    (days, valid_from): (u32, Option<u64>),
) -> Result<ClientEnrolReply, ErrorCode> {
    let (authority, address) = service.authority().ok_or(ErrorCode::DeviceNotInitialized)?;
    if name.chars().any(char::is_control) {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    let certificate = authority.certify(request, name, days, valid_from)?;
    let identity = identity(&certificate);
    let server_name = service.config().server_names.first().cloned().unwrap_or_default();
    let address = reachable(address, &server_name);
    Ok(ClientEnrolReply { certificate, ca: authority.ca().to_vec(), identity, address, server_name })
}

/// Who listens on every address is reached by name.
fn reachable(address: SocketAddr, server_name: &str) -> String {
    if address.ip().is_unspecified() { format!("{server_name}:{}", address.port()) } else { address.to_string() }
}

fn list(service: &Service, _: &ClientList) -> Result<ClientListReply, ErrorCode> {
    let bound = service.engine().bound_clients().into_iter();
    let clients = bound.map(|(partition, identity, name)| {
        let channels = u32::try_from(service.channels().count_of(&identity)).unwrap_or(u32::MAX);
        BoundClient { partition, identity, name, channels }
    });
    Ok(ClientListReply { clients: clients.collect() })
}
