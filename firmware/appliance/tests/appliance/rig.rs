//! A `coload` process, its administrator, and its clients.

use coloa_client::{CallError, Client, Config};
use coloa_wire::admin::{AdminCommand, ClientEnrol, ClientEnrolReply, ServiceInfo};
use coloa_wire::command::*;
use coloa_wire::frame::{FrameKind, LENGTH_FIELD, MAX_FRAME_HOST, frame_length};
use coloa_wire::hello::{ClientHello, PROTOCOL};
use coloa_wire::{AttributeType as A, ErrorCode, Frame, MechanismType, ObjectId, PartitionId, SessionId, Template};
use minicbor::{Decode, Encode};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
pub const SO_PIN: &[u8] = b"12345678";
pub const USER_PIN: &[u8] = b"123456";

/// A configuration and its process.
pub struct Appliance {
    pub dir: TempDir,
    child: Option<Child>,
}

impl Appliance {
    /// A new appliance that is not initialised.
    pub fn manufactured() -> Self {
        let mut appliance = Appliance { dir: tempfile::tempdir().unwrap(), child: None };
        appliance.configure("127.0.0.1:0");
        appliance.start();
        appliance
    }

    /// A new appliance in service.
    pub fn operational() -> Self {
        let appliance = Self::manufactured();
        appliance.admin().call(None, &DeviceInitialize { label: "rack-1".into() }).unwrap();
        appliance
    }

    pub fn configure(&self, listen: &str) {
        self.configure_with(listen, "");
    }

