//! Red packets for tests, built and checksummed octet by octet: no code of the crate under test makes or checks them.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::IpAddr;

/// The Internet checksum of RFC 1071, in its slowest form.
pub fn internet_checksum(octets: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(v4) => octets.extend(v4.octets()),
            IpAddr::V6(v6) => octets.extend(v6.octets()),
        }
    }
    octets.extend((len as u32).to_be_bytes());
    octets.extend([0, 0, 0, protocol]);
    octets
}

/// Checksum of a transport segment whose checksum field is zero.
pub fn transport_checksum(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let mut octets = pseudo_header(source, destination, protocol, segment.len());
    octets.extend(segment);
    internet_checksum(&octets)
}

/// The uncomplemented sum that a partial checksum field holds.
pub fn pseudo_sum(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> u16 {
    !internet_checksum(&pseudo_header(source, destination, protocol, len))
}

/// What distinguishes TCP segments here.
#[derive(Clone, Copy)]
pub struct Tcp<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ports: (u16, u16),
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    pub id: u16,
    pub options: &'a [u8],
    pub payload: &'a [u8],
}

impl Default for Tcp<'_> {
    fn default() -> Self {
        Self {
            source: "10.1.0.5".parse().unwrap(),
            destination: "10.2.0.9".parse().unwrap(),
            ports: (40_000, 443),
            sequence: 0xffff_f000,
            acknowledgement: 77,
            flags: 0x10,
            id: 0xfffe,
            options: &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            payload: b"",
        }
    }
}

impl Tcp<'_> {
    /// The whole IP packet with all checksums right.
    pub fn build(&self) -> Vec<u8> {
        let mut segment = self.segment();
        let checksum = transport_checksum(self.source, self.destination, 6, &segment);
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        ip(self.source, self.destination, 6, self.id, &segment)
    }

    /// As the kernel hands it to a TUN device with offloads: the checksum field holds the pseudo-header's sum.
    pub fn build_partial(&self) -> Vec<u8> {
        let mut segment = self.segment();
        let sum = pseudo_sum(self.source, self.destination, 6, segment.len());
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        ip(self.source, self.destination, 6, self.id, &segment)
    }

    fn segment(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        segment.extend(self.ports.0.to_be_bytes());
        segment.extend(self.ports.1.to_be_bytes());
        segment.extend(self.sequence.to_be_bytes());
        segment.extend(self.acknowledgement.to_be_bytes());
        segment.push((((20 + self.options.len()) / 4) << 4) as u8);
        segment.push(self.flags);
        segment.extend([0x20, 0x00, 0, 0, 0, 0]);
        segment.extend(self.options);
        segment.extend(self.payload);
        segment
    }
}

/// A UDP packet with its checksum right.
pub fn udp(source: IpAddr, destination: IpAddr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend(((8 + payload.len()) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let checksum = match transport_checksum(source, destination, 17, &datagram) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    ip(source, destination, 17, 7, &datagram)
}

/// An IP header (DF, hop limit 64) in front of `payload`.
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            packet.extend([0x45, 0]);
            packet.extend(((20 + payload.len()) as u16).to_be_bytes());
            packet.extend(id.to_be_bytes());
            packet.extend([0x40, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let checksum = internet_checksum(&packet);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        _ => panic!("one family per packet"),
    }
    packet.extend(payload);
    packet
}
