//! Numbers of things in words for people.

/// Writes a number of things, such as `1 file` or `2 files`.
pub fn counted(count: impl TryInto<u64>, thing: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        let check = |count: u32, expected| assert_eq!(counted(count, "file"), expected);
        check(0, "0 files");
        check(1, "1 file");
        check(2, "2 files");
    }
}
