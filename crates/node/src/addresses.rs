//! Clients by their address, the unit in which strangers are counted; of IPv6, by 64-bit network.
//!
//! A client's address may hold a share of something: a value for each address lives here while anybody holds it. Knows
//! nothing of what is shared. The table is bounded by the number of those who hold.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::{Arc, Weak};

use ipnet::IpNet;
use parking_lot::Mutex;

/// In place of the address of a peer over a Unix-domain socket, which has none; no peer over TCP has this address.
pub const WITHOUT_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The network that an address counts in where clients are bounded by address; `None` for an exempt one, such as that of a
/// proxy, which all clients behind it may have, and for [`WITHOUT_ADDRESS`].
#[must_use]
pub fn counted(address: IpAddr, exempt: &[IpNet]) -> Option<IpAddr> {
    let is_exempt = address == WITHOUT_ADDRESS || exempt.iter().any(|net| net.contains(&address));
    (!is_exempt).then(|| network(address))
}

/// The network that an address counts in. A client with one IPv6 address has at least the 64 bits below.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// A value for each client address.
#[derive(Debug)]
pub struct ByAddress<T>(Arc<Table<T>>);

#[derive(Debug)]
struct Table<T>(Mutex<HashMap<IpAddr, Weak<OfAddress<T>>>>);

/// The value of one address; forgotten with its last holder.
#[derive(Debug)]
pub struct OfAddress<T> {
    value: T,
    address: IpAddr,
    table: Arc<Table<T>>,
}

impl<T> Default for ByAddress<T> {
    fn default() -> Self {
        Self(Arc::new(Table(Mutex::default())))
    }
}

impl<T> ByAddress<T> {
    /// The value of an address as [`counted`], made if nobody holds any.
    #[must_use]
    pub fn of(&self, address: IpAddr, make: impl FnOnce() -> T) -> Arc<OfAddress<T>> {
        let mut table = self.0.0.lock();
        if let Some(held) = table.get(&address).and_then(Weak::upgrade) {
            return held;
        }
        let made = Arc::new(OfAddress { value: make(), address, table: Arc::clone(&self.0) });
        table.insert(address, Arc::downgrade(&made));
        made
    }

    /// The number of addresses with a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.lock().len()
    }

    /// Whether no address has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Deref for OfAddress<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for OfAddress<T> {
    fn drop(&mut self) {
        let mut table = self.table.0.lock();
        // Another value may have been made for the address since the last holder let go of this one.
        if table.get(&self.address).is_some_and(|held| held.strong_count() == 0) {
            table.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_one_network_share_a_value_while_anybody_holds_it() {
        let values = ByAddress::<u8>::default();
        let address = |text: &str| counted(text.parse().unwrap(), &["192.0.2.9/32".parse().unwrap()]);
        assert_eq!(address("192.0.2.9"), None, "an exempt one");
        let first = values.of(address("2001:db8::1").unwrap(), || 1);
        let second = values.of(address("2001:db8::2").unwrap(), || 2);
        let other = values.of(address("::ffff:192.0.2.1").unwrap(), || 3);
        assert_eq!((**first, **second, **other, values.len()), (1, 1, 3, 2));
        drop((first, other));
        assert_eq!(**values.of(address("2001:db8::3").unwrap(), || 4), 1);
        assert_eq!(**values.of(address("192.0.2.1").unwrap(), || 5), 5);
        drop(second);
        assert!(values.is_empty());
    }
}
