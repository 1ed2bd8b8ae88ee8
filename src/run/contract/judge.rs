//! Judges what was seen, one guarantee at a time. Pure.

use crate::model;
use crate::model::sse::ShellTool;
use crate::peer::account::Login;
use crate::run::contract::check::{Check, CheckOutcome, Report};
use crate::run::contract::evidence::{Evidence, RunSeen, SandboxSeen, WriterSeen};
use crate::run::contract::outcome::{
    broken, held_if, is_expected, needs, not_checked, reached, spent, uncalled, unmarked, untold, unwritten,
};
use crate::run::contract::script::{ANSWER, FIRST, prompt, reached_line};
use crate::run::contract::world::{
    GUIDANCE_WORD, PROJECT_WORD, REMOTE_SERVER_PATH, SERVERS, SKILL_WORD, WRITER, World,
};

/// The model that the runs name. A codex that does not know it any more takes it all the same.
pub(super) const MODEL: &str = "gpt-5.5";
/// The effort that the runs name.
pub(super) const EFFORT: &str = "high";

/// Judges a trial.
pub(super) fn judge(seen: &Evidence) -> Report {
    let mut judge = Judge {
        seen,
        report: Report::default(),
    };
    judge.probes();
    judge.run();
    judge.commands();
    judge.writer();
    judge.isolation();
    judge.thread();
    judge.variants();
    judge.not_tried();
    judge.report
}

struct Judge<'a> {
    seen: &'a Evidence,
    report: Report,
}

