//! p11bench: operations per second and latency of any PKCS#11 module, through the C API, one line per run.

#![deny(unsafe_code)]

mod histogram;
#[allow(unsafe_code)]
mod module;
mod operation;
mod overlap;
mod population;
mod worker;

use clap::Parser;
use histogram::Histogram;
use module::{Module, Res};
use operation::{FIRST_SESSION, OPERATIONS, Plan, prepare};
use population::Population;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use worker::Work;

/// Operations per second and latency of any PKCS#11 module.
///
/// The last result of each run is verified through the module. On a shared machine start it in a
/// scheduling group of its own, compare modules in turn, and quote ratios.
///
/// Example:
///   p11bench --module /usr/lib/softhsm/libsofthsm2.so --token bench --pin 123456 --threads 1,8
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Args {
    /// The module's shared library
    #[arg(long, value_name = "SO")]
    module: String,
    /// The token's label
    #[arg(long, value_name = "LABEL", default_value = "bench")]
    token: String,
    /// The user's PIN
    #[arg(long, default_value = "123456")]
    pin: String,
    /// Operations, comma-separated; `all` for every one
    #[arg(long, value_name = "OP,OP", default_value = "ecdsa-p256-sign", value_delimiter = ',')]
    op: Vec<String>,
    /// Thread counts, comma-separated
    #[arg(long, value_name = "N,N", default_value = "1", value_delimiter = ',')]
    threads: Vec<usize>,
    /// Seconds a run
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Objects for find-10k
    #[arg(long, default_value_t = 10_000)]
    objects: usize,
    /// Stop creating them after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1e9)]
    populate_budget: f64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn main() -> std::process::ExitCode {
    match bench(&Args::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("p11bench: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn bench(a: &Args) -> Res<()> {
    let m = Module::load(&a.module)?;
    let began = Instant::now();
    m.initialize()?;
    let slot = m.slot_by_label(&a.token)?;
    let before = began.elapsed();
    let s = m.open(slot)?;
    let since = began.elapsed();
    let opened = [since - before, since].map(|time| time.as_secs_f64() * 1e3);
    m.login(s, &a.pin)?;
    let many = Population { objects: a.objects, budget: a.populate_budget };
    let all: Vec<String> = OPERATIONS.iter().map(|s| s.to_string()).collect();
    let mut failed = None;
    for op in if a.op == ["all"] { &all } else { &a.op } {
        if op == FIRST_SESSION {
            report_first_session(a, opened);
            continue;
        }
        match prepare(&m, slot, s, op, many) {
            Err(e) => println!("{op:<24} unsupported: {e}"),
            Ok(plan) => {
                for threads in &a.threads {
                    if let Err(e) = run(&m, a, &plan, *threads) {
                        failed = Some(format!("{op} t={threads}: {e}"));
                    }
                }
            }
        }
    }
    m.finalize()?;
    failed.map_or(Ok(()), Err)
}

/// The first `C_OpenSession` of a process, and all from `C_Initialize` to its end.
fn report_first_session(a: &Args, [opened, started]: [f64; 2]) {
    if a.json {
        let module = &a.module;
        println!(
            "{{\"module\":\"{module}\",\"op\":\"{FIRST_SESSION}\",\"ms\":{opened:.3},\"started_ms\":{started:.2}}}"
        );
    } else {
        println!("{FIRST_SESSION:<24} {opened:>12.3} ms, {started:.1} ms from C_Initialize");
    }
}

/// One line: an operation on so many threads.
fn run(m: &Module, a: &Args, plan: &Plan, threads: usize) -> Res<()> {
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let warm = Duration::from_secs_f64((a.seconds * 0.1).min(0.3));
    std::thread::scope(|scope| {
        let start = |id| {
            scope.spawn({
                let (stop, ready) = (&stop, &ready);
                move || work(worker::start(m, plan, id), warm, ready, stop)
            })
        };
        let workers: Vec<_> = (0..threads).map(start).collect();
        ready.wait();
        let (since, cpu) = (Instant::now(), cpu_seconds());
        std::thread::sleep(Duration::from_secs_f64(a.seconds));
        stop.store(true, Ordering::Relaxed);
        let (seconds, cpu) = (since.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let mut all = Histogram::new();
        for w in workers {
            all.merge(&w.join().map_err(|_| "a worker panicked")??);
        }
        report(a, &plan.name, threads, (seconds, cpu), &all);
        Ok(())
    })
}

/// One thread: warm up, wait for the others, then count until told to stop. It waits even when it cannot work.
fn work(worker: Res<Box<dyn Work + '_>>, warm: Duration, ready: &Barrier, stop: &AtomicBool) -> Res<Histogram> {
    let since = Instant::now();
    let warmed = worker.and_then(|mut w| {
        while since.elapsed() < warm {
            w.step()?;
        }
        Ok(w)
    });
    ready.wait();
    let (mut w, mut h) = (warmed?, Histogram::new());
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        w.step()?;
        let now = Instant::now();
        h.record((now - last).as_nanos() as u64);
        last = now;
    }
    w.check()?;
    Ok(h)
}

/// CPU time of this process so far: tells a module's cost apart from a busy machine.
fn cpu_seconds() -> f64 {
    module::cpu_time().as_secs_f64()
}

fn report(a: &Args, op: &str, threads: usize, (seconds, cpu): (f64, f64), h: &Histogram) {
    let rate = h.total as f64 / seconds;
    let cpu = cpu * 1e6 / h.total.max(1) as f64;
    let us = |q| h.quantile(q) as f64 / 1e3;
    let (p50, p99) = (us(0.50), us(0.99));
    if a.json {
        println!(
            "{{\"module\":\"{}\",\"op\":\"{op}\",\"threads\":{threads},\"ops_per_s\":{rate:.1},\"p50_us\":{p50:.2},\
             \"p99_us\":{p99:.2},\"cpu_us\":{cpu:.2}}}",
            a.module
        );
    } else {
        println!("{op:<24} t={threads:<3} {rate:>12.1} ops/s  p50 {p50:>9.1} us  p99 {p99:>9.1} us  cpu {cpu:>8.1} us");
    }
}
