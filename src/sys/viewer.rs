//! Opens a file with the program that the desktop has for it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::domain::environment::Environment;

/// The desktop's own opener.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Opens a file and does not wait: a viewer lives as long as its user likes. It gets the user's whole environment, which
/// says where the desktop is, and nothing of our streams; Ctrl-C here does not end it.
pub fn open(file: &Path, environment: &Environment) -> io::Result<()> {
    let program = find(environment).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no `{OPENER}` on this machine"),
        )
    })?;
    Command::new(program)
        .arg(file)
        .env_clear()
        .envs(environment.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(())
}

/// Looks for the opener where PATH says, in absolute folders only: the current one may be anybody's repository.
fn find(environment: &Environment) -> Option<PathBuf> {
    let folders = std::env::split_paths(environment.get("PATH")?);
    let mut found = folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(OPENER));
    found.find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opener_of_the_current_folder_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(OPENER);
        std::fs::write(&program, "").unwrap();
        let of = |path: &str| find(&Environment::default().with("PATH", path));
        assert_eq!(of(&format!(".:{}", folder.path().display())), Some(program));
        assert_eq!(of(".:bin"), None);
        assert_eq!(find(&Environment::default()), None);
    }
}
