//! The thin layer over the C API: load a module, call it, turn CK_RV into an error.
//!
//! The only `unsafe` of the benchmark. A wrapper crate would add calls and allocations that are not the module's. It
//! trusts the module to keep to PKCS#11: a module that writes past what it was given breaks this process.

use cryptoki_sys::*;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

/// An error here is a sentence for a person.
pub type Res<T> = Result<T, String>;

/// A loaded module; never unloaded.
pub struct Module {
    functions: &'static CK_FUNCTION_LIST,
    /// `None` before PKCS#11 3.2.
    newer: Option<&'static CK_FUNCTION_LIST_3_2>,
}
// SAFETY: PKCS#11 v2.40 §6.6: a module initialised with CKF_OS_LOCKING_OK may be called from any thread, and `initialize`
// asks for just that. The function list is never written after C_GetFunctionList.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// Call a function of a list and fail with its name on anything but CKR_OK (`true`) or the other code given (`false`).
macro_rules! call {
    ($list:expr, $f:ident ( $($a:expr),* $(,)? ), $other:expr) => {{
        match $list.$f {
            // SAFETY: every pointer given below comes from a value that outlives the call, with its true length; what
            // `Overlapped` gives outlives its session.
            Some(func) => match unsafe { func($($a),*) } {
                CKR_OK => Ok(true),
                rv if rv == $other => Ok(false),
                rv => Err(format!("{} failed: 0x{:x}", stringify!($f), rv)),
            },
            None => Err(format!("{} is absent", stringify!($f))),
        }
    }};
}

/// The same where CKR_OK alone will do.
macro_rules! ck {
    ($m:expr, $f:ident ( $($a:expr),* $(,)? )) => {
        call!($m.functions, $f($($a),*), CKR_OK).map(drop)
    };
}

/// An attribute template that owns its values.
#[derive(Default, Clone)]
pub struct Tmpl {
    vals: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>,
}

impl Tmpl {
    /// No attribute yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds bytes.
    pub fn bytes(mut self, t: CK_ATTRIBUTE_TYPE, v: &[u8]) -> Self {
        self.vals.push((t, v.to_vec()));
        self
    }
    /// Adds a number.
    pub fn ulong(self, t: CK_ATTRIBUTE_TYPE, v: CK_ULONG) -> Self {
        self.bytes(t, &v.to_ne_bytes())
    }
    /// Adds a boolean.
    pub fn flag(self, t: CK_ATTRIBUTE_TYPE, v: bool) -> Self {
        self.bytes(t, &[v as u8])
    }
    fn raw(&self) -> Vec<CK_ATTRIBUTE> {
        self.vals
            .iter()
            .map(|(t, v)| CK_ATTRIBUTE {
                type_: *t,
                pValue: v.as_ptr() as *mut c_void,
                ulValueLen: v.len() as CK_ULONG,
            })
            .collect()
    }
}

fn mech(m: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: m, pParameter: null_mut(), ulParameterLen: 0 }
}

impl Module {
    /// Loads a shared library and asks for its functions.
    pub fn load(path: &str) -> Res<Self> {
        type List = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
        // SAFETY: the module's initialisers run; whoever named the module wants that.
        let library = unsafe { libloading::Library::new(path) }.map_err(|e| e.to_string())?;
        let library: &'static _ = Box::leak(Box::new(library));
        // SAFETY: C_GetFunctionList has this type in every version of PKCS#11.
        let list: libloading::Symbol<List> = unsafe { library.get(b"C_GetFunctionList") }.map_err(|e| e.to_string())?;
        let mut p = null_mut();
        // SAFETY: `p` is a valid place for the one pointer that is written.
        let rv = unsafe { list(&mut p) };
        let p = NonNull::new(p).filter(|_| rv == CKR_OK).ok_or(format!("C_GetFunctionList: 0x{rv:x}"))?;
        // SAFETY: the list is the module's static, and the module is never unloaded.
        Ok(Module { functions: unsafe { p.as_ref() }, newer: newer(library) })
    }

