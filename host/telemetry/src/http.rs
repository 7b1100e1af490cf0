//! The little of HTTP/1.1 that a page of metrics needs: the head of a request in, an answer out.

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The page.
    Ok,
    /// Not HTTP.
    BadRequest,
    /// Another path.
    NotFound,
    /// Another method than GET.
    MethodNotAllowed,
    /// The request did not come in time.
    Timeout,
    /// The head of the request is too long.
    TooLong,
}

impl Status {
    /// Code and phrase.
    fn line(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("200", "OK"),
            Self::BadRequest => ("400", "Bad Request"),
            Self::NotFound => ("404", "Not Found"),
            Self::MethodNotAllowed => ("405", "Method Not Allowed"),
            Self::Timeout => ("408", "Request Timeout"),
            Self::TooLong => ("431", "Request Header Fields Too Large"),
        }
    }

    /// The code.
    pub(crate) fn code(self) -> &'static str {
        self.line().0
    }

    /// Head and body of the answer. The connection ends with it.
    pub(crate) fn answer(self, content_type: &str, page: Option<String>) -> String {
        let (code, phrase) = self.line();
        let allow = if self == Self::MethodNotAllowed { "Allow: GET\r\n" } else { "" };
        let body = page.unwrap_or_else(|| format!("{phrase}: GET /metrics is what there is\n"));
        format!(
            "HTTP/1.1 {code} {phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Whether the head of a request is complete.
pub(crate) fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n")
}

/// What is to be answered to a request, by the first line of its head.
pub(crate) fn judge(head: &[u8]) -> Status {
    let line = head.split(|byte| *byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok());
    let mut words = line.unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Status::BadRequest;
    };
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if !is_method || !target.starts_with('/') || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Status::BadRequest;
    }
    match (target.split('?').next(), method) {
        (Some("/metrics"), "GET") => Status::Ok,
        (Some("/metrics"), _) => Status::MethodNotAllowed,
        _ => Status::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_judged_by_their_first_line() {
        let cases = [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Status::Ok),
            ("GET /metrics?name=x HTTP/1.0\r\n\r\n", Status::Ok),
            ("GET / HTTP/1.1\r\n\r\n", Status::NotFound),
            ("POST /elsewhere HTTP/1.1\r\n\r\n", Status::NotFound),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Status::NotFound),
            ("POST /metrics HTTP/1.1\r\n\r\n", Status::MethodNotAllowed),
            ("GET /metrics HTTP/2\r\n\r\n", Status::BadRequest),
            ("GET  /metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("get /metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET /metrics\r\n\r\n", Status::BadRequest),
            ("\r\n\r\n", Status::BadRequest),
        ];
        for (head, status) in cases {
            assert!(is_complete(head.as_bytes()));
            assert_eq!(judge(head.as_bytes()), status, "{head:?}");
        }
        assert_eq!(judge(b"\x16\x03\x01\xff\r\n\r\n"), Status::BadRequest, "TLS");
        assert!(!is_complete(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"));
    }

    #[test]
    fn answers_say_their_length_and_what_is_allowed() {
        let answer = Status::MethodNotAllowed.answer("text/plain", None);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && head.contains("\r\nAllow: GET"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(Status::Ok.answer("text/plain", Some("é".into())).contains("Content-Length: 2\r\n"), "in bytes");
    }
}