    /// With further lines for [limits].
    pub fn configure_with(&self, listen: &str, limits: &str) {
        let text = format!(
            "directory = \"data\"\nlisten = \"{listen}\"\nadmin_socket = \"coload.sock\"\n\
             metrics_listen = \"127.0.0.1:0\"\nsandbox = \"required\"\n[limits]\nhandshake_ms = 5000\nframe_ms = 2000\n{limits}"
        );
        fs::write(self.path("coload.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `coload` with this configuration, its log in a file.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coload"));
        command.arg("--config").arg(self.path("coload.toml")).arg("--lang").arg("en");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(self.path("log")).unwrap());
        command
    }

    pub fn start(&mut self) {
        let command = self.command();
        self.start_with(command);
    }

    pub fn start_with(&mut self, mut command: Command) {
        let mut child = command.spawn().unwrap();
        let socket = self.path("coload.sock");
        let up = until(|| UnixStream::connect(&socket).is_ok() || child.try_wait().unwrap().is_some());
        assert!(up && child.try_wait().unwrap().is_none(), "coload does not start: {}", self.log());
        self.child = Some(child);
    }

    /// Starts it where it must fail; what it says.
    pub fn fails(&self) -> String {
        self.fails_by(self.command())
    }

    /// The same of another program with the same configuration.
    pub fn fails_as(&self, program: &Path) -> String {
        let mut command = Command::new(program);
        command.args(["--lang", "en", "--config"]).arg(self.path("coload.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(self.path("log")).unwrap());
        self.fails_by(command)
    }

    fn fails_by(&self, mut command: Command) -> String {
        let mut child = command.spawn().unwrap();
        let ended = until(|| child.try_wait().unwrap().is_some());
        if !ended {
            child.kill().unwrap();
        }
        assert!(ended && !child.wait().unwrap().success(), "it serves: {}", self.log());
        self.log()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|c| c.try_wait().unwrap().is_none())
    }

    /// What the kernel says about the process.
    pub fn kernel(&self, file: &str) -> String {
        let pid = self.child.as_ref().unwrap().id();
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What the kernel says about each of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = format!("/proc/{}/task", self.child.as_ref().unwrap().id());
        let all = fs::read_dir(tasks).unwrap().flatten();
        all.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).collect()
    }

    /// SIGKILL, as a power cut does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, as a service manager does.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        assert!(until(|| child.try_wait().unwrap().is_some()), "it does not stop: {}", self.log());
        child.wait().unwrap()
    }

    /// SIGKILL, unless it has ended already.
    pub fn kill_if_running(&mut self) {
        let mut child = self.child.take().unwrap();
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// Starts it again and again until it serves.
    pub fn start_until_it_serves(&mut self) {
        let serves = until(|| {
            let mut child = self.command().spawn().unwrap();
            let up = until(|| self.log().contains("coload serves") || child.try_wait().unwrap().is_some());
            assert!(up, "it neither serves nor ends: {}", self.log());
            let serves = self.log().contains("coload serves");
            self.child = Some(child);
            serves || self.ended().code().is_none()
        });
        assert!(serves, "it does not serve: {}", self.log());
    }

    /// It ends by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        assert!(until(|| child.try_wait().unwrap().is_some()), "it does not end: {}", self.log());
        child.wait().unwrap()
    }

    pub fn admin(&self) -> Admin {
        Admin::open(&self.path("coload.sock"))
    }

    pub fn address(&self) -> String {
        self.admin().ask(&ServiceInfo {}).unwrap().listening.expect("the TLS port is open")
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> String {
        let mut address = String::new();
        let told = until(|| {
            let log = self.log();
            let line = log.lines().find_map(|l| l.split("metrics served address=").nth(1));
            address = line.unwrap_or_default().trim().to_owned();
            !address.is_empty()
        });
        assert!(told, "metrics are not served: {}", self.log());
        address
    }

    /// The text Prometheus would get.
    pub fn metrics(&self) -> String {
        self.get("/metrics")
    }

    /// The status line and the document of a page.
    pub fn http(&self, path: &str) -> (String, serde_json::Value) {
        let text = self.get(path);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().into(), serde_json::from_str(body).unwrap())
    }

    fn get(&self, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.metrics_address()).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// A signal, by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// A partition with both PINs.
    pub fn partition(&self, label: &str) -> PartitionId {
        let mut admin = self.admin();
        let create = PartitionCreate { label: label.into(), mode: PartitionMode::Strict, approved_only: None };
        let partition = admin.call(None, &create).unwrap().partition;
        admin.call(None, &TokenInitialize { partition, so_pin: SO_PIN.into(), label: label.into() }).unwrap();
        let session = Some(admin.call(None, &SessionOpen { partition }).unwrap().session);
        admin.call(session, &Login { role: Role::SecurityOfficer, pin: SO_PIN.into() }).unwrap();
        admin.call(session, &UserPinInitialize { pin: USER_PIN.into() }).unwrap();
        admin.call(session, &SessionClose {}).unwrap();
        partition
    }

    /// Enrols a client and writes its files to a folder.
    pub fn enrol(&self, partition: PartitionId, name: &str) -> Enrolled {
        self.enrol_from(partition, name, None)
    }

    /// The same, valid for one day from then on.
    pub fn enrol_from(&self, partition: PartitionId, name: &str, valid_from: Option<u64>) -> Enrolled {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "what the request says does not count");
        let request = params.serialize_request(&key).unwrap().der().to_vec();
        let asked = ClientEnrol { partition, name: name.into(), request, days: 1, valid_from };
        let reply = self.admin().ask(&asked).unwrap();
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
        write_pem(&folder.join("client.pem"), &reply.certificate);
        write_pem(&folder.join("ca.pem"), &reply.ca);
        Enrolled { folder, reply }
    }
}

