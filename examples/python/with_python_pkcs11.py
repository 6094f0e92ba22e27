#!/usr/bin/env python3
"""Signs and encrypts a document with keys in a token, through python-pkcs11.

    with_python_pkcs11.py TOKEN PIN-FILE DOCUMENT

PKCS11_MODULE names the module, TOKEN is the token's label. DOCUMENT.sig gets the signature by the key `example` (ECDSA
with SHA-256, DER as OpenSSL reads it), DOCUMENT.gcm what `example-aes` encrypts: IV of 12 bytes, ciphertext, tag of 16.
"""

import ctypes
import os
import sys
from pathlib import Path

import pkcs11
from pkcs11 import Mechanism, ObjectClass
from pkcs11.util.ec import encode_ecdsa_signature

HINTS = {
    pkcs11.NoSuchToken: "no token has this label; `coloa doctor` says which tokens the module reaches",
    pkcs11.NoSuchKey: "the token has no such key; examples/README.md says how to make both",
    pkcs11.PinIncorrect: "the PIN is wrong; several wrong ones lock it",
    pkcs11.PinLocked: "too many wrong PINs; the security officer sets a new one",
    pkcs11.DeviceError: "the token does not answer; `coloa doctor` says why",
}


def main(label, pin_file, document):
    token = pkcs11.lib(os.environ["PKCS11_MODULE"]).get_token(token_label=label)
    pin = Path(pin_file).read_text().rstrip("\n")
    data = Path(document).read_bytes()
    with token.open(user_pin=pin) as session:
        signer = session.get_key(ObjectClass.PRIVATE_KEY, label="example")
        signature = signer.sign(data, mechanism=Mechanism.ECDSA_SHA256)
        Path(document + ".sig").write_bytes(encode_ecdsa_signature(signature))

        # A strict partition takes no IV from its callers: it makes one and writes it over twelve zeros.
        gcm = Gcm(bytes(12) if token.model.endswith("strict") else session.generate_random(96))
        cipher = session.get_key(ObjectClass.SECRET_KEY, label="example-aes")
        sealed = cipher.encrypt(data, mechanism=Mechanism.AES_GCM, mechanism_param=gcm.parameter)
        Path(document + ".gcm").write_bytes(gcm.iv.raw + sealed)

        gcm = Gcm(gcm.iv.raw)
        opened = cipher.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=gcm.parameter)
        assert opened == data
    print(f"{document}: signed and encrypted")


class Gcm:
    """CK_GCM_PARAMS with an IV that the module may write. pkcs11.GCMParams points it into `bytes`, which must not change."""

    class Parameter(ctypes.Structure):
        _fields_ = [
            ("pIv", ctypes.c_void_p),
            ("ulIvLen", ctypes.c_ulong),
            ("ulIvBits", ctypes.c_ulong),
            ("pAAD", ctypes.c_void_p),
            ("ulAADLen", ctypes.c_ulong),
            ("ulTagBits", ctypes.c_ulong),
        ]

    def __init__(self, iv):
        self.iv = ctypes.create_string_buffer(iv, len(iv))
        self.parameter = bytes(self.Parameter(ctypes.addressof(self.iv), len(iv), 8 * len(iv), None, 0, 128))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except pkcs11.PKCS11Error as error:
        hint = HINTS.get(type(error)) or str(error) or "set COLOA_LOG=warn to see why"
        sys.exit(f"{type(error).__name__}: {hint}")
