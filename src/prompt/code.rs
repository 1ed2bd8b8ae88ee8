//! Code blocks in an answer of free text.

use crate::domain::answer::CodeBlock;

/// Blocks taken from one answer; more is not code any more but a listing.
const BLOCKS: usize = 100;
/// Spaces that may stand before a fence, as Markdown has it.
const INDENT: usize = 3;
/// Longest first word of an info string that is taken for a language.
const LANGUAGE_BYTES: usize = 32;

/// Copies the fenced code blocks of a Markdown text. The text itself is not changed; a block without an end runs to the
/// end of the text.
pub fn extract_code(text: &str) -> Vec<CodeBlock> {
    let mut blocks = Vec::new();
    let mut open: Option<(Mark, CodeBlock)> = None;
    for line in text.split_inclusive('\n') {
        match open.take() {
            Some((mark, block)) if mark.closes(line) => push(&mut blocks, block),
            Some((mark, mut block)) => {
                block.text.push_str(mark.unindent(line));
                open = Some((mark, block));
            }
            None => open = Mark::opens(line),
        }
    }
    if let Some((_, block)) = open {
        push(&mut blocks, block);
    }
    blocks
}

fn push(blocks: &mut Vec<CodeBlock>, block: CodeBlock) {
    if blocks.len() < BLOCKS && !block.text.trim().is_empty() {
        blocks.push(block);
    }
}

/// The line that opened a block.
struct Mark {
    character: char,
    length: usize,
    indent: usize,
}

impl Mark {
    fn opens(line: &str) -> Option<(Self, CodeBlock)> {
        let line = line.trim_end();
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        let character = rest.chars().next().filter(|c| *c == '`' || *c == '~')?;
        let info = rest.trim_start_matches(character);
        let length = rest.len() - info.len();
        if indent > INDENT || length < 3 || (character == '`' && info.contains('`')) {
            return None;
        }
        let mark = Self {
            character,
            length,
            indent,
        };
        Some((mark, described(info)))
    }

    fn closes(&self, line: &str) -> bool {
        let line = line.trim_end();
        let rest = line.trim_start_matches(' ');
        line.len() - rest.len() <= INDENT
            && rest.len() >= self.length
            && rest.chars().all(|c| c == self.character)
    }

    fn unindent<'a>(&self, line: &'a str) -> &'a str {
        let spaces = line
            .bytes()
            .take(self.indent)
            .take_while(|byte| *byte == b' ')
            .count();
        &line[spaces..]
    }
}

/// Reads `rust`, `rust,no_run`, `{.rust}`, `rust title="src/a.rs"` and `rust src/a.rs`.
fn described(info: &str) -> CodeBlock {
    let mut words = info.split([' ', ',', '{', '}']).filter(|word| !word.is_empty());
    let language = words
        .next()
        .map(|word| word.trim_start_matches('.').to_ascii_lowercase())
        .filter(|word| (1..=LANGUAGE_BYTES).contains(&word.len()) && !word.contains('='))
        .unwrap_or_else(|| "text".to_owned());
    let path = words.find_map(|word| {
        let named = ["title=", "path=", "file=", "filename="]
            .iter()
            .find_map(|key| word.strip_prefix(key));
        let bare = Some(word).filter(|word| word.contains(['/', '.']) && !word.contains('='));
        let path = named.or(bare)?.trim_matches('"');
        (!path.is_empty()).then(|| path.to_owned())
    });
    CodeBlock {
        language,
        path,
        text: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, Option<&str>, &str)]) {
        let blocks: Vec<_> = extract_code(text);
        let blocks: Vec<_> = blocks
            .iter()
            .map(|block| {
                (
                    block.language.as_str(),
                    block.path.as_deref(),
                    block.text.as_str(),
                )
            })
            .collect();
        assert_eq!(blocks, expected, "{text}");
    }

    #[test]
    fn fenced_blocks_are_found() {
        check("no code", &[]);
        check("a\n```rust\nfn a() {}\n```\nb", &[("rust", None, "fn a() {}\n")]);
        check("```\nx\n```", &[("text", None, "x\n")]);
        check("~~~Python\nx\n~~~\n", &[("python", None, "x\n")]);
        check(
            "````md\n```rust\nx\n```\n````",
            &[("md", None, "```rust\nx\n```\n")],
        );
        check("  ```sh\n  ls\n  ```", &[("sh", None, "ls\n")]);
        check("```rust,no_run\nx\n```", &[("rust", None, "x\n")]);
        check("```rust src/a.rs\nx\n```", &[("rust", Some("src/a.rs"), "x\n")]);
        check("```ts title=\"a b.ts\"\nx\n```", &[("ts", Some("a"), "x\n")]);
        check("```c\nnever closed", &[("c", None, "never closed")]);
        check("```a`b\nnot a fence", &[]);
        check("```rust\n\n```", &[]);
        check("a ```inline``` b", &[]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(`{1,4}|~{3}| {0,5}|[a-z{},=/]{0,6}|\n|\r\n|\\PC){0,40}") {
            for block in extract_code(&text) {
                prop_assert!(!block.language.is_empty());
            }
        }
    }
}