fn write_pem(path: &Path, der: &[u8]) {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-inform", "DER", "-out"]).arg(path).stdin(Stdio::piped());
    let mut openssl = openssl.spawn().expect("openssl is installed");
    openssl.stdin.take().unwrap().write_all(der).unwrap();
    assert!(openssl.wait().unwrap().success(), "openssl cannot read the certificate");
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client's folder.
pub struct Enrolled {
    pub folder: PathBuf,
    pub reply: ClientEnrolReply,
}

impl Enrolled {
    /// A way to the appliance as the module goes.
    pub fn client(&self, address: &str) -> Client {
        let text = format!(
            "[[token]]\nbody = \"network\"\naddress = \"{address}\"\nserver_name = \"localhost\"\nca = \"ca.pem\"\n\
             certificate = \"client.pem\"\nkey = \"client.key\"\nconnections = 1\n"
        );
        let config = Config::parse(&self.folder.join("coloa.toml"), &text).unwrap();
        Client::open(&config.targets[0]).unwrap()
    }
}

/// A command over a client.
pub fn call<C: coloa_wire::Command>(
    client: &Client,
    session: Option<SessionId>,
    command: &C,
) -> Result<C::Reply, CallError> {
    client.call(session, None, command, &[]).map(|(reply, _)| reply)
}

/// A session of the user who is logged in.
pub fn user(client: &Client, partition: PartitionId) -> SessionId {
    let session = call(client, None, &SessionOpen { partition }).unwrap().session;
    call(client, Some(session), &Login { role: Role::User, pin: USER_PIN.into() }).unwrap();
    session
}

/// A P-256 key pair in the token; its private key.
pub fn key_pair(client: &Client, session: SessionId) -> Result<ObjectId, CallError> {
    let p256 = &[6u8, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..];
    let public = Template::default().with(A::EC_PARAMS, p256).with(A::TOKEN, true).with(A::VERIFY, true);
    let private = Template::default().with(A::TOKEN, true).with(A::SIGN, true);
    let mechanism = MechanismType::EC_KEY_PAIR_GEN.into();
    call(client, Some(session), &KeyPairGenerate { mechanism, public, private }).map(|pair| pair.private)
}

/// Signs a digest.
pub fn sign(client: &Client, session: SessionId, key: ObjectId) -> Result<(), CallError> {
    let sign = Sign { key, mechanism: MechanismType::ECDSA.into(), ticket: None };
    let (_, signature) = client.call(Some(session), None, &sign, &[7; 32])?;
    assert_eq!(signature.len(), 64);
    Ok(())
}

/// An administrator's connection.
pub struct Admin {
    stream: UnixStream,
    request: u32,
}

impl Admin {
    fn open(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut admin = Admin { stream, request: 0 };
        admin.stream.write_all(&hello()).unwrap();
        assert_eq!(read_frame(&mut admin.stream)[4], FrameKind::Hello as u8);
        admin
    }

    pub fn call<C: coloa_wire::Command>(
        &mut self,
        session: Option<SessionId>,
        command: &C,
    ) -> Result<C::Reply, ErrorCode> {
        self.send(C::CODE as u16, session, command)
    }

    /// With the reply's bulk.
    pub fn call_with_bulk<C: coloa_wire::Command>(&mut self, command: &C) -> Result<(C::Reply, Vec<u8>), ErrorCode> {
        self.exchange(C::CODE as u16, None, command)
    }

    pub fn ask<C: AdminCommand>(&mut self, command: &C) -> Result<C::Reply, ErrorCode> {
        self.send(C::CODE, None, command)
    }

    fn send<Q: Encode<()>, R>(&mut self, code: u16, session: Option<SessionId>, request: &Q) -> Result<R, ErrorCode>
    where
        R: for<'b> Decode<'b, ()>,
    {
        self.exchange(code, session, request).map(|(reply, _)| reply)
    }

    fn exchange<Q: Encode<()>, R>(
        &mut self,
        code: u16,
        session: Option<SessionId>,
        request: &Q,
    ) -> Result<(R, Vec<u8>), ErrorCode>
    where
        R: for<'b> Decode<'b, ()>,
    {
        let (mut head, mut frame) = (Vec::new(), Vec::new());
        coloa_wire::command::encode_head(request, &mut head);
        self.request += 1;
        let call = Frame::status(FrameKind::Call, code, self.request);
        Frame { head: &head, session, ..call }.encode(&mut frame);
        self.stream.write_all(&frame).unwrap();
        let reply = read_frame(&mut self.stream);
        let reply = Frame::parse(&reply).unwrap();
        match ErrorCode::from_number(reply.code) {
            Some(error) => Err(error),
            None => Ok((decode_head(reply.head)?, reply.bulk.to_vec())),
        }
    }
}

/// A greeting, as a whole frame.
pub fn hello() -> Vec<u8> {
    let hello = ClientHello { protocol: PROTOCOL, features: 0, max_frame: 1 << 20, software: "test".into() };
    let (mut head, mut frame) = (Vec::new(), Vec::new());
    encode_head(&hello, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) }.encode(&mut frame);
    frame
}

/// One whole frame.
pub fn read_frame(stream: &mut impl Read) -> Vec<u8> {
    let mut frame = vec![0; LENGTH_FIELD];
    stream.read_exact(&mut frame).unwrap();
    let length = frame_length(&frame, MAX_FRAME_HOST).unwrap().unwrap();
    frame.resize(length, 0);
    stream.read_exact(&mut frame[LENGTH_FIELD..]).unwrap();
    frame
}

/// Waits until it holds; `false` when that takes too long.
pub fn until(mut holds: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
