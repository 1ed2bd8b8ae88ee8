//! What a command comes to: a call of the service, or work of the terminal's own.

use crate::cli::command::Command;
use crate::cli::commands::apply::{Asked, Landing};
use crate::cli::commands::baseline::BaselineAction;
use crate::cli::commands::config::{ConfigAction, PlaceFlags};
use crate::cli::commands::demo::DemoFlags;
use crate::cli::commands::logs::LogsFlags;
use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::report::{Form, ReportFlags};
use crate::cli::commands::review::{FailOn, ReviewFlags};
use crate::cli::commands::watch::WatchFlags;
use crate::cli::errand::Errand;
use crate::cli::input::Input;
use crate::domain::fault::Fault;
use crate::domain::request::{ApplyAction, JobRequest};
use crate::report::Format;
use crate::service::call::Request;

/// What a command comes to.
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub(super) enum Work {
    /// A call of the service.
    Ask {
        tool: &'static str,
        request: Result<Request, Fault>,
        output: OutputFlags,
        fail_on: FailOn,
        /// The form in which the answer is written, where it is not the usual one.
        form: Option<Form>,
        /// What a person is told before it begins.
        note: Option<String>,
    },
    Logs(LogsFlags),
    Watch(WatchFlags),
    Demo(DemoFlags),
    Land(Landing),
    Report(Box<ReportFlags>, Result<Form, Fault>),
    Errand(Errand),
    CheckConfig(PlaceFlags),
    /// A command that `main` runs itself.
    Door,
}

/// Turns a parsed command into what it comes to.
pub(super) fn work_of(command: Command, input: &mut Input<'_>) -> Work {
    let ask = |tool, output, request| Work::Ask {
        tool,
        request,
        output,
        fail_on: FailOn::Never,
        form: None,
        note: None,
    };
    match command {
        Command::Status(flags) => {
            let output = flags.output;
            ask("status", output, Ok(Request::Status(flags.request(input))))
        }
        Command::Consult(flags) => {
            let output = flags.paid.output;
            match flags.routed(input) {
                Ok((request, note)) => Work::Ask {
                    tool: request.tool(),
                    request: Ok(request),
                    output,
                    fail_on: FailOn::Never,
                    form: None,
                    note,
                },
                Err(fault) => ask("consult", output, Err(fault)),
            }
        }
        Command::Route(flags) => {
            let output = flags.output;
            ask("status", output, Ok(Request::Status(flags.request())))
        }
        Command::Gate(flags) => {
            let output = flags.output;
            ask("status", output, Ok(Request::Status(flags.request(input))))
        }
        Command::Review(flags) => review(flags, input),
        Command::Delegate(flags) => {
            let output = flags.paid.output;
            ask("delegate", output, flags.request(input).map(Request::Delegate))
        }
        Command::DryRun(flags) => {
            let output = flags.output();
            ask("dry_run", output, flags.request(input).map(Request::DryRun))
        }
        Command::Jobs(flags) if flags.watch => Work::Watch(flags.watched(input)),
        Command::Jobs(flags) => {
            let output = flags.output;
            ask("job", output, Ok(Request::Job(flags.request(input))))
        }
        Command::Job(flags) => {
            let output = flags.output;
            ask("job", output, Ok(Request::Job(flags.request(input))))
        }
        Command::Report(mut flags) => {
            let form = flags.form(input);
            flags.workspace = input.folder(flags.workspace.take());
            Work::Report(Box::new(flags), form)
        }
        Command::Cancel(flags) => {
            let output = flags.output;
            ask("cancel", output, Ok(Request::Cancel(flags.request())))
        }
        Command::Apply(flags) => match flags.asked(input) {
            Asked::Call(request, output) => ask("apply", output, Ok(Request::Apply(request))),
            Asked::Land(landing) => Work::Land(landing),
        },
        Command::Undo(flags) => {
            let output = flags.output;
            ask("apply", output, Ok(Request::Apply(flags.request())))
        }
        Command::Suppress(mut flags) => {
            flags.workspace = input.folder(flags.workspace.take());
            Work::Errand(Errand::Suppress(flags))
        }
        Command::Baseline(mut flags) => {
            let place = match &mut flags.action {
                BaselineAction::Write(flags) => &mut flags.place,
                BaselineAction::Show(flags) => flags,
            };
            place.workspace = input.folder(place.workspace.take());
            Work::Errand(Errand::Baseline(flags))
        }
        Command::Clean(flags) => Work::Errand(Errand::Clean(flags)),
        Command::Logs(flags) => Work::Logs(flags),
        Command::Demo(flags) => Work::Demo(flags),
        Command::Config(flags) => match flags.action {
            ConfigAction::Show(flags) => {
                let output = flags.output;
                ask("status", output, Ok(Request::Status(flags.request(input))))
            }
            ConfigAction::Check(flags) => Work::CheckConfig(flags.placed(input)),
        },
        Command::Contract(flags) => Work::Errand(Errand::Contract(flags)),
        Command::Doctor(flags) => Work::Errand(Errand::Doctor(flags)),
        Command::Setup(flags) => Work::Errand(Errand::Setup(flags)),
        Command::PrintConfig(flags) => Work::Errand(Errand::PrintConfig(flags)),
        Command::Uninstall(flags) => Work::Errand(Errand::Uninstall(flags)),
        Command::Transfer(flags) => Work::Errand(Errand::Transfer(flags)),
        Command::Serve(_) | Command::Worker(_) | Command::Hook(_) => Work::Door,
    }
}

/// A review, whose form is looked at before anything else: a file that cannot be written is told before it is paid for.
fn review(flags: ReviewFlags, input: &mut Input<'_>) -> Work {
    let form = flags.form(input);
    let usual = flags.form.form(input, flags.subject.paid.output, Format::Text);
    Work::Ask {
        tool: "review",
        output: OutputFlags {
            json: usual.format == Format::Json,
        },
        fail_on: flags.fail_on,
        note: None,
        form: form.clone().unwrap_or_default(),
        request: form.and_then(|_| flags.subject.request(input).map(Request::Review)),
    }
}

/// What a first signal does to a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnSignal {
    /// It starts a job and waits for it: Ctrl-C ends both.
    EndRun,
    /// It waits for a job that somebody else started: the wait ends.
    EndWait,
    /// It is left at once.
    Leave,
    /// It changes files and takes moments: half of it would have to be taken back.
    Finish,
}

impl OnSignal {
    /// Decides it by the call.
    pub(super) fn of(request: &Request) -> Self {
        match request {
            Request::Consult(_) | Request::Review(_) | Request::Delegate(_) => Self::EndRun,
            Request::Job(JobRequest::Show { .. }) => Self::EndWait,
            Request::Status(_)
            | Request::DryRun(_)
            | Request::Job(JobRequest::List { .. })
            | Request::Cancel(_) => Self::Leave,
            Request::Apply(apply) => match apply.action {
                ApplyAction::Preview | ApplyAction::Discard => Self::Leave,
                ApplyAction::Land { .. } | ApplyAction::Branch { .. } | ApplyAction::Undo => Self::Finish,
            },
        }
    }
}