    /// C_Initialize, for threads.
    pub fn initialize(&self) -> Res<()> {
        // SAFETY: C_INITIALIZE_ARGS of nulls and a zero is valid.
        let mut a: CK_C_INITIALIZE_ARGS = unsafe { std::mem::zeroed() };
        a.flags = CKF_OS_LOCKING_OK;
        ck!(self, C_Initialize(&mut a as *mut _ as *mut c_void))
    }

    /// C_Finalize.
    pub fn finalize(&self) -> Res<()> {
        ck!(self, C_Finalize(null_mut()))
    }

    /// The slot whose token has this label.
    pub fn slot_by_label(&self, label: &str) -> Res<CK_SLOT_ID> {
        let mut n = 0;
        ck!(self, C_GetSlotList(CK_TRUE, null_mut(), &mut n))?;
        let mut v = vec![0; n as usize];
        ck!(self, C_GetSlotList(CK_TRUE, v.as_mut_ptr(), &mut n))?;
        let has_it = |t: CK_TOKEN_INFO| String::from_utf8_lossy(&t.label).trim_end() == label;
        v.into_iter().find(|s| self.token(*s).is_ok_and(has_it)).ok_or(format!("no token labelled {label}"))
    }

    /// Whether one thread can have several calls under way (PKCS#11 3.2).
    pub fn is_asynchronous(&self, slot: CK_SLOT_ID) -> Res<bool> {
        Ok(self.newer.is_some() && self.token(slot)?.flags & CKF_ASYNC_SESSION_SUPPORTED != 0)
    }

    fn token(&self, slot: CK_SLOT_ID) -> Res<CK_TOKEN_INFO> {
        // SAFETY: plain integers and bytes.
        let mut info: CK_TOKEN_INFO = unsafe { std::mem::zeroed() };
        ck!(self, C_GetTokenInfo(slot, &mut info)).map(|()| info)
    }

