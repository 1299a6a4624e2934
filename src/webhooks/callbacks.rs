//! Which callback URLs are taken from those who upload.

use super::address::{Reach, RefusedAddress};
use crate::domain::{CallbackUrl, InvalidCallbackUrl};
use crate::settings;

/// Why a callback URL is not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefusedCallback {
    /// There is nothing to sign with.
    #[error("`callback_url` needs `webhooks.secret` in the settings of the server")]
    Unsigned,
    /// It is no URL that can be called.
    #[error("`callback_url` {0}")]
    Invalid(#[from] InvalidCallbackUrl),
    /// It names an address that must not be called. Names are looked at when they are called.
    #[error("`callback_url` is refused: {0}")]
    Address(#[from] RefusedAddress),
}

/// What an operator allows, and who is told of images whose upload names nobody.
#[derive(Debug, Clone)]
pub struct Callbacks {
    default: Option<CallbackUrl>,
    is_signed: bool,
    reach: Reach,
}

impl Callbacks {
    /// As the settings say.
    #[must_use]
    pub fn from_settings(settings: &settings::Webhooks) -> Self {
        let is_signed = settings.secret.is_some();
        Self { default: settings.url.clone(), is_signed, reach: Reach::of(settings) }
    }

    /// The URL that an upload names. An empty text names nobody, as an empty field of a form does.
    ///
    /// # Errors
    /// If nobody may be called there.
    pub fn admit(&self, text: &str) -> Result<Option<CallbackUrl>, RefusedCallback> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        if !self.is_signed {
            return Err(RefusedCallback::Unsigned);
        }
        let url: CallbackUrl = text.parse()?;
        if let Some(address) = url.address() {
            self.reach.allows(address)?;
        }
        Ok(Some(url))
    }

    /// Who is told where an upload names nobody.
    #[must_use]
    pub const fn default(&self) -> Option<&CallbackUrl> {
        self.default.as_ref()
    }
}
