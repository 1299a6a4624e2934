//! Where somebody wants to be told how an image ended.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use url::{Host, ParseError, Url};

/// An `http` or `https` URL in its normal form (WHATWG URL Standard), without user, password and fragment.
///
/// It says nothing of whether anybody may be called there: a name can stand for any address.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackUrl(Url);

/// A text that is no [`CallbackUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallbackUrl {
    /// More than [`CallbackUrl::MAX_BYTES`], as sent or in its normal form.
    #[error("is longer than {} bytes", CallbackUrl::MAX_BYTES)]
    TooLong,
    /// It cannot be parsed, or names no host.
    #[error("is no URL: {0}")]
    Unparsable(ParseError),
    /// Another scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Credentials in a URL end up in logs.
    #[error("must not hold a user name or a password")]
    Credentials,
    /// Port 0 cannot be connected to.
    #[error("must not name port 0")]
    PortZero,
}

impl CallbackUrl {
    /// The longest URL, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// The whole of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Without its query, in which some senders keep a token.
    #[must_use]
    pub fn without_query(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }

    /// Who answers there: the host, as it is spelled in the normal form, and the port.
    #[must_use]
    pub fn host_and_port(&self) -> (String, u16) {
        let host = self.0.host_str().unwrap_or_default().trim_end_matches('.');
        (host.to_owned(), self.0.port_or_known_default().unwrap_or_default())
    }

    /// The address that it names, if it names one and not a host: in every spelling that the standard knows (`0x7f.1`).
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

impl FromStr for CallbackUrl {
    type Err = InvalidCallbackUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |refused: bool, why| if refused { Err(why) } else { Ok(()) };
        refuse(text.len() > Self::MAX_BYTES, InvalidCallbackUrl::TooLong)?;
        let mut url = Url::parse(text).map_err(InvalidCallbackUrl::Unparsable)?;
        refuse(!matches!(url.scheme(), "http" | "https"), InvalidCallbackUrl::Scheme)?;
        refuse(!url.username().is_empty() || url.password().is_some(), InvalidCallbackUrl::Credentials)?;
        refuse(url.port() == Some(0), InvalidCallbackUrl::PortZero)?;
        url.set_fragment(None);
        refuse(url.as_str().len() > Self::MAX_BYTES, InvalidCallbackUrl::TooLong)?;
        Ok(Self(url))
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackUrl({})", self.without_query())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<CallbackUrl, InvalidCallbackUrl> {
        text.parse()
    }

    #[test]
    fn a_url_is_kept_in_its_normal_form() {
        let url = parsed("HTTPS://Example.com:443/a b?token=x#part").unwrap();
        assert_eq!(url.as_str(), "https://example.com/a%20b?token=x");
        assert_eq!(url.without_query(), "https://example.com/a%20b");
        assert!(!format!("{url:?}").contains("token"));
        assert_eq!(parsed(url.as_str()), Ok(url));
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let long = |bytes| format!("https://example.com/{}", "a".repeat(bytes));
        assert!(parsed(&long(2048 - 20)).is_ok());
        for (text, why) in [
            (long(2049 - 20), InvalidCallbackUrl::TooLong),
            (format!("https://example.com/{}", "ä".repeat(800)), InvalidCallbackUrl::TooLong),
            ("ftp://example.com/".to_owned(), InvalidCallbackUrl::Scheme),
            ("file:///etc/passwd".to_owned(), InvalidCallbackUrl::Scheme),
            ("javascript:alert(1)".to_owned(), InvalidCallbackUrl::Scheme),
            ("https://user@example.com/".to_owned(), InvalidCallbackUrl::Credentials),
            ("https://:word@example.com/".to_owned(), InvalidCallbackUrl::Credentials),
            ("http://example.com:0/".to_owned(), InvalidCallbackUrl::PortZero),
            ("http://".to_owned(), InvalidCallbackUrl::Unparsable(ParseError::EmptyHost)),
            ("/relative".to_owned(), InvalidCallbackUrl::Unparsable(ParseError::RelativeUrlWithoutBase)),
            ("http://a b/".to_owned(), InvalidCallbackUrl::Unparsable(ParseError::IdnaError)),
            ("http://example.com:99999/".to_owned(), InvalidCallbackUrl::Unparsable(ParseError::InvalidPort)),
        ] {
            assert_eq!(parsed(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_address_is_known_in_every_spelling() {
        for spelling in
            ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1"]
        {
            let url = parsed(&format!("http://{spelling}:8080/")).unwrap();
            assert_eq!(url.address(), Some([127, 0, 0, 1].into()), "{spelling}");
        }
        let embedded = parsed("http://[::ffff:127.0.0.1]/").unwrap();
        assert_eq!(embedded.address(), Some("::ffff:7f00:1".parse().unwrap()));
        assert_eq!(parsed("http://localhost/").unwrap().address(), None);
    }
}
