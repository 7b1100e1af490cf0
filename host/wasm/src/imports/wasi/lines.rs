//! Bytes of a standard stream, gathered to lines.

use crate::imports::log::LINE_BYTES_MAX;
use crate::text::CHARACTER_BYTES_MAX;

/// What is kept of a line: a little more than the log shows, so that it shows that there was more.
const KEPT_BYTES_MAX: usize = LINE_BYTES_MAX + CHARACTER_BYTES_MAX;

/// The line that is not at its end yet. What goes beyond a bound is forgotten.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes bytes; gives the lines that end in them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut parts = bytes.split(|byte| *byte == b'\n');
        let rest = parts.next_back().unwrap_or_default();
        let mut ended = Vec::new();
        for part in parts {
            self.keep(part);
            ended.push(self.take());
        }
        self.keep(rest);
        ended
    }

    /// What has no end yet, if there is any.
    pub(super) fn take_rest(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut lines = Lines::default();
        assert!(lines.push(b"a").is_empty());
        assert_eq!(lines.push(b"b\r\n\nc"), ["ab", ""]);
        assert_eq!(lines.take_rest().as_deref(), Some("c"));
        assert_eq!(lines.take_rest(), None);
        for _ in 0..10 {
            assert!(lines.push(&[b'x'; LINE_BYTES_MAX]).is_empty());
        }
        assert_eq!(lines.push(b"y\n\xff"), ["x".repeat(KEPT_BYTES_MAX)]);
        assert_eq!(lines.take_rest().as_deref(), Some("\u{fffd}"));
    }
}
