//! Names become addresses that may be called.
//!
//! The client connects to what this answers and asks nobody else, so that a name which stands for another address a moment
//! after it was looked at ("DNS rebinding") gains nothing.

use super::address::{Reach, RefusedAddress};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The resolver of the system, for names that stand for nothing that is out of reach.
pub(super) struct Resolver(Reach);

impl Resolver {
    pub(super) fn new(reach: Reach) -> Arc<Self> {
        Arc::new(Self(reach))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = all_in_reach(reach, tokio::net::lookup_host((name.as_str(), 0)).await?)?;
            if found.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// All of these addresses, or the refusal of one. A name of the internet has no reason to stand for a private address beside
/// its public ones, so the whole of it is refused.
fn all_in_reach(
    reach: Reach,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, RefusedAddress> {
    found.map(|found| reach.allows(found.ip()).map(|()| found)).collect()
}

/// The refusal of an address among the causes of an error.
pub(super) fn refusal_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a RefusedAddress> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_private_address_refuses_the_whole_name() {
        let resolved = |reach, addresses: &[&str]| {
            let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            all_in_reach(reach, found).map(|found| found.len())
        };
        assert_eq!(resolved(Reach::Public, &["8.8.8.8", "2606:4700::1111"]), Ok(2));
        for mixed in [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"], ["8.8.8.8", "169.254.169.254"]] {
            assert!(resolved(Reach::Public, &mixed).is_err(), "{mixed:?}");
            assert_eq!(resolved(Reach::Anywhere, &mixed), Ok(2));
        }
        assert_eq!(resolved(Reach::Public, &[]), Ok(0));
    }
}