    /// A read-write session.
    pub fn open(&self, slot: CK_SLOT_ID) -> Res<CK_SESSION_HANDLE> {
        let mut h = 0;
        ck!(self, C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, null_mut(), None, &mut h))?;
        Ok(h)
    }

    /// C_CloseSession.
    pub fn close(&self, s: CK_SESSION_HANDLE) -> Res<()> {
        ck!(self, C_CloseSession(s))
    }

    /// Logs the user in, unless that is done already.
    pub fn login(&self, s: CK_SESSION_HANDLE, pin: &str) -> Res<()> {
        match ck!(self, C_Login(s, CKU_USER, pin.as_ptr() as *mut u8, pin.len() as CK_ULONG)) {
            Err(e) if e.ends_with(&format!("0x{CKR_USER_ALREADY_LOGGED_IN:x}")) => Ok(()),
            r => r,
        }
    }

    /// At most `max` objects that match.
    pub fn find(&self, s: CK_SESSION_HANDLE, t: &Tmpl, max: usize) -> Res<Vec<CK_OBJECT_HANDLE>> {
        let mut a = t.raw();
        ck!(self, C_FindObjectsInit(s, a.as_mut_ptr(), a.len() as CK_ULONG))?;
        let mut out = vec![0; max];
        let mut n = 0;
        let r = ck!(self, C_FindObjects(s, out.as_mut_ptr(), max as CK_ULONG, &mut n));
        let fin = ck!(self, C_FindObjectsFinal(s));
        r.and(fin)?;
        out.truncate(n as usize);
        Ok(out)
    }

    /// A key pair: public, private.
    pub fn gen_pair(
        &self,
        s: CK_SESSION_HANDLE,
        m: CK_MECHANISM_TYPE,
        pb: &Tmpl,
        pv: &Tmpl,
    ) -> Res<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let (mut a, mut b) = (pb.raw(), pv.raw());
        let (mut hp, mut hv) = (0, 0);
        let (la, lb) = (a.len() as CK_ULONG, b.len() as CK_ULONG);
        ck!(self, C_GenerateKeyPair(s, &mut mech(m), a.as_mut_ptr(), la, b.as_mut_ptr(), lb, &mut hp, &mut hv))?;
        Ok((hp, hv))
    }

    /// A secret key.
    pub fn gen_secret(&self, s: CK_SESSION_HANDLE, m: CK_MECHANISM_TYPE, t: &Tmpl) -> Res<CK_OBJECT_HANDLE> {
        let (mut a, mut h) = (t.raw(), 0);
        let la = a.len() as CK_ULONG;
        ck!(self, C_GenerateKey(s, &mut mech(m), a.as_mut_ptr(), la, &mut h))?;
        Ok(h)
    }

    /// C_CreateObject.
    pub fn create(&self, s: CK_SESSION_HANDLE, t: &Tmpl) -> Res<CK_OBJECT_HANDLE> {
        let (mut a, mut h) = (t.raw(), 0);
        ck!(self, C_CreateObject(s, a.as_mut_ptr(), a.len() as CK_ULONG, &mut h))?;
        Ok(h)
    }

    /// C_DestroyObject.
    pub fn destroy(&self, s: CK_SESSION_HANDLE, o: CK_OBJECT_HANDLE) -> Res<()> {
        ck!(self, C_DestroyObject(s, o))
    }

    /// A signature into `out`; its length.
    pub fn sign(
        &self,
        s: CK_SESSION_HANDLE,
        m: CK_MECHANISM_TYPE,
        k: CK_OBJECT_HANDLE,
        data: &[u8],
        out: &mut [u8],
    ) -> Res<usize> {
        let mut n = out.len() as CK_ULONG;
        ck!(self, C_SignInit(s, &mut mech(m), k))?;
        ck!(self, C_Sign(s, data.as_ptr() as *mut u8, data.len() as CK_ULONG, out.as_mut_ptr(), &mut n))?;
        Ok(n as usize)
    }

    /// Is this signature good?
    pub fn verify(
        &self,
        s: CK_SESSION_HANDLE,
        m: CK_MECHANISM_TYPE,
        k: CK_OBJECT_HANDLE,
        data: &[u8],
        sig: &[u8],
    ) -> Res<()> {
        ck!(self, C_VerifyInit(s, &mut mech(m), k))?;
        ck!(
            self,
            C_Verify(
                s,
                data.as_ptr() as *mut u8,
                data.len() as CK_ULONG,
                sig.as_ptr() as *mut u8,
                sig.len() as CK_ULONG
            )
        )
    }

    /// AES-GCM in one call, with the caller's IV; the length of what is in `out`.
    pub fn gcm(
        &self,
        s: CK_SESSION_HANDLE,
        k: CK_OBJECT_HANDLE,
        encrypt: bool,
        iv: &[u8; 12],
        data: &[u8],
        out: &mut [u8],
    ) -> Res<usize> {
        // SAFETY: null pointers of length zero are valid.
        let mut p: CK_GCM_PARAMS = unsafe { std::mem::zeroed() };
        p.pIv = iv.as_ptr() as *mut u8;
        p.ulIvLen = 12;
        p.ulIvBits = 96;
        p.ulTagBits = 128;
        let mut m = mech(CKM_AES_GCM);
        m.pParameter = &mut p as *mut _ as *mut c_void;
        m.ulParameterLen = size_of::<CK_GCM_PARAMS>() as CK_ULONG;
        let mut n = out.len() as CK_ULONG;
        let (pd, ld) = (data.as_ptr() as *mut u8, data.len() as CK_ULONG);
        if encrypt {
            ck!(self, C_EncryptInit(s, &mut m, k))?;
            ck!(self, C_Encrypt(s, pd, ld, out.as_mut_ptr(), &mut n))?;
        } else {
            ck!(self, C_DecryptInit(s, &mut m, k))?;
            ck!(self, C_Decrypt(s, pd, ld, out.as_mut_ptr(), &mut n))?;
        }
        Ok(n as usize)
    }

    /// Fills `out`.
    pub fn random(&self, s: CK_SESSION_HANDLE, out: &mut [u8]) -> Res<()> {
        ck!(self, C_GenerateRandom(s, out.as_mut_ptr(), out.len() as CK_ULONG))
    }
}

