//! How fast a server answers after its start, what it then holds in memory, and how long its tool list is.

use std::process::Command;

use serde_json::json;

use crate::figure::Figure;
use crate::host::Host;
use crate::memory::read_memory;
use crate::others;
use crate::support::home::Home;
use crate::table::Row;
use crate::world::program;

/// Starts of ours.
const STARTS: usize = 40;
/// Starts of a bridge that takes seconds for each.
const OTHER_STARTS: usize = 5;

/// What one server looks like from outside.
struct Idle {
    start: Figure,
    rss: Figure,
    pss: Figure,
    list_bytes: Figure,
}

/// Measures ours and the others.
pub(crate) fn measure() -> Vec<Row> {
    // No model is asked; the address is one that nobody listens on.
    let home = Home::new("http://127.0.0.1:9/v1");
    let ours = idle(STARTS, || {
        let mut command = home.command(program());
        command.arg("serve");
        command
    });
    let mut rows = [
        Row::new("start to `initialize` answer", "10 ms", &ours.start),
        Row::new("idle memory after `tools/list`, RSS", "12 MB", &ours.rss),
        Row::new("the same, PSS", "", &ours.pss),
        Row::new("`tools/list` on the wire", "12 kB", &ours.list_bytes),
    ];
    for other in others::installed() {
        let idle = idle(OTHER_STARTS, || home.command(&other.program));
        let figures = [idle.start, idle.rss, idle.pss, idle.list_bytes];
        let mut figures = figures.iter();
        rows = rows.map(|row| row.beside(other.name, figures.next().unwrap()));
    }
    rows.into()
}

fn idle(starts: usize, command: impl Fn() -> Command) -> Idle {
    let (mut times, mut rss, mut pss, mut list) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first start reads the program from disk, which says more about the disk.
    drop(Host::start(command()));
    for _ in 0..starts {
        let mut host = Host::start(command());
        times.push(host.start);
        let (_, bytes) = host.ask("tools/list", &json!({}));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a tool list has far fewer than 2^52 bytes"
        )]
        list.push(bytes as f64 / 1e3);
        let memory = read_memory(host.pid());
        rss.push(memory.rss_kb / 1024.0);
        pss.push(memory.pss_kb / 1024.0);
    }
    Idle {
        start: Figure::of_times(&times),
        rss: Figure::of(rss, "MB"),
        pss: Figure::of(pss, "MB"),
        list_bytes: Figure::once(list[0], "kB"),
    }
}
