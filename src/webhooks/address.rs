//! Which addresses are the internet's. All others are somebody's own: this machine, its network, the cloud around it.
//!
//! From the IANA registries of special-purpose addresses, IPv4 and IPv6 (RFC 6890 and its successors), and one that is in none.

use crate::settings;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses that are not called, and what they are.
struct Range<A> {
    first: A,
    prefix: u32,
    what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32, what: &'static str) -> Range<Ipv4Addr> {
    Range { first: Ipv4Addr::new(a, b, c, d), prefix, what }
}

const fn v6(a: u16, b: u16, c: u16, prefix: u32, what: &'static str) -> Range<Ipv6Addr> {
    Range { first: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix, what }
}

const V4: [Range<Ipv4Addr>; 17] = [
    v4(0, 0, 0, 0, 8, "this network (RFC 791)"),
    v4(10, 0, 0, 0, 8, "private (RFC 1918)"),
    v4(100, 64, 0, 0, 10, "shared by customers of a carrier (RFC 6598)"),
    v4(127, 0, 0, 0, 8, "loopback (RFC 1122)"),
    // In no registry, and reached from within Azure alone: where its machines get their settings and certificates. Source:
    // "What is IP address 168.63.129.16?" in Microsoft's documentation of Azure Virtual Network.
    v4(168, 63, 129, 16, 32, "the host service of Azure"),
    // 169.254.169.254 among them, where clouds hand out credentials.
    v4(169, 254, 0, 0, 16, "link-local (RFC 3927)"),
    v4(172, 16, 0, 0, 12, "private (RFC 1918)"),
    v4(192, 0, 0, 0, 24, "for protocols of the IETF (RFC 6890)"),
    v4(192, 0, 2, 0, 24, "for documentation (RFC 5737)"),
    v4(192, 88, 99, 0, 24, "of relays from IPv6 (RFC 7526)"),
    v4(192, 168, 0, 0, 16, "private (RFC 1918)"),
    v4(198, 18, 0, 0, 15, "for benchmarks (RFC 2544)"),
    v4(198, 51, 100, 0, 24, "for documentation (RFC 5737)"),
    v4(203, 0, 113, 0, 24, "for documentation (RFC 5737)"),
    v4(224, 0, 0, 0, 4, "multicast (RFC 5771)"),
    v4(255, 255, 255, 255, 32, "broadcast (RFC 919)"),
    v4(240, 0, 0, 0, 4, "reserved (RFC 1112)"),
];

/// Global unicast (RFC 4291, 2.4), outside of which IANA has given nothing to anybody ...
const GLOBAL: Range<Ipv6Addr> = v6(0x2000, 0, 0, 3, "global unicast (RFC 4291)");

/// ... and what in it is special.
const V6: [Range<Ipv6Addr>; 3] = [
    // Teredo (RFC 4380), benchmarks (RFC 5180), ORCHID (RFC 7343) among them.
    v6(0x2001, 0, 0, 23, "for protocols of the IETF (RFC 2928)"),
    v6(0x2001, 0xdb8, 0, 32, "for documentation (RFC 3849)"),
    v6(0x3fff, 0, 0, 20, "for documentation (RFC 9637)"),
];

/// What lies outside, by the name that people know it by.
const V6_OUTSIDE: [Range<Ipv6Addr>; 5] = [
    v6(0x64, 0xff9b, 1, 48, "of a translation to IPv4 of one's own (RFC 8215)"),
    v6(0xfc00, 0, 0, 7, "unique local (RFC 4193)"),
    v6(0xfe80, 0, 0, 10, "link-local (RFC 4291)"),
    v6(0xfec0, 0, 0, 10, "site-local (RFC 3879)"),
    v6(0xff00, 0, 0, 8, "multicast (RFC 4291)"),
];

/// An address that must not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is {what}")]
pub struct RefusedAddress {
    address: IpAddr,
    what: &'static str,
}

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of the internet.
    Public,
    /// All there are.
    Anywhere,
}

impl Reach {
    pub(super) const fn of(settings: &settings::Webhooks) -> Self {
        if settings.allow_private { Self::Anywhere } else { Self::Public }
    }

    pub(super) fn allows(self, address: IpAddr) -> Result<(), RefusedAddress> {
        let special = match (self, address) {
            (Self::Anywhere, _) => None,
            (Self::Public, IpAddr::V4(address)) => special_v4(address),
            (Self::Public, IpAddr::V6(address)) => special_v6(address),
        };
        special.map_or(Ok(()), |what| Err(RefusedAddress { address, what }))
    }
}

/// What an address is, if it is not one of the internet's.
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|range| range.contains(address)).map(|range| range.what)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    // The packets go to the address inside.
    if let Some(inside) = embedded(address) {
        return special_v4(inside);
    }
    let named = |ranges: &[Range<Ipv6Addr>]| {
        ranges.iter().find(|range| range.contains(address)).map(|range| range.what)
    };
    match address {
        Ipv6Addr::LOCALHOST => Some("loopback (RFC 4291)"),
        Ipv6Addr::UNSPECIFIED => Some("unspecified (RFC 4291)"),
        _ if GLOBAL.contains(address) => named(&V6),
        _ => named(&V6_OUTSIDE).or(Some("reserved (RFC 4291)")),
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2), 6to4 (RFC 3056), NAT64 (RFC 6052).
const fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high as u32) << 16 | low as u32,
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(octets))
}

impl Range<Ipv4Addr> {
    fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
    }
}

impl Range<Ipv6Addr> {
    fn contains(&self, address: Ipv6Addr) -> bool {
        (self.first.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(reach: Reach, text: &str) -> bool {
        reach.allows(text.parse().unwrap_or_else(|_| panic!("{text}"))).is_ok()
    }

    #[test]
    fn the_first_and_the_last_address_of_a_range_are_refused_and_their_neighbours_are_not() {
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
            ("::", "1fff:ffff::", None, Some("2000::")),
            ("2001::", "2001:1ff:ffff::", Some("2000:ffff::"), Some("2001:200::")),
            ("2001:db8::", "2001:db8:ffff::", Some("2001:db7:ffff::"), Some("2001:db9::")),
            ("3fff::", "3fff:fff:ffff::", Some("3ffe:ffff::"), Some("3fff:1000::")),
            ("4000::", "ffff:ffff::", Some("3fff:ffff::"), None),
        ] {
            for refused in [first, last] {
                assert!(!allowed(Reach::Public, refused), "{refused} is called");
                assert!(allowed(Reach::Anywhere, refused));
            }
            for neighbour in [before, after].into_iter().flatten() {
                assert!(allowed(Reach::Public, neighbour), "{neighbour} is not called");
            }
        }
    }

    #[test]
    fn an_address_inside_another_decides() {
        for (refused, what) in [
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::a9fe:a9fe", "link-local"),
            ("2002:a9fe:a9fe::1", "link-local"),
            ("::ffff:127.0.0.1", "loopback"),
            ("2002:7f00:1::", "loopback"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::8.8.8.8", "translation"),
            ("::127.0.0.1", "reserved"),
            ("::8.8.8.8", "reserved"),
            ("::1", "loopback"),
            ("::", "unspecified"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("100::1", "reserved"),
            ("5f00::1", "reserved"),
            ("2001:0:53aa:64c::1", "protocols"),
        ] {
            let refusal = Reach::Public.allows(refused.parse().unwrap()).unwrap_err();
            assert!(refusal.to_string().contains(what), "{refusal}");
        }
        for called in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::1111"]
        {
            assert!(allowed(Reach::Public, called), "{called}");
        }
    }
}
