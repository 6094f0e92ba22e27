# Peer script for linkbench: two coloa-linkd, keys in SoftHSM2, one namespace a side as the bench has it.
# Sourced by bench.sh, which sets NSA NSB UA UB IA IB MTU W and the helpers na nb bg_a bg_b.
# Needs softhsm2 and openssl from Debian, and `cargo build --release -p coloa-linkd` (or COLOA_LINKD=path).
COLOA_ROOT=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
COLOA_LINKD=${COLOA_LINKD:-$COLOA_ROOT/target/release/coloa-linkd}
COLOA_MODULE=${COLOA_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
[ -x "$COLOA_LINKD" ] || { echo "coloa.sh: $COLOA_LINKD is missing: cargo build --release -p coloa-linkd" >&2; exit 1; }

# What a certificate is for: the policy authority's has a purpose of its own.
coloa_purpose() { [ "$1" = authority ] && echo 2.25.152171363938579942698067219498457522657 || echo serverAuth,clientAuth; }
coloa_prepare() (
  set -e; cd "$W"; mkdir -p tokens
  printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$W" >softhsm2.conf
  export SOFTHSM2_CONF=$W/softhsm2.conf
  printf 1234 >pin
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=bench-ca 2>/dev/null
  for x in a b authority; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout $x.key -out $x.csr -subj /CN=$x 2>/dev/null
    openssl x509 -req -in $x.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out $x.pem -extfile <(printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$(coloa_purpose $x)") 2>/dev/null
    openssl pkcs8 -topk8 -nocrypt -in $x.key -out $x.p8
    softhsm2-util --init-token --free --label $x --pin 1234 --so-pin 12345678 >/dev/null
    softhsm2-util --import $x.p8 --token $x --label link --id 01 --pin 1234 >/dev/null
  done
  { echo 'serial = 1'
    printf '[[site]]\nname = "a"\nidentity = "%s"\nred = ["%s/32"]\n' "$("$COLOA_LINKD" identity a.pem)" "$IA"
    printf '[[site]]\nname = "b"\nidentity = "%s"\nred = ["%s/32"]\n' "$("$COLOA_LINKD" identity b.pem)" "$IB"
    printf '[[link]]\nbetween = ["a", "b"]\n'; } >policy.toml
  "$COLOA_LINKD" policy sign --module "$COLOA_MODULE" --token authority --key link --pin-file pin \
    --certificate authority.pem --input policy.toml --output policy.bundle
  coloa_config a b "$IA" "$UA" "$UB"; coloa_config b a "$IB" "$UB" "$UA"
)
coloa_config() { # own, peer, inner address, underlay address, peer's underlay address
  cat >"$W/$1.toml" <<X
state_dir = "state-$1"
allow_shared_namespace = true # the bench gives each side one namespace
[red]
name = "coloa$1"
addresses = ["$3/32"]
mtu = $MTU
[black]
listen = "$4:4500"
path_mtu = ${UMTU:-1500}
[token]
module = "$COLOA_MODULE"
label = "$1"
key = "link"
pin_file = "pin"
[identity]
certificate = "$1.pem"
trust_anchors = "ca.pem"
[policy]
bundle = "policy.bundle"
authority = "authority.pem"
[[peer]]
site = "$2"
endpoint = "$5:4500"
[metrics]
listen = "$W/$1.sock"
X
}
coloa_prepare || { echo "coloa.sh: preparation failed" >&2; exit 1; }
bg_b env SOFTHSM2_CONF=$W/softhsm2.conf "$COLOA_LINKD" run --config "$W/b.toml"
bg_a env SOFTHSM2_CONF=$W/softhsm2.conf "$COLOA_LINKD" run --config "$W/a.toml"
for coloa_try in $(seq 1 60); do
  "$COLOA_LINKD" status --config "$W/a.toml" >"$W/status.log" 2>&1 && "$COLOA_LINKD" status --config "$W/b.toml" >>"$W/status.log" 2>&1 && break
  sleep 0.25
done
