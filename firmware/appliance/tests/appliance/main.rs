//! The appliance from outside: a real `coload` in a folder of its own, reached over its local socket and over TLS.

mod channels;
mod hostile;
mod life;
mod media;
mod rig;
mod sandbox;
mod zeroize;
