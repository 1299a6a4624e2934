//! Names become addresses that may be called.
//!
//! The client connects to what this answers and asks nobody else, so that a name which stands for another address a moment
//! after it was looked at ("DNS rebinding") gains nothing.

use super::address::{Reach, RefusedAddress};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::io;
use std::sync::Arc;

/// The resolver of the system, without the addresses that are out of reach.
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
            let (mut allowed, mut refused) = (Vec::new(), None);
            for found in tokio::net::lookup_host((name.as_str(), 0)).await? {
                match reach.allows(found.ip()) {
                    Ok(()) => allowed.push(found),
                    Err(refusal) => refused = Some(refusal),
                }
            }
            match refused {
                Some(refusal) if allowed.is_empty() => Err(refusal.into()),
                None if allowed.is_empty() => Err(io::Error::other("the name has no address").into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
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
