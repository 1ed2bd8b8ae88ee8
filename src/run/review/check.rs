//! The check of what was found: further model calls that try to refute it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::excerpt::excerpt;
use crate::diff::patch::Patch;
use crate::diff::render::{LEGEND, render};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::{Basis, Finding, Refuted, Severity};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::limits;
use crate::domain::pass::Purpose;
use crate::domain::review_answer::{Target, Verification, VerificationStatus};
use crate::domain::review_plan::ReviewPlan;
use crate::peer::transcript::CommandRun;
use crate::prompt::{
    Fence, Holds, Prompt, Ruling, Rulings, VerifyParts, list_findings, parse_verify, verify, verify_schema,
};
use crate::redact::{redact_counted, redact_text};
use crate::run::attempt::Attempt;
use crate::run::review::flow::sharers;
use crate::run::review::gather::Left;
use crate::run::review::pass::Task;
use crate::run::review::side_by_side::{Work, run_all};
use crate::state::error::StateError;
use crate::state::passes;
use crate::state::record::{Egress, EgressFile};
use crate::sys::files;

/// Characters of a command that can be told from others.
const COMMAND_CHARS: usize = 6;

/// What the check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// What stays, in its order.
    pub findings: Vec<Finding>,
    /// What was refuted.
    pub refuted: Vec<Refuted>,
    /// How it went.
    pub verification: Verification,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// Findings that are checked by one call.
struct Group {
    ids: BTreeSet<String>,
    prompt: Prompt,
    egress: Egress,
}

impl Attempt<'_> {
    /// Lets other model calls try to refute findings, which come the worst first. A check that fails leaves them as they are.
    pub(super) async fn doubt(
        &self,
        findings: Vec<Finding>,
        target: &Target,
        patch: &Patch,
        plan: &ReviewPlan,
        left: &mut Left,
    ) -> Checked {
        let doubted: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.severity < Severity::Nit)
            .collect();
        if doubted.is_empty() {
            let mut checked = Checked {
                findings,
                ..Checked::default()
            };
            checked.verification.status = VerificationStatus::NotNeeded;
            return checked;
        }
        self.stage("verifying the findings");
        let mut warnings = Vec::new();
        let groups = match self.groups(&doubted, target, patch, plan) {
            Ok(groups) => groups,
            Err(fault) => {
                warnings.push(format!("the findings were not verified: {}", fault.message));
                Vec::new()
            }
        };
        let asked: usize = groups.iter().map(|group| group.ids.len()).sum();
        if asked < doubted.len() && !groups.is_empty() {
            warnings.push(format!(
                "only the first {asked} of {} findings were verified, the worst",
                doubted.len()
            ));
        }
        let is_whole = asked == doubted.len();
        let (rulings, answered) = self.ask_groups(&groups, plan, left, &mut warnings).await;
        let mut checked = apply(findings, &rulings);
        checked.verification.status = match answered {
            0 => VerificationStatus::Failed,
            _ if is_whole && answered == groups.len() => VerificationStatus::Completed,
            _ => VerificationStatus::Partial,
        };
        checked.warnings = warnings;
        checked
    }

    /// Runs the calls and returns what they say, and how many of them answered.
    async fn ask_groups(
        &self,
        groups: &[Group],
        plan: &ReviewPlan,
        left: &mut Left,
        warnings: &mut Vec<String>,
    ) -> (BTreeMap<String, (Ruling, bool)>, usize) {
        let reads: Vec<_> = groups
            .iter()
            .map(|group| |text: &str| parse_verify(text, &group.ids))
            .collect();
        let mut work: Vec<Work<'_, _>> = Vec::new();
        for ((number, group), read) in (1_u32..).zip(groups).zip(&reads) {
            let pass = plan.passes() + number;
            if let Err(error) = self.keep_prompt(pass, group) {
                warnings.push(format!("findings were not verified: {error}"));
                continue;
            }
            work.push(Box::pin(self.pass(Task {
                number: pass,
                purpose: Purpose::Verify { group: number },
                prompt: passes::prompt_path(self.directory, pass),
                schema: passes::schema_path(self.directory),
                sharers: sharers(plan).saturating_mul(u32::try_from(groups.len()).unwrap_or(u32::MAX)),
                read,
            })));
        }
        let (mut rulings, mut answered) = (BTreeMap::new(), 0);
        for ended in run_all(self, work).await {
            let Some(ended) = ended else {
                warnings.push(
                    "findings were not verified: the job was ended, or had no tokens or time left".to_owned(),
                );
                continue;
            };
            let commands = ended.remains.transcript.commands.clone();
            match left.take(ended) {
                (_, Ok(said)) => {
                    answered += 1;
                    note_odd(&said, warnings);
                    rulings.extend(said.by_id.into_iter().map(|(id, ruling)| {
                        let was_run = ruling
                            .command
                            .as_deref()
                            .is_some_and(|line| was_run(line, &commands));
                        (id, (ruling, was_run))
                    }));
                }
                (_, Err((_, fault))) => warnings.push(format!(
                    "findings were not verified, since that pass gave no answer: {}",
                    fault.message
                )),
            }
        }
        (rulings, answered)
    }

    /// Divides the findings among calls: as many as fit a prompt, in a bounded number of prompts.
    fn groups(
        &self,
        doubted: &[&Finding],
        target: &Target,
        patch: &Patch,
        plan: &ReviewPlan,
    ) -> Result<Vec<Group>, Fault> {
        let language = plan.language.as_deref().map(redact_text);
        let target = redact_text(&format!("scope {}, {} files", target.scope, target.files));
        let internal = |text: String| Fault::new(FaultCode::Internal, text);
        let random = getrandom::u64()
            .map_err(|error| internal(format!("no random numbers from the system: {error}")))?;
        let fence = Fence::new(&format!("{random:016x}")).map_err(|error| internal(error.to_string()))?;
        let write = |part: &[&Finding], patch: &Patch| {
            let shown = excerpt(patch, part);
            let findings = list_findings(part);
            let hunks = redact_counted(&render(&shown).text);
            let prompt = verify(
                &VerifyParts {
                    target: &target,
                    findings: &findings.text,
                    hunks: &hunks.text,
                    legend: LEGEND,
                    language: language.as_ref(),
                    tools: self.spec.tools,
                },
                &fence,
            );
            let egress = Egress {
                prompt_bytes: prompt.as_str().len(),
                prompt_sha256: sha256_hex(prompt.as_str().as_bytes()),
                files: EgressFile::of_change(&shown),
                withheld: Vec::new(),
                masked: findings.count + hunks.count,
            };
            (prompt, egress)
        };
        let fits = |prompt: &Prompt| {
            prompt.as_str().len() <= self.config.prompt_bytes.value && prompt.chars() <= limits::PROMPT_CHARS
        };
        let mut groups = Vec::new();
        let mut rest = doubted;
        while !rest.is_empty() && groups.len() < limits::VERIFY_GROUPS {
            let mut size = rest.len().min(limits::VERIFIED_AT_ONCE);
            let (prompt, egress) = loop {
                let written = write(&rest[..size], patch);
                if fits(&written.0) {
                    break written;
                }
                if size == 1 {
                    // Its lines are longer than a prompt; the repository has them too.
                    break write(&rest[..1], &Patch::default());
                }
                size = size.div_ceil(2);
            };
            groups.push(Group {
                ids: rest[..size].iter().map(|finding| finding.id.clone()).collect(),
                prompt,
                egress,
            });
            rest = &rest[size..];
        }
        Ok(groups)
    }

    /// Writes what a call is sent beside the job, where a person can check it, and the account of it: before anything of it
    /// leaves the machine, as for the prompts of the looks.
    fn keep_prompt(&self, pass: u32, group: &Group) -> Result<(), StateError> {
        passes::write_egress(self.directory, pass, &group.egress)?;
        let schema = passes::schema_path(self.directory);
        let write = |path: std::path::PathBuf, bytes: &[u8]| {
            files::replace(&path, bytes).map_err(StateError::io("write", path))
        };
        write(schema, verify_schema().to_string().as_bytes())?;
        write(
            passes::prompt_path(self.directory, pass),
            group.prompt.as_str().as_bytes(),
        )
    }
}

