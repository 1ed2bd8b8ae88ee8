//! Facts about the peer that are expensive to find and stay true for a while. Losing the cache loses nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::fingerprint::sha256_hex;
use crate::state::store::Store;
use crate::sys::{clock, files};

/// Bytes of one cached fact.
const FACT_BYTES: u64 = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    at_ms: u64,
    fact: T,
}

/// Returns a fact that was stored under this key at most `age` ago.
pub fn read<T: DeserializeOwned>(store: &Store, key: &str, age: Duration) -> Option<T> {
    let stored: Stored<T> =
        serde_json::from_slice(&files::read_bounded(&path(store, key), FACT_BYTES).ok()?).ok()?;
    let now = clock::now_ms();
    // A fact from the future was stored before the clock was set back; how old it is nobody knows.
    (stored.at_ms <= now && now - stored.at_ms <= clock::millis(age)).then_some(stored.fact)
}

/// Stores a fact. Failing is no error: it will be found again.
pub fn write<T: Serialize>(store: &Store, key: &str, fact: T) {
    let Ok(bytes) = serde_json::to_vec(&Stored {
        at_ms: clock::now_ms(),
        fact,
    }) else {
        return;
    };
    if store.folder("cache").is_ok() {
        // Not synced: a cache that a power cut takes is only a cache.
        let path = path(store, key);
        let draft = path.with_extension(format!("{}", std::process::id()));
        let _ = std::fs::remove_file(&draft);
        if files::create_new(&draft, &bytes).is_ok() {
            let _ = files::rename(&draft, &path);
        }
    }
}

fn path(store: &Store, key: &str) -> PathBuf {
    store
        .root()
        .join("cache")
        .join(format!("{}.json", &sha256_hex(key.as_bytes())[..32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_found_under_its_key_and_type() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(read::<u32>(&store, "k", Duration::from_secs(9)), None);
        write(&store, "k", 7u32);
        assert_eq!(read(&store, "k", Duration::from_secs(9)), Some(7u32));
        assert_eq!(
            read::<String>(&store, "k", Duration::from_secs(9)),
            None,
            "another type is no fact"
        );
    }
}
