#!/usr/bin/env bash
# Gives this machine a rustup toolchain called "thumb" that builds no_std firmware:
#
#   cargo +thumb build --target thumbv7em-none-eabihf ...
#
#   1. rustup's own prebuilt target, where rustup can fetch it;
#   2. else Debian's rustc-web and rust-web-src (the same version as each other): core, alloc and compiler_builtins are built
#      from source once and installed in that compiler's sysroot, so that later builds are plain stable builds.
#
# Idempotent. Step 2 needs root. THUMB_FORCE_FALLBACK=1 skips step 1, to test step 2.
set -euo pipefail
TARGET=thumbv7em-none-eabihf
NAME=thumb
export RUSTUP_AUTO_INSTALL=0 DEBIAN_FRONTEND=noninteractive

# Never "rustc -o /dev/null": as root, rustc replaces the device by a file.
probe=$(mktemp -d)
work=
trap 'rm -rf "$probe" ${work:+"$work"}' EXIT

builds() { # has the compiler $1 a usable core for the target?
    echo '#![no_std] extern crate alloc; pub fn f() -> alloc::string::String { alloc::string::String::new() }' |
        "$1" - --crate-type=lib --crate-name=probe --target "$TARGET" --emit=metadata --out-dir "$probe" 2>"$probe/err"
}
link() { rustup toolchain link "$NAME" "$1"; }

host=$(rustc --print sysroot)
if [ -z "${THUMB_FORCE_FALLBACK:-}" ]; then
    if builds "$host/bin/rustc" || {
        timeout "${RUSTUP_TRY_S:-60}" rustup target add "$TARGET" && builds "$host/bin/rustc"
    }; then
        link "$host"
        echo "$NAME: rustup's $("$host/bin/rustc" --version)"
        exit 0
    fi
    echo "$NAME: rustup cannot fetch $TARGET here; falling back to Debian's compiler" >&2
fi

apt="apt-get -q -o DPkg::Lock::Timeout=600"
source=/usr/lib/rustlib/src/rust # a link to /usr/src/rustc-<version>
matched() {
    version=$(/usr/bin/rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -e $source/library/core/Cargo.toml ] && [ "$(basename "$(readlink -f $source)")" = "rustc-$version" ]
}
if ! matched; then
    $apt update
    $apt install -y --no-install-recommends rustc-web cargo-web rust-web-src
    matched || { echo "rustc-web and rust-web-src differ in version: update both, then run this again" >&2; exit 1; }
fi

if ! builds /usr/bin/rustc; then
    work=$(mktemp -d)
    mkdir "$work/src"
    echo '#![no_std]' >"$work/src/lib.rs"
    cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "seed"
version = "0.0.0"
edition = "2021"
[profile.release]
panic = "abort"
opt-level = 3
codegen-units = 1
TOML
    # embed-bitcode: else lto="fat" in a firmware crate fails to link against these.
    (cd "$work" && env -u RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_INCREMENTAL=0 \
        RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=/usr/lib/rustlib/src/rust=/rustc/$version" \
        nice /usr/bin/cargo build --release -Zbuild-std=core,alloc --target "$TARGET")
    libs=/usr/lib/rustlib/$TARGET/lib
    rm -rf "$libs"
    mkdir -p "$libs"
    cp "$work/target/$TARGET/release/deps"/lib{core,alloc,compiler_builtins}-*.rlib "$libs/"
fi
# Firmware is linked by rust-lld; Debian's compiler ships none, rustup's does.
tools=/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin
mkdir -p "$tools"
ln -sfn "$host/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld" "$tools/rust-lld"
builds /usr/bin/rustc
link /usr
echo "$NAME: Debian's $(/usr/bin/rustc --version), core and alloc built from source"
