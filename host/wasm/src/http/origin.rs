//! Scheme, host and port: what an allow-list of servers is made of.

use std::fmt;

use url::{Host, Url};

/// Scheme, host and port of a server, compared exactly: `https://api.example.com:443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: &'static str,
    host: Host<String>,
    port: u16,
}

/// Why a text is no origin, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no server to grant: {why}; write scheme, host and port, as in `https://api.example.com:443`")]
pub struct InvalidOrigin {
    text: String,
    why: String,
}

impl Origin {
    /// Reads `https://host:port`; the port may be left out where it is the scheme's own.
    ///
    /// # Errors
    /// When it has another scheme, a path, a user or a pattern, or is no URL.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = |why: &str| InvalidOrigin { text: text.chars().take(200).collect(), why: why.to_owned() };
        if text.contains('*') {
            return Err(invalid("a pattern cannot be granted, each server is named"));
        }
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let origin = Self::of(&url).map_err(|why| invalid(&why))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("a server is granted with all its paths, so no path stands here"));
        }
        Ok(origin)
    }

    /// The origin that a URL asks; the error says why it has none.
    pub(crate) fn of(url: &Url) -> Result<Self, String> {
        let scheme = match url.scheme() {
            "https" => "https",
            "http" => "http",
            other => return Err(format!("its scheme is `{other}`, and only https and http are spoken")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it has a user or a password in it".to_owned());
        }
        let host = url.host().ok_or("it has no host")?.to_owned();
        // `example.com.` is the same server and would be another text.
        let host = match host {
            Host::Domain(name) => Host::Domain(name.strip_suffix('.').unwrap_or(&name).to_owned()),
            address => address,
        };
        let port = url.port_or_known_default().ok_or("it has no port")?;
        if port == 0 {
            return Err("its port is 0".to_owned());
        }
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scheme_host_and_port_count_and_nothing_else() {
        let same = |a: &str, b: &str| Origin::parse(a).expect(a) == Origin::parse(b).expect(b);
        assert!(same("https://api.example.com", "https://API.Example.com:443/"));
        assert!(same("https://example.com.", "https://example.com"));
        assert!(same("http://0x7f.1:80", "http://127.0.0.1"));
        assert!(!same("https://api.example.com", "http://api.example.com:443"));
        assert!(!same("https://api.example.com", "https://api.example.com:8443"));
        assert!(!same("https://api.example.com", "https://example.com"));
        assert_eq!(Origin::parse("http://[::1]:8080").expect("v6").to_string(), "http://[::1]:8080");
    }

    #[test]
    fn what_is_no_server_is_refused_in_words() {
        for (text, word) in [
            ("api.example.com", "relative URL"),
            ("ftp://example.com", "`ftp`"),
            ("https://*.example.com", "pattern"),
            ("https://u:p@example.com", "user"),
            ("https://example.com/v1", "path"),
            ("https://example.com?x", "path"),
            ("https://example.com:0", "port is 0"),
            ("https://", "empty host"),
            ("https://example.com:99999", "port"),
        ] {
            let error = Origin::parse(text).expect_err(text).to_string();
            assert!(error.contains(word) && error.contains(text), "{error} should say {word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_origin_or_an_error_and_what_is_shown_is_read_again(text in "(https?://)?[ -~]{0,40}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin));
            }
        }
    }
}
