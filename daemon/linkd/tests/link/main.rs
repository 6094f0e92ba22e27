//! Two daemons, four namespaces, one black wire: what the link does, and what it refuses. Needs root and, from Debian,
//! iproute2, iputils-ping, iperf3, tcpdump, softhsm2, openssl and util-linux.

mod authority;
mod blame;
mod bypass;
mod carries;
mod check;
mod daemon;
mod hub;
mod mistakes;
mod network;
mod organ;
mod path;
mod policy;
mod quality;
mod refuses;
mod reloads;
mod renews;
mod sites;
mod storm;
mod succession;
mod syslog;
mod transparent;
mod why;
