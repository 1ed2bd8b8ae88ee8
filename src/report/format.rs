//! The forms of a report.

use std::path::Path;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// The result envelope.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// One self-contained page.
    Html,
}

impl Format {
    /// Returns its name on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
            Self::Html => "html",
        }
    }

    /// Tells the form by a file's ending.
    pub fn of_file(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?.to_ascii_lowercase();
        if name.ends_with(".sarif.json") {
            return Some(Self::Sarif);
        }
        match name.rsplit_once('.')?.1 {
            "txt" => Some(Self::Text),
            "json" => Some(Self::Json),
            "md" | "markdown" => Some(Self::Markdown),
            "sarif" => Some(Self::Sarif),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_ending_says_its_form() {
        let check = |file: &str, expected| assert_eq!(Format::of_file(Path::new(file)), expected, "{file}");
        check("out.sarif", Some(Format::Sarif));
        check("a/OUT.Sarif.JSON", Some(Format::Sarif));
        check("out.json", Some(Format::Json));
        check("r.md", Some(Format::Markdown));
        check("r.html", Some(Format::Html));
        check("r.txt", Some(Format::Text));
        check("r", None);
        check("html", None);
        check("r.pdf", None);
        check("..", None);
    }
}
