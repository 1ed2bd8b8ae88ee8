//! Sizes that nobody means: each ends in a typed answer, and the memory of the server and of a worker stays bounded.
//!
//! `CROSSCHECK_LIMITS=full cargo test --release --test it limits:: -- --nocapture --test-threads 1` uses the full sizes and
//! prints the figures of `docs/security-figures.md`; otherwise a part of them that takes seconds.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hostile::{self, in_background, worker_of};
use crate::support::model::wait_until;
use crate::support::scripts::Scripted;
use crate::world::{Server, World};

/// Longest time of one preview: git itself takes most of it, and its own deadline is 180 s.
const PATIENCE: Duration = Duration::from_secs(300);
/// Kilobytes that a server or a worker may have had at once.
const MEMORY_KB: u64 = 64 * 1024;
/// Kilobytes of a server that plans a huge diff.
const PLANNING_KB: u64 = 150 * 1024;

/// Says a figure; `--nocapture` shows it.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Picks the size of this run.
fn size(usual: usize, full: usize) -> usize {
    if std::env::var_os("CROSSCHECK_LIMITS").is_some_and(|value| value == "full") {
        full
    } else {
        usual
    }
}

/// Returns the most memory that a process ever had, in kilobytes.
fn peak_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Checks the most memory that a process ever had, and says it.
fn check_peak(what: &str, pid: u32, most_kb: u64) {
    let peak = peak_kb(pid);
    say(&format!(
        "| {what} | {} MB | {} MB |",
        peak / 1024,
        most_kb / 1024
    ));
    assert!(peak < most_kb, "{what}: {peak} kB of {most_kb}");
}

fn preview(server: &mut Server, arguments: &Value) -> Value {
    let begun = Instant::now();
    let id = server.start_call("dry_run", &json!({"tool": "review", "arguments": arguments}));
    assert!(server.answers_within(id, PATIENCE), "no answer in {PATIENCE:?}");
    let envelope = server.envelope(id);
    say(&format!("  took {} ms", begun.elapsed().as_millis()));
    envelope
}

#[test]
fn a_million_untracked_files_are_counted_and_not_read() {
    let world = World::new(Scripted::well()).with_change();
    let files = size(30_000, 1_000_000);
    for file in 0..files {
        let folder = world.work().join(format!("made/{}", file % 1000));
        if file < 1000 {
            fs::create_dir_all(&folder).unwrap();
        }
        File::create(folder.join(format!("a-file-with-a-name-{file}"))).unwrap();
    }
    let mut server = world.server();
    let plan = preview(&mut server, &json!({"scope": "working_tree"}));
    assert_eq!(plan["ok"], true, "{plan:#}");
    assert_eq!(plan["coverage"]["status"], "partial");
    assert!(plan["coverage"]["omitted"].as_array().unwrap().len() <= 50);
    assert!(plan.to_string().len() < 40_000);
    check_peak(&format!("{files} untracked files"), server.pid(), MEMORY_KB);
}

#[test]
fn a_file_of_five_gigabytes_is_named_and_not_read() {
    let world = World::new(Scripted::well()).with_change();
    let huge = File::create(world.work().join("huge.bin")).unwrap();
    huge.set_len(5 * 1024 * 1024 * 1024).unwrap();
    let mut server = world.server();
    let plan = preview(&mut server, &json!({"scope": "working_tree"}));
    assert_eq!(
        plan["coverage"]["omitted"],
        json!([{"path": "huge.bin", "reason": "too_large"}]),
        "{plan:#}"
    );
    let asked = json!({"prompt": "x", "files": ["huge.bin"]});
    server.fault(
        "dry_run",
        &json!({"tool": "consult", "arguments": asked}),
        "input_too_large",
    );
    check_peak("a file of 5 GB", server.pid(), MEMORY_KB);
}

/// Commits files and changes every line of them.
fn change_all(world: &World, files: usize, text: impl Fn(&str, usize) -> String) {
    world.git(&["init", "-q"]);
    let write = |word: &str| {
        for file in 0..files {
            let folder = world.work().join(format!("src/part{}", file % 200));
            if file < 200 {
                fs::create_dir_all(&folder).unwrap();
            }
            fs::write(folder.join(format!("file{file}.rs")), text(word, file)).unwrap();
        }
    };
    write("old");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    write("new");
}

