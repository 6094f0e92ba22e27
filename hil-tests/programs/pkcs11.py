"""A small PKCS#11 client for Python: the C API through ctypes, enough to fork and to encrypt a file.

It is an application that is not ours in any other respect: it knows the standard and the module's path.
"""
import ctypes as c

ULONG, VOID = c.c_ulong, c.c_void_p
CKU_USER = 1
CKF_SESSION = 2 | 4  # CKF_RW_SESSION | CKF_SERIAL_SESSION
CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKK_AES = 3, 4, 0x1F
CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_KEY_TYPE = 0, 1, 2, 3, 0x100
CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY = 0x103, 0x104, 0x105, 0x108, 0x10A
CKA_VALUE, CKA_VALUE_LEN, CKA_EXTRACTABLE, CKA_EC_PARAMS = 0x11, 0x161, 0x162, 0x180
CKM_AES_KEY_GEN, CKM_AES_GCM, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA = 0x1080, 0x1087, 0x1040, 0x1041
CKR_CRYPTOKI_NOT_INITIALIZED, CKR_ATTRIBUTE_SENSITIVE = 0x190, 0x11
P256 = bytes.fromhex("06082a8648ce3d030107")

# C_* in the order of CK_FUNCTION_LIST (PKCS#11 v2.40, pkcs11f.h)
NAMES = """Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList
GetMechanismInfo InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState
SetOperationState Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue
FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal DecryptInit Decrypt
DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign SignUpdate SignFinal
SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover
DigestEncryptUpdate DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey
UnwrapKey DeriveKey SeedRandom GenerateRandom""".split()


class Attribute(c.Structure):
    _fields_ = [("type", ULONG), ("value", VOID), ("length", ULONG)]


class Mechanism(c.Structure):
    _fields_ = [("mechanism", ULONG), ("parameter", VOID), ("length", ULONG)]


class GcmParams(c.Structure):
    _fields_ = [("iv", VOID), ("iv_len", ULONG), ("iv_bits", ULONG), ("aad", VOID), ("aad_len", ULONG), ("tag_bits", ULONG)]


class TokenInfo(c.Structure):
    _fields_ = [("label", c.c_char * 32), ("rest", c.c_char * 1024)]


class Failed(Exception):
    def __init__(self, name, rv):
        super().__init__(f"C_{name}: 0x{rv:x}")
        self.rv = rv


class Module:
    def __init__(self, path):
        listed = VOID()
        self.library = c.CDLL(path)
        if self.library.C_GetFunctionList(c.pointer(listed)):
            raise SystemExit(f"{path}: C_GetFunctionList failed")
        # CK_VERSION is two bytes, then padding up to the first pointer
        pointers = (VOID * len(NAMES)).from_address(listed.value + c.sizeof(VOID))
        self.functions = dict(zip(NAMES, pointers))

    def call(self, name, *arguments):
        """An argument is a ULONG by value, a VOID, a pointer or an array."""
        by_value = [a if isinstance(a, (ULONG, VOID)) else c.cast(a, VOID) for a in arguments]
        rv = c.CFUNCTYPE(ULONG, *map(type, by_value))(self.functions[name])(*by_value)
        if rv:
            raise Failed(name, rv)

    def slot(self, label):
        slots, count = (ULONG * 64)(), ULONG(64)
        self.call("GetSlotList", ULONG(1), slots, c.pointer(count))
        for slot in slots[: count.value]:
            info = TokenInfo()
            self.call("GetTokenInfo", ULONG(slot), c.pointer(info))
            if info.label.decode().rstrip() == label:
                return slot
        raise SystemExit(f"no token is labelled {label}")

    def session(self, label):
        handle = ULONG()
        self.call("OpenSession", ULONG(self.slot(label)), ULONG(CKF_SESSION), VOID(), VOID(), c.pointer(handle))
        return handle

    def login(self, session, pin):
        self.call("Login", session, ULONG(CKU_USER), c.create_string_buffer(pin.encode(), len(pin)), ULONG(len(pin)))

    def generate_key(self, session, template):
        key, mechanism = ULONG(), Mechanism(CKM_AES_KEY_GEN, None, 0)
        self.call("GenerateKey", session, c.pointer(mechanism), attributes(template), ULONG(len(template)), c.pointer(key))
        return key

    def generate_pair(self, session, public, private):
        a, b, mechanism = ULONG(), ULONG(), Mechanism(CKM_EC_KEY_PAIR_GEN, None, 0)
        self.call("GenerateKeyPair", session, c.pointer(mechanism), attributes(public), ULONG(len(public)),
                  attributes(private), ULONG(len(private)), c.pointer(a), c.pointer(b))
        return a, b

    def find(self, session, template):
        found, count = (ULONG * 16)(), ULONG()
        self.call("FindObjectsInit", session, attributes(template), ULONG(len(template)))
        self.call("FindObjects", session, found, ULONG(16), c.pointer(count))
        self.call("FindObjectsFinal", session)
        return [ULONG(h) for h in found[: count.value]]

    def sign(self, session, key, digest):
        out, length = c.create_string_buffer(256), ULONG(256)
        mechanism = Mechanism(CKM_ECDSA, None, 0)
        self.call("SignInit", session, c.pointer(mechanism), key)
        self.call("Sign", session, c.create_string_buffer(digest, len(digest)), ULONG(len(digest)), out, c.pointer(length))
        return out.raw[: length.value]

    def gcm(self, session, verb, key, iv, data):
        """verb is Encrypt or Decrypt. Returns the output and the IV: a strict partition's engine makes it in a zeroed buffer."""
        place = c.create_string_buffer(iv, len(iv))
        params = GcmParams(c.cast(place, VOID), len(iv), 8 * len(iv), None, 0, 128)
        mechanism = Mechanism(CKM_AES_GCM, c.cast(c.pointer(params), VOID), c.sizeof(params))
        out, length = c.create_string_buffer(len(data) + 64), ULONG(len(data) + 64)
        self.call(verb + "Init", session, c.pointer(mechanism), key)
        self.call(verb, session, c.create_string_buffer(data, len(data)), ULONG(len(data)), out, c.pointer(length))
        return out.raw[: length.value], place.raw

    def read(self, session, key, kind):
        out = c.create_string_buffer(64)
        one = (Attribute * 1)(Attribute(kind, c.cast(out, VOID), 64))
        self.call("GetAttributeValue", session, key, one, ULONG(1))
        return out.raw[: one[0].length]


def attributes(template):
    array = (Attribute * len(template))()
    array.kept = []
    for place, (kind, value) in zip(array, template.items()):
        raw = bytes([value]) if isinstance(value, bool) else value.to_bytes(8, "little") if isinstance(value, int) else value
        buffer = c.create_string_buffer(raw, len(raw))
        array.kept.append(buffer)
        place.type, place.value, place.length = kind, c.cast(buffer, VOID).value, len(raw)
    return array
