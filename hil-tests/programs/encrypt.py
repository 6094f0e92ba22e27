"""encrypt.py seal|open MODULE TOKEN PIN IN OUT [LABEL]: AES-256-GCM under a key that never leaves its token.

seal makes the key LABEL (`file-key`) if there is none, shows that its value cannot be read, and lets the engine make the IV.
OUT of seal is IV and ciphertext; open turns it back.
"""
import sys

from pkcs11 import (CKA_CLASS, CKA_DECRYPT, CKA_ENCRYPT, CKA_EXTRACTABLE, CKA_LABEL, CKA_PRIVATE, CKA_SENSITIVE, CKA_TOKEN,
                    CKA_VALUE, CKA_VALUE_LEN, CKO_SECRET_KEY, VOID, Failed, Module)

IV = 12
NEW = {CKA_TOKEN: True, CKA_PRIVATE: True, CKA_SENSITIVE: True, CKA_EXTRACTABLE: False, CKA_ENCRYPT: True,
       CKA_DECRYPT: True, CKA_VALUE_LEN: 32}


def main(verb, path, token, pin, source, target, label="file-key"):
    module = Module(path)
    module.call("Initialize", VOID())
    session = module.session(token)
    module.login(session, pin)
    wanted = {CKA_CLASS: CKO_SECRET_KEY, CKA_LABEL: label.encode()}
    found = module.find(session, wanted)
    key = found[0] if found else module.generate_key(session, wanted | NEW)
    try:
        return f"the key's value was read: {len(module.read(session, key, CKA_VALUE))} bytes"
    except Failed as refused:
        print(f"reading the key: {refused}")
    data = open(source, "rb").read()
    if verb == "seal":
        sealed, iv = module.gcm(session, "Encrypt", key, bytes(IV), data)
        if iv == bytes(IV):
            return "the engine made no IV"
        result = iv + sealed
    else:
        result, _ = module.gcm(session, "Decrypt", key, data[:IV], data[IV:])
    open(target, "wb").write(result)
    module.call("Finalize", VOID())
    return 0


sys.exit(main(*sys.argv[1:]))