fn too_large(envelope: &Value) {
    assert_eq!(envelope["error"]["code"], "input_too_large", "{envelope:#}");
    assert!(
        envelope["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("largest files")
    );
    assert!(envelope.to_string().len() < 40_000);
}

#[test]
fn a_diff_of_fifty_megabytes_is_planned_in_bounded_memory() {
    let world = World::new(Scripted::well());
    let files = size(5_000, 20_000);
    change_all(&world, files, |word, file| {
        let mut text = String::new();
        for line in 0..26 {
            writeln!(
                text,
                "    let {word}_value_{line} = compute(file_{file}, {line});"
            )
            .unwrap();
        }
        text
    });
    let mut server = world.server();
    let plan = preview(&mut server, &json!({"scope": "working_tree"}));
    too_large(&plan);
    let ready = &plan["error"]["repair"];
    assert!(
        ready["tool"] == "dry_run" && ready["arguments"]["arguments"]["paths"].is_array(),
        "{plan:#}"
    );
    check_peak(&format!("a diff of {files} files"), server.pid(), PLANNING_KB);
    server.fault("review", &json!({"scope": "working_tree"}), "input_too_large");
    assert!(world.jobs().is_empty());
}

#[test]
fn one_file_that_is_most_of_a_diff_is_planned_in_bounded_memory() {
    let world = World::new(Scripted::well());
    let lines = size(100_000, 600_000);
    change_all(&world, 1, |word, _| {
        let mut text = String::new();
        for line in 0..lines {
            writeln!(text, "    let {word}_value_{line} = compute();").unwrap();
        }
        text
    });
    let mut server = world.server();
    let plan = preview(&mut server, &json!({"scope": "working_tree"}));
    if lines > 500_000 {
        too_large(&plan);
    }
    check_peak(
        &format!("one file of {lines} changed lines"),
        server.pid(),
        PLANNING_KB,
    );
}

#[test]
fn a_million_hunks_are_refused_in_bounded_memory() {
    for hunks in [size(50_000, 300_000), size(0, 1_000_000)] {
        if hunks == 0 {
            continue;
        }
        let world = World::new(Scripted::well());
        // Far enough apart that no two changes share a hunk.
        change_all(&world, 1, |word, _| {
            let mut text = String::new();
            for hunk in 0..hunks {
                text.push_str("\n\n\n\n\n\n\n");
                writeln!(text, "{word}{hunk}").unwrap();
            }
            text
        });
        let mut server = world.server();
        let plan = preview(&mut server, &json!({"scope": "working_tree"}));
        assert_ne!(plan["ok"], true, "{plan:#}");
        too_large(&plan);
        check_peak(&format!("{hunks} hunks"), server.pid(), PLANNING_KB);
    }
}

#[test]
fn json_of_ten_thousand_levels_is_refused() {
    let world = World::new(Scripted::well()).with_change();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut server = world.server();
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{{"name":"consult","arguments":{{"prompt":{deep}}}}}}}"#
    );
    server.send_line(&line);
    assert!(server.answer(77)["error"]["code"].is_number());
    world.write(".crosscheck/config.toml", format!("a = {deep}\n"));
    server.fault("consult", &json!({"prompt": "x"}), "config_invalid");
    fs::remove_dir_all(world.work().join(".crosscheck")).unwrap();
    check_peak("JSON of 10,000 levels, the server", server.pid(), MEMORY_KB);

    let file = world.home.private().join("deep.json");
    let event = format!(r#"{{"type":"item.completed","item":{{"type":"x","deep":{deep}}}}}"#);
    fs::write(&file, event + "\n").unwrap();
    let world = hostile::world(&format!("cat {}; say", file.display()));
    let mut server = world.server();
    assert_eq!(server.ok("consult", &hostile::question())["answer"], "Paid for.");
}

#[test]
fn the_longest_arguments_pass_in_bounded_memory() {
    let world = hostile::world("open; while [ ! -e \"$PWD/go\" ]; do sleep 0.05; done; say");
    let mut server = world.server();
    let text = "word ".repeat(1_000_000 / 5);
    let mut arguments = in_background();
    arguments["prompt"] = text.clone().into();
    let handle = server.ok("consult", &arguments);
    let job = world.job(handle["job"]["id"].as_str().unwrap());
    wait_until("the thread of the run", || {
        fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("thread"))
    });
    check_peak("a prompt of 1 MB, the worker", worker_of(&job), MEMORY_KB);
    arguments["context"] = text.into();
    server.fault("consult", &arguments, "input_too_large");
    arguments["prompt"] = "x".repeat(1_048_577).into();
    server.fault("consult", &arguments, "input_too_large");
    check_peak("a prompt of 1 MB, the server", server.pid(), MEMORY_KB);
    world.write("go", "");
    server.ok("job", &json!({"id": handle["job"]["id"], "wait_s": 20}));
}

/// Writes lines of the peer's events until there are so many bytes.
fn write_flood(path: &Path, bytes: usize, line_bytes: usize) {
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    let text = "x".repeat(line_bytes);
    let line = format!(r#"{{"type":"item.completed","item":{{"type":"reasoning","text":"{text}"}}}}"#);
    for _ in 0..bytes / line.len() {
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
}

#[test]
fn what_a_peer_says_without_end_is_cut_in_bounded_memory() {
    // Small lines, lines at what is taken of one, and in the full run more than is read of a peer in all.
    for (bytes, line) in [
        (size(20_000_000, 600_000_000), 1_000),
        (size(60_000_000, 1_800_000_000), 12_000_000),
    ] {
        let world = World::new(Scripted::well());
        let flood = world.home.private().join("flood");
        write_flood(&flood, bytes, line);
        let world = hostile::world(&format!(
            "open; cat {}; say; while [ ! -e \"$PWD/go\" ]; do sleep 0.05; done",
            flood.display()
        ));
        let mut server = world.server();
        let handle = server.ok("consult", &in_background());
        let job = world.job(handle["job"]["id"].as_str().unwrap());
        let mut peak = 0;
        let end = Instant::now() + Duration::from_secs(120);
        let peer_is_read = || {
            job.join("result.json").exists()
                || fs::read_to_string(job.join("events.jsonl")).is_ok_and(|log| log.contains("Paid for."))
        };
        wait_until("the worker", || !crate::world::peers_of(&job).is_empty());
        let worker = worker_of(&job);
        while !peer_is_read() && Instant::now() < end {
            if Path::new(&format!("/proc/{worker}")).exists() {
                peak = peak.max(peak_kb(worker));
            }
            std::thread::yield_now();
        }
        world.write("go", "");
        let done = server.call("job", &json!({"id": handle["job"]["id"], "wait_s": 60}));
        let told = done["answer"] == "Paid for." || done["error"]["code"].is_string();
        assert!(told, "{done:#}");
        say(&format!(
            "| {bytes} bytes in lines of {line} | {} MB | 64 MB |",
            peak / 1024
        ));
        assert!(peak < MEMORY_KB, "{bytes} bytes in lines of {line}: {peak} kB");
    }
}
