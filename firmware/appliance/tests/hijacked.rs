//! What somebody can do who runs code in a thread of the appliance (B1, R16): this program plays that thread. It closes the
//! very sandbox around itself that `coload` closes, starts a thread, and tries.
#![forbid(unsafe_code)]

use coloa_appliance::sandbox::{self, Demand, Places, Wall, Walls};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::ptrace;
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};

/// In the environment of the process that plays it: its folder, and the address of a listening socket outside.
const FOLDER: &str = "HIJACKED_FOLDER";
const OUTSIDE: &str = "HIJACKED_OUTSIDE";

/// What must not work, and does without the sandbox.
const FORBIDDEN: [&str; 12] = [
    "read /etc/passwd",
    "read the configuration's neighbour's folder",
    "write beside the store",
    "make a socket",
    "connect to a TCP address",
    "bind a TCP port",
    "run a program",
    "start a process",
    "trace its parent",
    "mount",
    "signal its parent",
    "list the root folder",
];
/// What the service does all the time.
const NEEDED: [&str; 6] = [
    "write in the store",
    "read in the store",
    "remove in the store",
    "start a thread",
    "read the configuration",
    "stat",
];

fn main() -> ExitCode {
    if let (Some(folder), Ok(outside)) = (std::env::var_os(FOLDER), std::env::var(OUTSIDE)) {
        return play(Path::new(&folder), &outside);
    }
    let trials = vec![
        Trial::test("outside_the_sandbox_all_of_it_works", || judge(&tried(false)?, |_| true)),
        Trial::test("inside_nothing_works_but_the_service", || judge(&tried(true)?, |act| NEEDED.contains(&act))),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What a child says it could do: lines of `act: ok` or `act: why not`.
fn tried(sandboxed: bool) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    for part in ["store", "configuration", "elsewhere"] {
        fs::create_dir(folder.path().join(part))?;
    }
    fs::write(folder.path().join("configuration/coload.toml"), "")?;
    fs::write(folder.path().join("elsewhere/secret"), "")?;
    let outside = TcpListener::bind("127.0.0.1:0")?;
    let mut child = Command::new(std::env::current_exe()?);
    child.env(FOLDER, folder.path()).env(OUTSIDE, outside.local_addr()?.to_string());
    child.env("HIJACKED_INSIDE", if sandboxed { "yes" } else { "no" });
    let out = child.output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        return Err(format!("{}\n{said}{}", out.status, String::from_utf8_lossy(&out.stderr)).into());
    }
    Ok(said)
}

fn judge(said: &str, may: impl Fn(&str) -> bool) -> Result<(), Failed> {
    for act in FORBIDDEN.iter().chain(&NEEDED) {
        let outcome = said.lines().find_map(|l| l.strip_prefix(act)?.strip_prefix(": "));
        let outcome = outcome.ok_or_else(|| format!("nothing is said of “{act}”:\n{said}"))?;
        if (outcome == "ok") != may(act) {
            return Err(format!("{act}: {outcome}\n{said}").into());
        }
    }
    Ok(())
}

/// The hijacked process.
fn play(folder: &Path, outside: &str) -> ExitCode {
    let (store, configuration) = (folder.join("store"), folder.join("configuration"));
    let places = Places { store, configuration, socket: folder.join("configuration") };
    // Outside there is no wall to look behind; inside, both must stand.
    if std::env::var("HIJACKED_INSIDE").as_deref() == Ok("yes") {
        match sandbox::enter(&places, Demand::Required) {
            Ok(Walls { files: Wall::Whole | Wall::Partial, calls: Wall::Whole }) => {}
            other => {
                println!("{other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    let (folder, outside) = (folder.to_owned(), outside.to_owned());
    match std::thread::spawn(move || try_all(&folder, &outside)).join() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn say(act: &str, outcome: Result<(), String>) {
    println!("{act}: {}", outcome.err().unwrap_or_else(|| "ok".into()));
}

fn try_all(folder: &Path, outside: &str) {
    let io = |outcome: io::Result<()>| outcome.map_err(|e| e.to_string());
    let system = |outcome: nix::Result<()>| outcome.map_err(|e| e.to_string());
    say("start a thread", std::thread::spawn(|| ()).join().map_err(|_| "it panicked".into()));
    say("write in the store", io(File::create(folder.join("store/a")).and_then(|mut f| f.write_all(b"a"))));
    say("read in the store", io(fs::read(folder.join("store/a")).map(drop)));
    say("remove in the store", io(fs::remove_file(folder.join("store/a"))));
    say("read the configuration", io(fs::read(folder.join("configuration/coload.toml")).map(drop)));
    say("stat", io(fs::metadata(folder.join("store")).map(drop)));
    say("read /etc/passwd", io(fs::read("/etc/passwd").map(drop)));
    say("read the configuration's neighbour's folder", io(fs::read(folder.join("elsewhere/secret")).map(drop)));
    let beside = OpenOptions::new().create(true).append(true).open(folder.join("elsewhere/new"));
    say("write beside the store", io(beside.map(drop)));
    say("make a socket", io(std::os::unix::net::UnixDatagram::unbound().map(drop)));
    say("connect to a TCP address", io(TcpStream::connect(outside).map(drop)));
    say("bind a TCP port", io(TcpListener::bind("127.0.0.1:0").map(drop)));
    say("run a program", io(run_in_place()));
    say("start a process", io(Command::new("/bin/true").status().map(drop)));
    let parent = Pid::parent();
    say("trace its parent", system(ptrace::seize(parent, ptrace::Options::empty())));
    let _ = ptrace::detach(parent, None);
    say("mount", system(mount_and_leave(folder)));
    say("signal its parent", system(nix::sys::signal::kill(parent, None)));
    say("list the root folder", io(fs::read_dir("/").map(drop)));
}

/// `execve` without a process of its own: it only returns where it fails, so it is asked for a file that is no program.
/// The kernel says so (`ENOEXEC`) after it has looked, and the sandbox before.
fn run_in_place() -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let why = Command::new("/proc/self/status").exec();
    match why.kind() {
        io::ErrorKind::Unsupported => Err(why),
        _ => Ok(()),
    }
}

fn mount_and_leave(folder: &Path) -> nix::Result<()> {
    let place = folder.join("store");
    nix::mount::mount(Some("tmpfs"), &place, Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>)?;
    nix::mount::umount(&place)
}
