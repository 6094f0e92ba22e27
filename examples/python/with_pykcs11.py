#!/usr/bin/env python3
"""Signs and encrypts a document with keys in a token, through PyKCS11.

    with_pykcs11.py TOKEN PIN-FILE DOCUMENT

PKCS11_MODULE names the module, TOKEN is the token's label. DOCUMENT.sig gets the signature by the key `example` (ECDSA
with SHA-256, DER as OpenSSL reads it), DOCUMENT.gcm what `example-aes` encrypts: IV of 12 bytes, ciphertext, tag of 16.
"""

import os
import sys
from pathlib import Path

import PyKCS11
from asn1crypto.algos import DSASignature

HINTS = {
    PyKCS11.CKR_PIN_INCORRECT: "the PIN is wrong; several wrong ones lock it",
    PyKCS11.CKR_PIN_LOCKED: "too many wrong PINs; the security officer sets a new one",
    PyKCS11.CKR_DEVICE_ERROR: "the token does not answer; `coloa doctor` says why",
}


def main(label, pin_file, document):
    module = PyKCS11.PyKCS11Lib().load(os.environ["PKCS11_MODULE"])
    pin = Path(pin_file).read_text().rstrip("\n")
    data = Path(document).read_bytes()
    slot = find_slot(module, label)
    session = module.openSession(slot)
    session.login(pin)
    signer = find(session, PyKCS11.CKO_PRIVATE_KEY, "example")
    signature = session.sign(signer, data, PyKCS11.Mechanism(PyKCS11.CKM_ECDSA_SHA256))
    Path(document + ".sig").write_bytes(DSASignature.from_p1363(bytes(signature)).dump())

    # A strict partition takes no IV from its callers: it makes one and writes it over twelve zeros.
    strict = module.getTokenInfo(slot).model.strip().endswith("strict")
    gcm = PyKCS11.AES_GCM_Mechanism(bytes(12) if strict else session.generateRandom(12), b"", 128)
    cipher = find(session, PyKCS11.CKO_SECRET_KEY, "example-aes")
    sealed = bytes(session.encrypt(cipher, data, gcm))
    iv = bytes(gcm._source_iv)
    Path(document + ".gcm").write_bytes(iv + sealed)

    opened = session.decrypt(cipher, sealed, PyKCS11.AES_GCM_Mechanism(iv, b"", 128))
    assert bytes(opened) == data
    print(f"{document}: signed and encrypted")


def find_slot(module, label):
    for slot in module.getSlotList(tokenPresent=True):
        if module.getTokenInfo(slot).label.strip() == label:
            return slot
    sys.exit(f"no token is labelled {label}; `coloa doctor` says which tokens the module reaches")


def find(session, kind, label):
    found = session.findObjects([(PyKCS11.CKA_CLASS, kind), (PyKCS11.CKA_LABEL, label)])
    if len(found) != 1:
        sys.exit(f"{len(found)} keys are labelled {label}, one is wanted; examples/README.md says how to make it")
    return found[0]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except PyKCS11.PyKCS11Error as error:
        sys.exit(f"{error}: {HINTS.get(error.value, 'set COLOA_LOG=warn to see why')}")