/// An asynchronous session and its signature under way. The module may write to both buffers until the signature is
/// complete or the session closed, which dropping it does.
pub struct Overlapped<'a> {
    m: &'a Module,
    session: CK_SESSION_HANDLE,
    data: Vec<u8>,
    out: Box<[u8; 64]>,
    length: Box<CK_ULONG>,
}

impl<'a> Overlapped<'a> {
    /// Opens the session.
    pub fn open(m: &'a Module, slot: CK_SLOT_ID) -> Res<Self> {
        let (flags, mut session) = (CKF_SERIAL_SESSION | CKF_RW_SESSION | CKF_ASYNC_SESSION, 0);
        ck!(m, C_OpenSession(slot, flags, null_mut(), None, &mut session))?;
        Ok(Overlapped { m, session, data: vec![], out: Box::new([0; 64]), length: Box::new(0) })
    }

    /// Begins a signature of at most 64 bytes; the one before is complete.
    pub fn sign(&mut self, mechanism: CK_MECHANISM_TYPE, key: CK_OBJECT_HANDLE, data: &[u8]) -> Res<()> {
        let (s, list) = (self.session, self.m.functions);
        self.data.clear();
        self.data.extend_from_slice(data);
        *self.length = self.out.len() as CK_ULONG;
        let (data, len) = (self.data.as_mut_ptr(), self.data.len() as CK_ULONG);
        ck!(self.m, C_SignInit(s, &mut mech(mechanism), key))?;
        match call!(list, C_Sign(s, data, len, self.out.as_mut_ptr(), &mut *self.length), CKR_PENDING)? {
            true => Err("C_Sign answered at once in an asynchronous session".into()),
            false => Ok(()),
        }
    }

    /// Whether it is complete by now.
    pub fn is_complete(&mut self) -> Res<bool> {
        let list = self.m.newer.ok_or("the module has no PKCS#11 3.2")?;
        let (mut function, mut done) = (*b"C_Sign\0", CK_ASYNC_DATA::default());
        let complete = call!(list, C_AsyncComplete(self.session, function.as_mut_ptr(), &mut done), CKR_PENDING)?;
        *self.length = done.ulValue;
        Ok(complete)
    }

    /// Is the signature that was completed good? Asked in another session, which waits for the answer.
    pub fn verify(&self, s: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_TYPE, public: CK_OBJECT_HANDLE) -> Res<()> {
        let signature = self.out.get(..*self.length as usize).ok_or("a signature of more than 64 bytes")?;
        self.m.verify(s, mechanism, public, &self.data, signature)
    }
}

impl Drop for Overlapped<'_> {
    fn drop(&mut self) {
        self.m.close(self.session).ok();
    }
}

/// The functions of PKCS#11 3.2, if the module has them.
fn newer(library: &'static libloading::Library) -> Option<&'static CK_FUNCTION_LIST_3_2> {
    type Interface = unsafe extern "C" fn(*mut CK_UTF8CHAR, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV;
    // SAFETY: C_GetInterface has this type since PKCS#11 3.0, which brought it.
    let get: libloading::Symbol<Interface> = unsafe { library.get(b"C_GetInterface") }.ok()?;
    let (mut name, mut version, mut found) = (*b"PKCS 11\0", CK_VERSION { major: 3, minor: 2 }, null_mut());
    // SAFETY: the name ends with a zero, and all three are valid places.
    let rv = unsafe { get(name.as_mut_ptr(), &mut version, &mut found, 0) };
    let found = NonNull::new(found).filter(|_| rv == CKR_OK)?;
    // SAFETY: CKR_OK says that the interface is there; it and its list are the module's statics (§5.4.5).
    let list = NonNull::new(unsafe { found.as_ref() }.pFunctionList.cast::<CK_FUNCTION_LIST_3_2>())?;
    // SAFETY: as above; the list is of the version asked for.
    Some(unsafe { list.as_ref() })
}

/// CPU time of this process so far, in user and kernel.
pub fn cpu_time() -> std::time::Duration {
    // SAFETY: plain integers.
    let mut r: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `r` is a valid place for what getrusage writes.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut r) };
    let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
    std::time::Duration::from_micros(micros(r.ru_utime) + micros(r.ru_stime))
}
