/* Signs and encrypts a document with keys in a token, through the C interface of PKCS#11.
 *
 *     sign_and_encrypt TOKEN PIN-FILE DOCUMENT
 *
 * PKCS11_MODULE names the module, TOKEN is the token's label. DOCUMENT.sig gets the signature by the key `example` (ECDSA
 * with SHA-256, DER as OpenSSL reads it), DOCUMENT.gcm what `example-aes` encrypts: IV of 12 bytes, ciphertext, tag of 16. */

#define _GNU_SOURCE /* explicit_bzero, memmem */
#include <dlfcn.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#define IV 12
#define TAG 16

typedef struct {
    CK_BYTE *at;
    CK_ULONG size;
} bytes;

static CK_FUNCTION_LIST *p11;

/* The code's name, and what a person can do about it. */
static const char *explain(CK_RV rv)
{
#define CASE(code, text) case code: return #code ": " text
    switch (rv) {
    CASE(CKR_PIN_INCORRECT, "the PIN is wrong; several wrong ones lock it");
    CASE(CKR_PIN_LOCKED, "too many wrong PINs; the security officer sets a new one");
    CASE(CKR_DEVICE_ERROR, "the token does not answer; `coloa doctor` says why");
    CASE(CKR_MECHANISM_INVALID, "the partition does not serve this mechanism; see MECHANISMS.md");
    CASE(CKR_DATA_LEN_RANGE, "the token takes 1 MiB at once");
    CASE(CKR_KEY_FUNCTION_NOT_PERMITTED, "the key was not made for this use");
    default: return "set COLOA_LOG=warn to see why";
    }
}

static void must(const char *function, CK_RV rv)
{
    if (rv != CKR_OK)
        errx(1, "%s: 0x%lx: %s", function, rv, explain(rv));
}
#define CALL(function, ...) must(#function, p11->function(__VA_ARGS__))

static bytes allocate(CK_ULONG size)
{
    bytes b = { malloc(size ? size : 1), size };
    if (!b.at)
        err(1, "%lu bytes", size);
    return b;
}

static bytes read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        err(1, "%s", name);
    setbuf(file, NULL); /* no copy of a PIN stays in a buffer of stdio's */
    long size = ftell(file);
    if (size < 0)
        err(1, "%s", name);
    rewind(file);
    bytes content = allocate((CK_ULONG)size);
    if (fread(content.at, 1, content.size, file) != content.size)
        err(1, "%s", name);
    fclose(file);
    return content;
}

/* DOCUMENT with an ending: `first`, then `rest`. */
static void write_file(const char *document, const char *ending, bytes first, bytes rest)
{
    char name[4096];
    if ((size_t)snprintf(name, sizeof name, "%s%s", document, ending) >= sizeof name)
        errx(1, "the name of the document is too long");
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(first.at, 1, first.size, file) != first.size ||
        fwrite(rest.at, 1, rest.size, file) != rest.size || fclose(file) != 0)
        err(1, "%s", name);
}

static void load(void)
{
    const char *name = getenv("PKCS11_MODULE");
    if (!name)
        errx(1, "PKCS11_MODULE does not name the module");
    void *module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        errx(1, "%s", dlerror());
    CK_C_GetFunctionList entry;
    *(void **)&entry = dlsym(module, "C_GetFunctionList");
    if (!entry)
        errx(1, "%s is no PKCS#11 module", name);
    must("C_GetFunctionList", entry(&p11));
}

/* PKCS#11 pads its texts with blanks to a fixed width. */
static int is_padded(const CK_UTF8CHAR *field, size_t width, const char *text)
{
    size_t length = strlen(text);
    if (length > width || memcmp(field, text, length) != 0)
        return 0;
    while (length < width && field[length] == ' ')
        length++;
    return length == width;
}

static CK_SLOT_ID find_slot(const char *label, CK_TOKEN_INFO *info)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof slots / sizeof *slots;
    CALL(C_GetSlotList, CK_TRUE, slots, &count);
    for (CK_ULONG i = 0; i < count; i++)
        if (p11->C_GetTokenInfo(slots[i], info) == CKR_OK && is_padded(info->label, sizeof info->label, label))
            return slots[i];
    errx(1, "no token is labelled %s; `coloa doctor` says which tokens the module reaches", label);
}

