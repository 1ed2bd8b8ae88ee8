//! Ring 1, pure: keeps secrets out of what is shown, logged or sent.
//!
//! A [`Redactor`] masks values inside a text, [`files`] tells which files are withheld whole, and [`Redacted`] is the
//! proof that one of the two happened. Nothing here reads a file, and nothing here may touch a patch that lands: what
//! was masked cannot be put back.
//!
//! What is *not* promised: a secret without a known shape and without a telling name next to it stays readable, and so do
//! the middle lines of a private key when neither its beginning nor its end is shown.

mod base64;
mod entropy;
pub mod files;
mod further;
mod joined;
mod keywords;
mod patch;
mod placeholder;
mod redacted;
pub mod rules;
mod scan;
mod seen;
mod span;
mod stream;

pub use files::secret_globs;
pub use further::{BadFurther, Further};
pub use patch::{RedactedPatch, Withheld, is_withheld_by_name, redact_patch, redact_patch_with};
pub use redacted::{Plain, Redacted, RedactedFile, RedactedText, redact_counted, redact_file, redact_text};
pub use scan::{Masked, Redactor};
pub use stream::Stream;
