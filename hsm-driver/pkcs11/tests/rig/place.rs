//! The module over TLS: an engine, its server, and a configuration that names it.
#![allow(dead_code)] // Not every test uses all of it.

#[path = "../../../client/tests/rig/mod.rs"]
pub mod server;

use crate::rig::{self, Rig, set_pins};
use coloa_client::{Client, Target};
use coloa_host::Embedded;
use coloa_wire::command::*;
use cryptoki::context::Pkcs11;
use cryptoki::slot::Slot;
use server::{Manner, Pki, SERVER_NAME, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// An engine behind TLS, and the module configured to use it.
pub struct Place {
    pub rig: Rig,
    pub pki: Pki,
    pub mode: PartitionMode,
}

impl Place {
    pub fn new() -> Self {
        Place { rig: Rig::new("strict"), pki: Pki::new(), mode: PartitionMode::Strict }
    }

    /// An engine of its own on this place's store: as after a restart, no session is known.
    pub fn engine(&self) -> Embedded {
        Embedded::open(&self.rig.directory.path().join("store"), self.mode).unwrap()
    }

    /// A server with such an engine.
    pub fn serve(&self, address: SocketAddr) -> Server {
        let engine = self.engine();
        let answer = move |frame: &[u8]| {
            let mut reply = vec![];
            engine.exchange(frame, &mut reply);
            reply
        };
        Server::start_at(&self.pki, Manner::Engine(Arc::new(answer)), address)
    }

    /// Sets the user's PIN anew, as another client of the token does.
    pub fn change_pin(&self, new: &str) {
        let place = coloa_client::Place::Embedded(self.rig.directory.path().join("store"), self.mode);
        let client = Client::open(&Target { place, deadline: Duration::from_secs(5) }).unwrap();
        let partition = client.call(None, None, &TokenList {}, &[]).unwrap().0.tokens[0].partition;
        let session = client.call(None, None, &SessionOpen { partition }, &[]).unwrap().0.session;
        let login = Login { role: Role::SecurityOfficer, pin: rig::SO_PIN.as_bytes().into() };
        client.call(Some(session), None, &login, &[]).unwrap();
        client.call(Some(session), None, &UserPinInitialize { pin: new.as_bytes().into() }, &[]).unwrap();
    }

    /// A server at a free port, the module initialised, PINs set.
    pub fn start(&self) -> (Server, Pkcs11, Slot) {
        let server = self.serve("127.0.0.1:0".parse().unwrap());
        let (module, slot) = self.module(&server);
        (server, module, slot)
    }

    /// The module initialised for a server, PINs set.
    pub fn module(&self, server: &Server) -> (Pkcs11, Slot) {
        let directory = self.pki.directory.path().display();
        self.rig.configure(&format!(
            "[[token]]\nbody = \"network\"\naddress = \"{}\"\nserver_name = \"{SERVER_NAME}\"\nca = \"{directory}/ca.pem\"\n\
             certificate = \"{directory}/client.pem\"\nkey = \"{directory}/client.key\"\n",
            server.address
        ));
        let module = rig::open();
        let slot = module.get_slots_with_token().unwrap()[0];
        set_pins(&module, slot);
        (module, slot)
    }
}