/// Puts what was said of findings to them, by their ids, with whether the command that is named was seen to run. Nothing is
/// called reproduced by a command that we did not see.
pub fn apply(findings: Vec<Finding>, rulings: &BTreeMap<String, (Ruling, bool)>) -> Checked {
    let mut checked = Checked::default();
    let tally = &mut checked.verification;
    for mut finding in findings {
        let Some((ruling, was_run)) = rulings.get(&finding.id) else {
            tally.undecided += u32::from(finding.severity < Severity::Nit);
            checked.findings.push(finding);
            continue;
        };
        finding.stands_in_base = ruling.in_base;
        match ruling.holds {
            Holds::Refuted => {
                tally.refuted += 1;
                checked.refuted.push(Refuted {
                    finding,
                    reason: ruling.reason.clone(),
                });
                continue;
            }
            Holds::Confirmed => {
                tally.confirmed += 1;
                tally.reproduced += u32::from(*was_run);
                finding.basis = if *was_run {
                    Basis::Reproduced
                } else {
                    Basis::Verified
                };
            }
            Holds::Undecided => tally.undecided += 1,
        }
        finding.check = Some(ruling.reason.clone()).filter(|reason| !reason.is_empty());
        checked.findings.push(finding);
    }
    checked
}

/// Tells whether a command is among those that ran to their end.
fn was_run(line: &str, commands: &[CommandRun]) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = plain(line);
    line.chars().count() >= COMMAND_CHARS
        && commands
            .iter()
            .any(|run| run.exit_code.is_some() && plain(&run.command).contains(&line))
}

fn note_odd(said: &Rulings, warnings: &mut Vec<String>) {
    if said.unknown > 0 {
        warnings.push(format!(
            "{} verdicts on findings that nobody asked about were left out",
            said.unknown
        ));
    }
    if said.malformed > 0 {
        warnings.push(format!("{} verdicts could not be read", said.malformed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_reproduced_only_by_a_command_that_ran() {
        let ran = |command: &str, exit_code| CommandRun {
            command: command.to_owned(),
            exit_code,
        };
        let commands = [
            ran("/bin/bash -lc 'python3  -c \"print(1 - 2)\"'", Some(0)),
            ran("/bin/bash -lc 'sleep 900'", None),
        ];
        let check = |line: &str, expected: bool| assert_eq!(was_run(line, &commands), expected, "{line}");
        check("python3 -c \"print(1 - 2)\"", true);
        check("python3 -c \"print(2)\"", false);
        check("sleep 900", false);
        check("bash", false);
        check("", false);
    }
}
