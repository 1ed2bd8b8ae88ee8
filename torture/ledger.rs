//! What the harness promises the auditor on behalf of clients; the format is the auditor's.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::audit::files;
use crate::world::World;

/// Age that makes leftovers old enough to be swept up.
const TWO_DAYS: std::time::Duration = std::time::Duration::from_secs(2 * 24 * 60 * 60);

/// Notes that a client was told of this job.
pub fn acknowledge(world: &World, id: &str, key: Option<&str>) {
    let text = key.map(|key| format!("key {key}\n")).unwrap_or_default();
    note(world, "acknowledged", id, &text);
}

/// Notes that this job may be gone from now on.
pub fn let_be_forgotten(world: &World, id: &str) {
    note(world, "forgotten", id, "");
}

/// Notes how many starts one job may pay for.
pub fn attempts(world: &World, starts: u32) {
    fs::write(world.ledger().join("attempts"), starts.to_string()).expect("the ledger can be written");
}

/// Notes a list of all jobs as the program told it.
pub fn listed(world: &World, list: &Value) {
    let rows = list["jobs"].as_array().cloned().unwrap_or_default();
    let mut text = String::new();
    for row in &rows {
        if let (Some(id), Some(state)) = (row["id"].as_str(), row["state"].as_str()) {
            text.extend([id, " ", state, "\n"]);
        }
    }
    let warnings = list["warnings"].as_array().cloned().unwrap_or_default();
    let unread = warnings
        .iter()
        .filter_map(Value::as_str)
        .filter(|warning| warning.contains("job records cannot be read"))
        .find_map(|warning| warning.split(' ').next()?.parse().ok())
        .unwrap_or(0u64);
    text.extend(["unread ", &unread.to_string(), "\n"]);
    fs::write(world.ledger().join("listed"), text).expect("the ledger can be written");
}

/// Notes that everything in the workspace, git's own files too, must stay as it is now.
pub fn untouched(world: &World) {
    let workspace = world.workspace();
    let hash = files::everything(&workspace);
    let text = format!("path {}\nsha256 {hash}\n", workspace.display());
    note(world, "untouched", "workspace", &text);
}

/// Lets a day pass for everything that a killed process did not finish.
pub fn age_leftovers(world: &World) {
    let old = SystemTime::now() - TWO_DAYS;
    for folder in [world.state().join("jobs"), world.state().join("scratch")] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let _ = File::open(entry.path()).and_then(|file| file.set_modified(old));
        }
    }
}

fn note(world: &World, folder: &str, name: &str, text: &str) {
    let folder = world.ledger().join(folder);
    fs::create_dir_all(&folder).expect("the ledger can be written");
    let path: &Path = &folder.join(name);
    fs::write(path, text).expect("the ledger can be written");
}