impl Judge<'_> {
    fn add(&mut self, name: &str, guarantee: &str, outcome: CheckOutcome) {
        self.report.checks.push(Check {
            name: name.to_owned(),
            guarantee: guarantee.to_owned(),
            outcome,
        });
    }

    /// Adds a check that needs the first run to have succeeded.
    fn of_first(&mut self, name: &str, guarantee: &str, judge: impl FnOnce(&RunSeen) -> CheckOutcome) {
        let first = &self.seen.first;
        let outcome = if first.succeeded() {
            judge(first)
        } else {
            not_checked("the run did not succeed")
        };
        self.add(name, guarantee, outcome);
    }

    /// Adds a check that also needs commands to run.
    fn of_commands(&mut self, name: &str, guarantee: &str, judge: impl FnOnce(&RunSeen) -> CheckOutcome) {
        match self.without_commands() {
            Some(outcome) => self.add(name, guarantee, outcome),
            None => self.of_first(name, guarantee, judge),
        }
    }

    /// Returns what comes of every check of commands where none can run.
    fn without_commands(&self) -> Option<CheckOutcome> {
        match &self.seen.sandbox {
            SandboxSeen::Works => None,
            SandboxSeen::BrokenHere(_) => Some(not_checked("the sandbox does not work on this machine")),
            SandboxSeen::NotUnderstood(_) => Some(not_checked("whether the sandbox works is not known")),
        }
    }

    fn of_resumed(&mut self, name: &str, guarantee: &str, judge: impl FnOnce(&RunSeen) -> CheckOutcome) {
        let outcome = match &self.seen.resumed {
            Some(run) if run.succeeded() => judge(run),
            Some(run) => broken(run.ending()),
            None => not_checked("there was no thread to continue"),
        };
        self.add(name, guarantee, outcome);
    }

    fn of_bare(&mut self, name: &str, guarantee: &str, judge: impl FnOnce(&RunSeen) -> CheckOutcome) {
        let outcome = match &self.seen.bare {
            Some(run) if run.succeeded() => judge(run),
            Some(run) => broken(run.ending()),
            None => not_checked("the run before it did not succeed"),
        };
        self.add(name, guarantee, outcome);
    }

    /// The free questions.
    fn probes(&mut self) {
        let seen = self.seen;
        let sandbox = match &seen.sandbox {
            SandboxSeen::Works => CheckOutcome::Held,
            SandboxSeen::BrokenHere(why) => not_checked(why),
            SandboxSeen::NotUnderstood(what) => broken(what),
        };
        self.add(
            "sandbox_probe",
            "`codex sandbox` tells for free whether commands can run",
            sandbox,
        );
        let servers = match &seen.servers {
            Err(error) => broken(error),
            Ok(names) => {
                let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
                sorted.sort_unstable();
                let mut expected = SERVERS;
                expected.sort_unstable();
                held_if(sorted == expected, || format!("it names {}", sorted.join(", ")))
            }
        };
        self.add(
            "server_names",
            "the app-server names the user's MCP servers, and none of an untrusted repository",
            servers,
        );
        let models = match &seen.models {
            Ok(models) => held_if(!models.is_empty(), || "it names no model".to_owned()),
            Err(error) => broken(error),
        };
        self.add("models", "the app-server names the models", models);
        let login = held_if(seen.login == Login::LoggedOut, || {
            format!("a home without a login reads as {:?}", seen.login)
        });
        self.add(
            "login",
            "`codex login status` says in known words that nobody is logged in",
            login,
        );
    }

    /// One run and what it sends and writes.
    fn run(&mut self) {
        let first = &self.seen.first;
        let outcome = held_if(first.succeeded(), || first.ending());
        self.add(
            "arguments",
            "`codex exec` takes the arguments of a run and ends with 0",
            outcome,
        );
        self.of_first(
            "events",
            "the event stream tells thread, answer, end and tokens",
            |run| {
                let transcript = &run.transcript;
                let told = [
                    (run.first_event == "thread.started", "the thread first"),
                    (transcript.thread.is_some(), "the thread"),
                    (transcript.last_message.as_deref() == Some(ANSWER), "the answer"),
                    (transcript.thread_usage.is_some(), "the tokens"),
                    (transcript.malformed == 0, "JSON only"),
                ];
                let missing: Vec<&str> = told
                    .iter()
                    .filter(|(told, _)| !told)
                    .map(|(_, what)| *what)
                    .collect();
                held_if(missing.is_empty(), || {
                    format!("it does not tell {}", missing.join(", "))
                })
            },
        );
        self.of_first("prompt", "a long prompt reaches the model byte for byte", |run| {
            let (sent, got) = (prompt(FIRST), run.first_turn().map(model::Turn::last_user_text));
            let got = got.unwrap_or_default();
            held_if(got == sent, || {
                format!("{} bytes were sent and {} arrived", sent.len(), got.len())
            })
        });
        self.of_first("schema", "the answer's schema reaches the model", |run| {
            let schema = run.first_turn().and_then(model::Turn::schema);
            held_if(schema == Some(&World::schema()), || {
                "no schema or another one arrived".to_owned()
            })
        });
        self.of_first(
            "model",
            "a call's model and effort outrank the configuration",
            |run| {
                let turn = run.first_turn();
                let model = turn.map(model::Turn::model).unwrap_or_default();
                let effort = turn
                    .and_then(|turn| turn.body().get("reasoning")?.get("effort")?.as_str())
                    .unwrap_or_default();
                held_if(model == MODEL && effort == EFFORT, || {
                    format!("model `{model}` and effort `{effort}` arrived")
                })
            },
        );
        self.of_first(
            "last_message",
            "the answer is written to the file of `-o`",
            |run| {
                held_if(run.last_message == ANSWER, || {
                    format!("the file holds {} bytes", run.last_message.len())
                })
            },
        );
        self.of_first("settings", "codex knows every setting that is sent", |run| {
            let unknown = run
                .transcript
                .warnings
                .iter()
                .find(|warning| warning.contains("unrecognized configuration"));
            // A setting that is gone may take its guarantee with it or its danger; the checks below see which.
            unknown.map_or(CheckOutcome::Held, not_checked)
        });
    }

    /// What a command can do.
    fn commands(&mut self) {
        let seen = self.seen;
        self.of_commands("commands", "the model can run commands", |run| {
            reached(run, "ran")
        });
        self.of_commands(
            "read_only",
            "commands write nothing, neither in the workspace nor elsewhere",
            |run| needs(run, "ran", || unwritten(seen, run)),
        );
        self.of_commands("no_network", "commands open no connection", |run| {
            needs(run, "called", || uncalled(seen, run.run))
        });
        self.of_commands(
            "environment",
            "commands do not see the keys in codex's environment",
            |run| {
                needs(run, "ran", || {
                    held_if(!run.outputs().contains(&seen.key), || {
                        "`env` shows the key of the model's service".to_owned()
                    })
                })
            },
        );
        self.of_commands(
            "rules",
            "a rule of the user's takes no command out of the sandbox",
            |run| needs(run, "ran", || unmarked(seen, &["rule-first"])),
        );
    }

    /// What a command of a run that edits can do.
    fn writer(&mut self) {
        let seen = self.seen;
        self.of_writer(
            "write",
            "commands of a run that edits write in its tree",
            |writer| held_if(writer.wrote, || writer.ending.clone()),
        );
        self.of_writer(
            "write_pins",
            "they write nowhere else: not into /tmp, not into `.git`, not where the user's configuration allows it",
            |writer| {
                held_if(writer.beyond.is_empty(), || {
                    format!("a command wrote into {}", writer.beyond.join(", "))
                })
            },
        );
        self.of_writer(
            "write_no_network",
            "they open no connection, whatever the user's configuration says",
            |writer| {
                if writer.output.contains(&reached_line("called", WRITER)) {
                    uncalled(seen, WRITER)
                } else {
                    not_checked("the command that tries it did not run")
                }
            },
        );
    }

    fn of_writer(&mut self, name: &str, guarantee: &str, judge: impl FnOnce(&WriterSeen) -> CheckOutcome) {
        let outcome = match (&self.seen.writer, self.without_commands()) {
            (Some(writer), _) if writer.output.contains(&reached_line("ran", WRITER)) => judge(writer),
            (Some(writer), _) => broken(&writer.ending),
            (None, Some(outcome)) => outcome,
            (None, None) => not_checked("it was not tried"),
        };
        self.add(name, guarantee, outcome);
    }

    /// What of the user's and the repository's configuration takes part.
    fn isolation(&mut self) {
        let seen = self.seen;
        self.of_first(
            "guidance",
            "the repository's AGENTS.md is not sent by codex",
            |run| untold(run, GUIDANCE_WORD),
        );
        self.of_first("skills", "the repository's skills are not sent by codex", |run| {
            untold(run, SKILL_WORD)
        });
        self.of_first(
            "project",
            "the configuration of a trusted repository takes no part",
            |run| match untold(run, PROJECT_WORD) {
                CheckOutcome::Held => unmarked(seen, &["server-project"]),
                other => other,
            },
        );
        self.of_first(
            "web_search",
            "the model is not offered to search the web",
            |run| {
                let offered = run
                    .turns
                    .iter()
                    .any(|turn| turn.tool_names().iter().any(|name| name.contains("web_search")));
                held_if(!offered, || "the tool is offered".to_owned())
            },
        );
        self.of_first("servers_off", "the user's MCP servers do not start", |_| {
            let called = seen
                .requests
                .iter()
                .any(|request| request.path.contains(REMOTE_SERVER_PATH));
            if called {
                return broken("the configured address was called");
            }
            unmarked(seen, &["server-plain", "server-dotted"])
        });
        self.of_first(
            "notify_off",
            "the user's notification program does not run",
            |_| unmarked(seen, &["notify"]),
        );
        self.of_first(
            "no_other_address",
            "codex calls nobody but the model's service",
            |_| {
                let other = seen.requests.iter().find(|request| !is_expected(request));
                other.map_or(CheckOutcome::Held, |request| {
                    broken(format!("{} {}", request.method, request.path))
                })
            },
        );
    }

    /// The thread that a run leaves.
    fn thread(&mut self) {
        let seen = self.seen;
        self.of_resumed(
            "resume",
            "a thread goes on under its id and with its history",
            |run| {
                let same = run.transcript.thread == seen.first.transcript.thread;
                let remembers = run.told().contains("end of first");
                held_if(same && remembers, || match (same, remembers) {
                    (false, _) => "another thread answered".to_owned(),
                    (true, _) => "the history is gone".to_owned(),
                })
            },
        );
        self.of_resumed(
            "usage",
            "tokens are counted per thread, and the record holds the same count",
            |run| {
                let first = seen.first.transcript.thread_usage;
                let both = run.transcript.thread_usage;
                let expected = [spent(&[&seen.first]), spent(&[&seen.first, run])];
                held_if(
                    [first, both] == expected.map(Some) && seen.recorded_usage == first,
                    || {
                        format!(
                            "{first:?} and then {both:?}; the record says {:?}",
                            seen.recorded_usage
                        )
                    },
                )
            },
        );
        let unknown = self.without_commands();
        self.of_resumed(
            "resume_read_only",
            "a resumed run is as read-only as the first",
            |run| {
                unknown.unwrap_or_else(|| {
                    needs(run, "ran", || {
                        let outcomes = [
                            unwritten(seen, run),
                            uncalled(seen, run.run),
                            unmarked(seen, &["rule-resumed"]),
                        ];
                        let worst = outcomes
                            .into_iter()
                            .find(|outcome| *outcome != CheckOutcome::Held);
                        worst.unwrap_or(CheckOutcome::Held)
                    })
                })
            },
        );
    }

    /// Variants of a run.
    fn variants(&mut self) {
        let seen = self.seen;
        self.of_bare(
            "shell_off",
            "without a working sandbox the model gets no shell",
            |run| {
                let offered = run.turns.iter().find_map(ShellTool::offered);
                // The tool that runs JavaScript is there for other things too.
                held_if(matches!(offered, None | Some(ShellTool::Code)), || {
                    format!("it is offered {offered:?}")
                })
            },
        );
        self.of_bare("ephemeral", "an ephemeral run leaves no thread", |_| {
            held_if(!seen.bare_recorded, || "its record is there".to_owned())
        });
    }

    /// What is relied on and not tried here.
    fn not_tried(&mut self) {
        self.add(
            "bounded_network",
            "a run without network ends by itself",
            not_checked("it takes half a minute; the test suite tries it"),
        );
        self.add(
            "hooks_off",
            "hooks that the user trusts do not run",
            not_checked("trust in a hook can only be given by hand"),
        );
    }
}
