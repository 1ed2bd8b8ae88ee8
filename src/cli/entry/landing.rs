//! `crosscheck apply --land`: what would land is shown, a person is asked, and only then it lands.
//!
//! Nothing lands here without a yes at the terminal or `--yes` in the command.

use std::io;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::cli::commands::apply::Landing;
use crate::cli::entry::{OnSignal, Session};
use crate::cli::progress::Progress;
use crate::cli::question;
use crate::cli::render::{Look, render};
use crate::cli::signals::Signal;
use crate::cli::streams::Device;
use crate::domain::envelope::Envelope;
use crate::domain::fault::{Fault, FaultCode};
use crate::service::call::{Approver, Call, Request};
use crate::sys::clock;

impl Session<'_, '_> {
    /// Shows what would land, asks, and lands it. Without a terminal nobody can be asked, so `--yes` must have said so.
    pub(super) async fn land(
        &mut self,
        landing: &Landing,
        call: &Call,
        mut progress: Progress,
    ) -> io::Result<Result<Envelope, Signal>> {
        let service = self.service;
        let mut silent = mpsc::channel(1).1;
        let work = Box::pin(service.call(Request::Apply(landing.preview.clone()), call.clone()));
        let looked = self
            .wait(OnSignal::Leave, call, &progress, &mut silent, work)
            .await?;
        let preview = match looked {
            Ok(Envelope::Success(preview)) => preview,
            other => return Ok(other),
        };
        let field = |name: &str| preview.body.get(name);
        let token = field("token").and_then(Value::as_str).map(str::to_owned);
        // What cannot land says why in the words of the landing itself, and asks nobody.
        let is_ready = token.is_some() && (landing.accept_failed_checks || field("failed_checks").is_none());
        let mut call = call.clone();
        if is_ready && !landing.yes {
            let can_ask = self.streams.stdin_device == Device::Terminal
                && self.streams.stderr_device == Device::Terminal;
            if !can_ask {
                let message = "nothing was changed: there is no terminal to ask whether it may land";
                let fault = Fault::new(FaultCode::ApplyNeedsApproval, message)
                    .hint("run the command in a terminal, or add --yes");
                return Ok(Ok(service.refuse("apply", fault, &call)));
            }
            // A line that is redrawn would hide the question.
            progress.finish();
            self.show(&Envelope::Success(preview.clone()))?;
            let agreed = tokio::select! {
                agreed = question::ask("Put this into your files?") => agreed?,
                signal = self.signals.next() => return Ok(Err(signal)),
            };
            if !agreed {
                let fault = Fault::new(
                    FaultCode::ApplyNeedsApproval,
                    "nothing was changed: you did not agree",
                )
                .hint("repeat the command when you want it");
                return Ok(Ok(service.refuse("apply", fault, &call)));
            }
            progress = Progress::start(self.streams.stderr_device, "landing");
        }
        call.approver = Some(Approver::given());
        let work = Box::pin(service.call(Request::Apply(landing.request(token)), call.clone()));
        self.wait(OnSignal::Finish, &call, &progress, &mut silent, work)
            .await
    }

    /// Shows an envelope to the person who is asked about it, apart from the data on stdout.
    fn show(&mut self, envelope: &Envelope) -> io::Result<()> {
        let streams = &mut *self.streams;
        let look = Look {
            width: streams.width,
            colour_stdout: streams.colours_stderr(),
            colour_stderr: streams.colours_stderr(),
            now_ms: clock::now_ms(),
            asked: self.service.peer(),
        };
        let rendered = render(envelope, look);
        streams.stderr.write_all(rendered.stdout.as_bytes())
    }
}
