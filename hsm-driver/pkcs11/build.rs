//! Keeps the library mapped after dlclose: AWS-LC and Rust register thread-exit destructors, which would otherwise run in
//! memory that is gone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
