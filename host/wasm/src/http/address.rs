//! Which addresses are those of the open internet, and which of networks that a plugin has no business in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// A server in the open internet.
    Public,
    /// One that is not: in words, as in "of a private network".
    Other(&'static str),
}

/// What an address is for. Addresses of version 6 that carry one of version 4 are judged by that.
#[must_use]
pub fn kind_of_address(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

use AddressKind::{Other, Public};

fn v4(address: Ipv4Addr) -> AddressKind {
    match address.octets() {
        [0, ..] => Other("of this network"),
        [127, ..] => Other("of this machine"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Other("of a private network"),
        [100, 64..=127, ..] => Other("behind a carrier's translation"),
        // 169.254.169.254 tells clouds' machines their secrets.
        [169, 254, ..] => Other("of a link, where clouds keep their metadata"),
        [192, 0, 0, _] => Other("reserved for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Other("reserved for documents"),
        [192, 88, 99, _] => Other("of a relay to version 6"),
        [198, 18..=19, ..] => Other("reserved for benchmarks"),
        // A cloud's metadata under an address that is public by its number.
        [168, 63, 129, 16] => Other("where a cloud keeps its metadata"),
        [224..=239, ..] => Other("for several receivers"),
        [240..=255, ..] => Other("reserved"),
        _ => Public,
    }
}

fn v6(address: Ipv6Addr) -> AddressKind {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let carried = |high: u16, low: u16| v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match [a, b, c, d, e, f, g, h] {
        [0, 0, 0, 0, 0, 0, 0, 0] => Other("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Other("of this machine"),
        // Mapped, translated (RFC 6052, 8215) and compatible addresses, and those of 6to4: who is reached is another's number.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carried(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => match carried(high, low) {
            Public => Other("of an old form"),
            other => other,
        },
        [0x64, 0xff9b, 1, ..] => Other("of a private translation"),
        [0x2002, high, low, ..] => carried(high, low),
        [0x2001, 0, ..] => Other("of a tunnel"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Other("reserved for documents"),
        [0x2001, 0x01..=0x01ff, ..] => Other("reserved for protocols"),
        [0xfc00..=0xfdff, ..] => Other("of a private network"),
        [0xfe80..=0xfebf, ..] => Other("of a link"),
        [0xfec0..=0xfeff, ..] => Other("of a private network"),
        [0xff00..=0xffff, ..] => Other("for several receivers"),
        [0x2000..=0x3fff, ..] => Public,
        _ => Other("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> AddressKind {
        kind_of_address(text.parse().expect(text))
    }

    #[test]
    fn servers_in_the_open_are_public() {
        for text in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "169.253.0.1",
            "223.255.255.255",
        ] {
            assert_eq!(kind(text), Public, "{text}");
        }
    }

    #[test]
    fn all_else_is_not() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "192.88.99.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "100::1",
        ] {
            assert_ne!(kind(text), Public, "{text}");
        }
    }
}
