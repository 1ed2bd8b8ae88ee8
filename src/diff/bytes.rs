//! Bytes of a line, as a range of a buffer that many lines share.
//!
//! A diff of 50 MB has a million lines. A buffer for each of them would take as much again as the diff.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A range of bytes; copies share the buffer. Compared and shown by what is in the range.
#[derive(Clone)]
pub struct Bytes {
    buffer: Arc<Vec<u8>>,
    start: u32,
    end: u32,
}

/// A buffer that ranges are taken from.
#[derive(Clone, Debug)]
pub(crate) struct Buffer(Arc<Vec<u8>>);

impl Buffer {
    /// Takes over bytes without copying them.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// Returns all of it.
    pub(crate) fn whole(&self) -> &[u8] {
        &self.0
    }

    /// Returns a part of it, which must be a slice of [`Self::whole`]; any other is copied.
    pub(crate) fn share(&self, part: &[u8]) -> Bytes {
        let start = (part.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
        let end = start.wrapping_add(part.len());
        let is_within = self.0.get(start..end).is_some_and(|own| std::ptr::eq(own, part));
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if is_within => Bytes {
                buffer: self.0.clone(),
                start,
                end,
            },
            _ => Bytes::from(part),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl From<Vec<u8>> for Bytes {
    /// Lines are far shorter than 4 GB; of a longer one the rest is not kept.
    fn from(bytes: Vec<u8>) -> Self {
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self {
            buffer: Arc::new(bytes),
            start: 0,
            end,
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_no_larger_than_two_words() {
        assert_eq!(size_of::<Bytes>(), 16);
    }

    #[test]
    fn a_foreign_slice_is_copied() {
        let buffer = Buffer::new(b"abc".to_vec());
        assert_eq!(*buffer.share(b"xyz"), *b"xyz");
        assert_eq!(*buffer.share(b""), *b"");
        assert_eq!(*buffer.share(&buffer.whole()[3..]), *b"");
    }

    proptest! {
        #[test]
        fn a_part_is_what_it_was(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0_usize..40, to in 0_usize..40) {
            let buffer = Buffer::new(bytes.clone());
            let (from, to) = (from.min(to).min(bytes.len()), from.max(to).min(bytes.len()));
            let part = buffer.share(&buffer.whole()[from..to]);
            prop_assert_eq!(&*part, &bytes[from..to]);
            prop_assert_eq!(part.clone(), part);
        }
    }
}
