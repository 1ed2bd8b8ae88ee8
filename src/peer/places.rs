//! Where programs may be. Which of these exist is looked up elsewhere.

use std::path::PathBuf;

use crate::domain::environment::Environment;

/// Returns the places to look at, best first: PATH, then where package managers put programs.
///
/// Hosts with a window start their servers without a login PATH, so PATH alone is not enough.
pub fn candidates(program: &str, environment: &Environment) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = environment
        .get("PATH")
        .map(|path| {
            std::env::split_paths(path)
                .filter(|dir| dir.is_absolute())
                .collect()
        })
        .unwrap_or_default();
    if let Some(home) = environment.path("HOME") {
        let below = [
            ".local/bin",
            ".npm-global/bin",
            ".npm/bin",
            ".volta/bin",
            ".bun/bin",
            ".local/share/fnm/aliases/default/bin",
            ".asdf/shims",
            ".local/share/mise/shims",
            ".local/share/pnpm",
            "Library/pnpm",
            "bin",
            ".claude/local",
        ];
        places.extend(below.iter().map(|dir| home.join(dir)));
    }
    places.extend(["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"].map(PathBuf::from));
    places.into_iter().map(|dir| dir.join(program)).collect()
}

/// Folders of version managers whose sub-folders are versions with a `bin` each, newest last by name.
pub fn version_folders(environment: &Environment) -> Vec<PathBuf> {
    environment
        .path("HOME")
        .map(|home| vec![home.join(".nvm/versions/node")])
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_of_path_is_never_searched() {
        let env = Environment::default()
            .with("PATH", "bin:/a:.:/b")
            .with("HOME", "/h");
        let found = candidates("codex", &env);
        assert_eq!(found[..2], [PathBuf::from("/a/codex"), PathBuf::from("/b/codex")]);
        assert!(found.contains(&PathBuf::from("/h/.volta/bin/codex")));
    }
}
