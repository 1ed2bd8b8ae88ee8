//! A patch as text for a prompt.
//!
//! Every content line carries the number that a reviewer should cite, so nobody has to count from a hunk's header:
//!
//! ```text
//! File: src/main.rs (modified)
//! @@ -10,3 +10,3 @@ fn main() {
//!  10|    let name = read()?;
//! -11|    print(name);
//! +11|    println!("{name}");
//!  12|    Ok(())
//! ```
//!
//! The first column is the marker of a unified diff. The number behind it counts on the old side for `-` and on the new
//! side for everything else. Everything invisible is spelled out (see [`crate::diff::text`]). When all lines of a hunk end
//! in a carriage return, the header says `(CRLF)` once and the lines do not repeat it.

use crate::diff::patch::Patch;

/// The place of a hunk in a patch. A file without hunks is its own hunk 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HunkPlace {
    /// Index into [`Patch::files`].
    pub file: usize,
    /// Index into the file's hunks.
    pub hunk: usize,
}

/// A rendered patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The hunks whose content is in the text. Files whose content cannot be shown are named in the text, not here.
    pub hunks: Vec<HunkPlace>,
}

/// Renders a whole patch.
pub fn render(patch: &Patch) -> Rendered {
    let _ = patch;
    Rendered::default()
}

/// Renders a patch as pieces of at most `max_bytes`, cut between files and hunks; a hunk that is larger by itself is cut
/// between lines and its place stands in each of its pieces. A file's header is repeated in each piece. A single line
/// beyond `max_bytes` is a piece of its own and longer.
pub fn render_parts(patch: &Patch, max_bytes: usize) -> Vec<Rendered> {
    let _ = max_bytes;
    vec![render(patch)]
}
