//! A review in the form that was asked for: on stdout, or in a file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::commands::output::OutputFlags;
use crate::cli::commands::report::{Existing, Form, ReportFlags};
use crate::cli::commands::review::FailOn;
use crate::cli::entry::{Session, note};
use crate::cli::exit::{UNWRITTEN, exit_code};
use crate::cli::next_call::quoted;
use crate::cli::render::{Look, render};
use crate::cli::streams::Device;
use crate::domain::count::counted;
use crate::domain::envelope::{Envelope, Success};
use crate::domain::fault::{Fault, FaultCode};
use crate::report::{Format, ReviewReport, html, markdown, sarif};
use crate::service::call::Call;
use crate::service::report;
use crate::sys::{clock, files, viewer};

impl Session<'_, '_> {
    /// Prints an answer, or writes the report that was asked for, and returns the exit code.
    pub(super) async fn answer(
        &mut self,
        envelope: &Envelope,
        output: OutputFlags,
        fail_on: FailOn,
        form: Option<Form>,
        call: &Call,
    ) -> io::Result<u8> {
        let first = self.signals.first;
        let success = match envelope {
            Envelope::Success(success) if form.is_some() || fail_on.severity().is_some() => success,
            _ => {
                self.print(envelope, output)?;
                return Ok(exit_code(envelope, fail_on, None, first));
            }
        };
        let report = match report::of_answer(self.service, success).await {
            Ok(Some(report)) => report,
            Ok(None) => return self.unfinished(envelope, success, output, fail_on, form.as_ref()),
            Err(refusal) => {
                // The answer itself is there, and is not hidden by what cannot be read of it now.
                self.print(envelope, output)?;
                let refused = report::refuse(self.service, refusal, call);
                self.print(&refused, OutputFlags::HUMAN)?;
                return Ok(exit_code(&refused, FailOn::Never, None, first));
            }
        };
        let written = if let Some(form) = &form {
            self.write(&report, form, call)?
        } else {
            self.print(envelope, output)?;
            0
        };
        match exit_code(envelope, fail_on, report.worst(), first) {
            0 => Ok(written),
            code => Ok(code),
        }
    }

    /// Says that a review goes on whose report was asked for. Nothing of it goes where the report would have gone.
    fn unfinished(
        &mut self,
        envelope: &Envelope,
        success: &Success,
        output: OutputFlags,
        fail_on: FailOn,
        form: Option<&Form>,
    ) -> io::Result<u8> {
        let code = exit_code(envelope, fail_on, None, self.signals.first);
        let (Some(form), Some(job)) = (form, &success.job) else {
            self.print(envelope, output)?;
            return Ok(code);
        };
        note(&success.summary, self.streams)?;
        let command = again(job.id.as_str(), form);
        note(
            &format!("no report was written; when it is over: `{command}`"),
            self.streams,
        )?;
        Ok(if code == 0 {
            FaultCode::JobNotFinished.exit_code()
        } else {
            code
        })
    }

    /// Reads the report of an ended review and writes it.
    pub(super) async fn report(
        &mut self,
        flags: &ReportFlags,
        form: Result<Form, Fault>,
        call: &Call,
    ) -> io::Result<u8> {
        let checked = form.and_then(|form| form.check().map(|()| form));
        let mut form = match checked {
            Ok(form) => form,
            Err(fault) => {
                let refused = self.service.refuse("report", fault, call);
                self.print(&refused, flags.output)?;
                return Ok(exit_code(&refused, FailOn::Never, None, None));
            }
        };
        let json = OutputFlags {
            json: form.format == Format::Json && form.file.is_none(),
        };
        let read = report::read(self.service, &flags.id, flags.workspace.clone()).await;
        let page = read.and_then(|report| {
            if flags.open && form.file.is_none() {
                form.file = report::page_path(self.service, &report)?;
                form.existing = Existing::Replace;
            }
            Ok(report)
        });
        let report = match page {
            Ok(report) => report,
            Err(refusal) => {
                let refused = report::refuse(self.service, refusal, call);
                self.print(&refused, json)?;
                return Ok(exit_code(&refused, FailOn::Never, None, None));
            }
        };
        let code = self.write(&report, &form, call)?;
        if let (true, 0, Some(file)) = (flags.open, code, &form.file) {
            self.open(file)?;
        }
        Ok(code)
    }

    /// Prints a file's path, and opens it where somebody sits before a terminal.
    fn open(&mut self, file: &Path) -> io::Result<()> {
        writeln!(self.streams.stdout, "{}", file.display())?;
        if self.streams.stdout_device == Device::Terminal
            && let Err(error) = viewer::open(file, self.service.environment())
        {
            note(&format!("it cannot be opened from here: {error}"), self.streams)?;
        }
        Ok(())
    }

    /// Writes a report to its file or to stdout. A file that cannot be written is told with the command that writes it
    /// again, free: the review itself is kept.
    fn write(&mut self, report: &ReviewReport, form: &Form, call: &Call) -> io::Result<u8> {
        let Some(file) = &form.file else {
            if matches!(form.format, Format::Text | Format::Json) {
                let output = OutputFlags {
                    json: form.format == Format::Json,
                };
                self.print(&report::envelope(self.service, report, call), output)?;
            } else {
                let bytes = self.bytes(report, form.format, call);
                self.streams.stdout.write_all(&bytes)?;
            }
            return Ok(0);
        };
        let bytes = self.bytes(report, form.format, call);
        let written = match form.existing {
            Existing::Keep => files::create_atomic(file, &bytes),
            Existing::Replace => files::write_atomic(file, &bytes),
        };
        let shown = file.display();
        match written {
            Ok(()) => {
                let found = counted(report.answer.findings.len(), "finding");
                note(
                    &format!("{found} written to {shown} ({})", form.format.as_str()),
                    self.streams,
                )?;
                Ok(0)
            }
            Err(error) => {
                note(
                    &format!("error: {shown} cannot be written: {error}"),
                    self.streams,
                )?;
                if let Some(job) = &report.job {
                    let command = again(job.id.as_str(), form);
                    note(
                        &format!("hint: the review is kept; `{command}` writes it again"),
                        self.streams,
                    )?;
                }
                Ok(UNWRITTEN)
            }
        }
    }

    fn bytes(&self, report: &ReviewReport, format: Format, call: &Call) -> Vec<u8> {
        match format {
            Format::Text => {
                let look = Look {
                    width: self.streams.width,
                    colour_stdout: false,
                    colour_stderr: false,
                    now_ms: clock::now_ms(),
                    asked: self.service.peer(),
                };
                let envelope = report::envelope(self.service, report, call);
                render(&envelope, look).stdout.as_bytes().to_vec()
            }
            Format::Json => {
                let envelope = report::envelope(self.service, report, call);
                let mut line = serde_json::to_vec(&envelope).unwrap_or_default();
                line.push(b'\n');
                line
            }
            Format::Markdown => markdown::write(report).into_bytes(),
            Format::Sarif => sarif::write(report).into_bytes(),
            Format::Html => html::write(report).into_bytes(),
        }
    }
}

/// The command that writes a report again.
fn again(id: &str, form: &Form) -> String {
    let mut command = format!(
        "crosscheck report {} --format {}",
        quoted(id),
        form.format.as_str()
    );
    if let Some(file) = form.file.as_ref().and_then(|file: &PathBuf| file.to_str()) {
        command.push_str(" -o ");
        command.push_str(&quoted(file));
    }
    command
}
