//! The appliance from outside: a real `coload` in a folder of its own, reached over its local socket and over TLS.

mod channels;
mod connections;
mod fairness;
mod hostile;
mod kills;
mod life;
mod media;
mod operations;
mod release;
mod rig;
mod sandbox;
mod tamper;
mod zeroize;
