//! Keeping the beginning and the end of something that may be long.

/// Keeps the first and the last bytes of a stream, at most `limit` in all, and counts what fell out.
#[derive(Clone, Debug)]
pub struct HeadTail {
    limit: usize,
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    dropped: u64,
}

impl HeadTail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            head: Vec::new(),
            tail: std::collections::VecDeque::new(),
            dropped: 0,
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = (self.limit / 2).saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let tail_limit = self.limit - self.limit / 2;
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(tail_limit);
        self.tail.drain(..over);
        self.dropped += over as u64;
    }

    /// Returns the text, with a line that says how much is missing where something is.
    pub fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_below_the_limit_and_nothing_is_silent_above(parts in prop::collection::vec(prop::collection::vec(b'a'..=b'z', 0..40), 0..20), limit in 2usize..200) {
            let mut kept = HeadTail::new(limit);
            let whole: Vec<u8> = parts.concat();
            for part in &parts {
                kept.push(part);
            }
            let text = kept.text();
            if whole.len() <= limit {
                prop_assert_eq!(text.as_bytes(), &whole[..]);
            } else {
                prop_assert!(text.contains("bytes left out"));
                prop_assert!(text.as_bytes().starts_with(&whole[..limit / 2]));
                prop_assert!(text.as_bytes().ends_with(&whole[whole.len() - (limit - limit / 2)..]));
            }
        }
    }
}