static void login(CK_SESSION_HANDLE session, const char *pin_file)
{
    bytes pin = read_file(pin_file);
    CK_ULONG length = pin.size;
    while (length > 0 && pin.at[length - 1] == '\n')
        length--;
    CK_RV rv = p11->C_Login(session, CKU_USER, pin.at, length);
    explicit_bzero(pin.at, pin.size);
    free(pin.at);
    must("C_Login", rv);
}

static CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS kind, char *label)
{
    CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &kind, sizeof kind }, { CKA_LABEL, label, strlen(label) } };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count;
    CALL(C_FindObjectsInit, session, wanted, 2);
    CALL(C_FindObjects, session, found, 2, &count);
    CALL(C_FindObjectsFinal, session);
    if (count != 1)
        errx(1, "%s keys are labelled %s, one is wanted; examples/README.md says how to make it",
             count == 0 ? "no" : "several", label);
    return found[0];
}

/* An INTEGER of DER: no zeros before it, but one where it would else be negative. */
static bytes integer(bytes out, const CK_BYTE *number, CK_ULONG size)
{
    while (size > 1 && *number == 0)
        number++, size--;
    CK_ULONG zero = *number >> 7;
    out.at[out.size++] = 0x02;
    out.at[out.size++] = (CK_BYTE)(size + zero);
    if (zero)
        out.at[out.size++] = 0;
    memcpy(out.at + out.size, number, size);
    out.size += size;
    return out;
}

/* PKCS#11 has r and s one after the other, OpenSSL a SEQUENCE of two INTEGERs. */
static void sign(CK_SESSION_HANDLE session, bytes data, const char *document)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_BYTE raw[132], der[140], head[3] = { 0x30 }; /* the most that P-521 takes */
    CK_ULONG size = sizeof raw;
    CALL(C_SignInit, session, &mechanism, find(session, CKO_PRIVATE_KEY, "example"));
    CALL(C_Sign, session, data.at, data.size, raw, &size);
    bytes body = { der, 0 };
    body = integer(body, raw, size / 2);
    body = integer(body, raw + size / 2, size / 2);
    bytes sequence = { head, 1 };
    if (body.size > 127)
        head[sequence.size++] = 0x81;
    head[sequence.size++] = (CK_BYTE)body.size;
    write_file(document, ".sig", sequence, body);
}

/* A strict partition takes no IV from its callers: it makes one and writes it over twelve zeros. */
static void encrypt(CK_SESSION_HANDLE session, int strict, bytes data, const char *document)
{
    CK_BYTE iv[IV] = { 0 };
    if (!strict)
        CALL(C_GenerateRandom, session, iv, sizeof iv);
    CK_GCM_PARAMS gcm = { iv, sizeof iv, 8 * sizeof iv, NULL, 0, 8 * TAG };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };
    CK_OBJECT_HANDLE key = find(session, CKO_SECRET_KEY, "example-aes");
    bytes sealed = allocate(data.size + TAG), opened = allocate(data.size);
    CALL(C_EncryptInit, session, &mechanism, key);
    CALL(C_Encrypt, session, data.at, data.size, sealed.at, &sealed.size);
    write_file(document, ".gcm", (bytes){ iv, sizeof iv }, sealed);

    CALL(C_DecryptInit, session, &mechanism, key);
    CALL(C_Decrypt, session, sealed.at, sealed.size, opened.at, &opened.size);
    if (opened.size != data.size || memcmp(opened.at, data.at, data.size) != 0)
        errx(1, "decrypted is not what was encrypted");
    free(opened.at);
    free(sealed.at);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "give me TOKEN PIN-FILE DOCUMENT");
    bytes document = read_file(argv[3]);
    load();
    CK_C_INITIALIZE_ARGS threads = { .flags = CKF_OS_LOCKING_OK };
    CALL(C_Initialize, &threads);
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE session;
    CALL(C_OpenSession, find_slot(argv[1], &info), CKF_SERIAL_SESSION, NULL, NULL, &session);
    login(session, argv[2]);
    sign(session, document, argv[3]);
    encrypt(session, memmem(info.model, sizeof info.model, "strict", 6) != NULL, document, argv[3]);
    CALL(C_Finalize, NULL);
    free(document.at);
    printf("%s: signed and encrypted\n", argv[3]);
    return 0;
}
