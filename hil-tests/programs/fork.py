"""fork.py MODULE: an application that forks while it uses a token (PKCS#11 v2.40 §6.6.2).

The parent logs in and forks. The child has no session and no login: it initialises the module, logs in and signs. The
parent's session goes on, before and after.
"""
import os
import sys

from pkcs11 import (CKA_CLASS, CKA_EC_PARAMS, CKA_LABEL, CKA_PRIVATE, CKA_SIGN, CKA_TOKEN, CKA_VERIFY, CKO_PRIVATE_KEY,
                    P256, VOID, Failed, Module)

LABEL, PIN = "bench", "123456"
KEY = {CKA_CLASS: CKO_PRIVATE_KEY, CKA_LABEL: b"fork"}


def child(module):
    try:
        module.session(LABEL)
        print("the child inherited an initialised module")
        return 1
    except Failed:
        pass
    module.call("Initialize", VOID())
    session = module.session(LABEL)
    if module.find(session, KEY):
        print("the child inherited the login")
        return 1
    module.login(session, PIN)
    signature = module.sign(session, module.find(session, KEY)[0], bytes(32))
    module.call("Finalize", VOID())
    return 0 if len(signature) == 64 else 1


def main(path):
    module = Module(path)
    module.call("Initialize", VOID())
    session = module.session(LABEL)
    module.login(session, PIN)
    public = {CKA_TOKEN: True, CKA_LABEL: b"fork", CKA_EC_PARAMS: P256, CKA_VERIFY: True}
    private = {CKA_TOKEN: True, CKA_PRIVATE: True, CKA_LABEL: b"fork", CKA_SIGN: True}
    _, key = module.generate_pair(session, public, private)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = child(module)
        except Exception as error:  # the child must not run the parent's code
            print("child:", error)
        sys.stdout.flush()
        os._exit(code)
    during = module.sign(session, key, bytes(32))
    _, status = os.waitpid(pid, 0)
    after = module.sign(session, key, bytes([1]) * 32)
    if len(during) != 64 or len(after) != 64:
        return "the parent's session broke"
    return f"the child failed: {status}" if status else 0


sys.exit(main(sys.argv[1]))
