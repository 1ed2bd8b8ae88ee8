//! The change that a delegate left, as the subject of a review. It is read from what is kept of its job, and is in nobody's
//! working tree.

use serde_json::json;

use crate::diff::attributes::Attributes;
use crate::diff::parse::parse_patch;
use crate::domain::delegation::{Baseline, Delegation};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobKind, JobName};
use crate::domain::limits;
use crate::git::{self, Change, Git, Oid, ResolvedScope, Vault, common_directory};
use crate::run::reap::reap;
use crate::service::base_files::{BaseFiles, wanted};
use crate::service::context::Service;
use crate::service::git_fault::git_fault;
use crate::service::group::{self, Found};
use crate::service::guidance::project_root;
use crate::service::review_input::{Held, ReviewInput, input};
use crate::service::workspace::Workspace;
use crate::state::directory::Job;
use crate::state::record::Expects;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;

/// The argument that names the job.
const FIELD: &str = "job";

/// What is read of a delegate's job.
pub(super) struct Asked<'a> {
    /// The job.
    pub(super) name: &'a JobName,
    /// Only these files or folders, relative to the repository's root.
    pub(super) paths: &'a [String],
    /// The folder of the call.
    pub(super) workspace: &'a Workspace,
    /// What is kept back.
    pub(super) held: Held,
    /// Bytes beyond which a change is planned by its sizes alone.
    pub(super) planned_bytes: usize,
}

/// Reads the change. A job that is no ended delegate with a result is a fault that says what to name instead.
pub(super) async fn gather_job(
    service: &Service,
    store: &Store,
    asked: Asked<'_>,
) -> Result<ReviewInput, Fault> {
    let (job, delegation) = find(store, asked.name, asked.workspace).await?;
    let baseline = delegation.baseline;
    check_repository(&job, &baseline, asked.workspace)?;
    let result = job.directory.read_result()?;
    let Some(work) = result
        .and_then(|result| result.work)
        .filter(|work| !work.is_empty())
    else {
        let message = format!(
            "job {} left nothing in the files, so there is nothing to review",
            job.id()
        );
        return Err(Fault::new(FaultCode::NothingToReview, message).field(FIELD));
    };
    let (Some(base), Some(head)) = (Oid::parse(&baseline.commit), Oid::parse(&work.commit)) else {
        return Err(Fault::new(
            FaultCode::StateUnavailable,
            "the record of the job names no commits",
        ));
    };
    let paths = asked.paths.to_vec();
    let directory = asked.workspace.readable()?.to_owned();
    let environment = service.environment().clone();
    let folder = RepositoryFolder::of(store, &baseline.common_directory);
    let (kept_back, planned_bytes) = (asked.held, asked.planned_bytes);
    let gathering = move || {
        let variables = environment.iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        let names = wanted(&baseline.top_level, &directory);
        let vault = Vault::existing(&git, folder.path()).map_err(|error| git_fault(&error))?;
        let change = read(&vault, (base, head), paths)?;
        let base = change.base.as_ref().map(|base| vault.files_at(base, &names));
        let base = BaseFiles::of(base, &change.patch, &names, &baseline.common_directory);
        // Names and markers alone say what is generated here; what no attribute says is shown.
        let said = Attributes::default();
        let mut input = input(baseline.top_level, change, &kept_back, (&said, planned_bytes));
        input.base = base;
        Ok(input)
    };
    tokio::task::spawn_blocking(gathering).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "reading the change stopped unexpectedly",
        ))
    })
}

async fn find(store: &Store, name: &JobName, workspace: &Workspace) -> Result<(Job, Delegation), Fault> {
    let job = match group::find_kind(store, name, workspace, JobKind::Delegate)
        .map_err(|fault| fault.field(FIELD))?
    {
        Found::Job(job) => *job,
        Found::Group(group) => {
            let message = format!(
                "{} is a group; each of its jobs left a change of its own",
                group.id
            );
            return Err(Fault::argument(FIELD, message)
                .allowing(group.members.iter().map(|member| member.job.as_str()))
                .hint("name one of its jobs"));
        }
    };
    let Expects::Delegate { delegation } = &job.spec.expects else {
        let kind = job.spec.kind.as_str();
        let message = format!(
            "job {} is a {kind}, and only a delegate leaves a change",
            job.id()
        );
        return Err(Fault::argument(FIELD, message)
            .hint("list the jobs and take the id of a delegate from there")
            .call("job", json!({})));
    };
    let delegation = (**delegation).clone();
    if job.state.is_active() {
        let message = format!("job {} is {}", job.id(), job.state.as_str());
        return Err(Fault::new(FaultCode::JobNotFinished, message)
            .field(FIELD)
            .call("job", json!({"id": job.id(), "wait_s": 600})));
    }
    reap(&job.directory).await?;
    Ok((store.read(job.id())?, delegation))
}

/// Refuses a job of another repository: the reviewer reads the code around the change in the folder of the call.
fn check_repository(job: &Job, baseline: &Baseline, workspace: &Workspace) -> Result<(), Fault> {
    let here = project_root(workspace.readable()?).and_then(|root| common_directory(&root));
    if here.as_ref() == Some(&baseline.common_directory) {
        return Ok(());
    }
    let message = format!("job {} is of another repository than this folder", job.id());
    let arguments =
        json!({"scope": "job", "job": job.id(), "workspace": baseline.top_level.display().to_string()});
    Err(Fault::new(FaultCode::InvalidWorkspace, message)
        .field("workspace")
        .call("review", arguments))
}

/// Reads what lies between the two commits of a job.
fn read(vault: &Vault, (base, head): (Oid, Oid), paths: Vec<String>) -> Result<Change, Fault> {
    let bytes = vault
        .patch(&base, &head, &[])
        .map_err(|error| git_fault(&error))?;
    if bytes.len() > limits::DIFF_BYTES {
        let message = format!(
            "the change has {} bytes; the limit is {}",
            bytes.len(),
            limits::DIFF_BYTES
        );
        return Err(Fault::new(FaultCode::InputTooLarge, message).field(FIELD));
    }
    let mut patch = parse_patch(&bytes).map_err(|error| {
        Fault::new(
            FaultCode::Internal,
            format!("what git wrote of the job cannot be read: {error}"),
        )
    })?;
    patch
        .files
        .retain(|file| is_within(&file.new_path, &paths) || is_within(&file.old_path, &paths));
    if patch.files.is_empty() {
        let message = "the job changed nothing in these paths, so there is nothing to review";
        return Err(Fault::new(FaultCode::NothingToReview, message).field("paths"));
    }
    Ok(Change {
        scope: ResolvedScope::Job,
        base: Some(base),
        base_name: None,
        head: Some(head),
        paths,
        patch,
        left_out: Vec::new(),
        elsewhere: None,
    })
}

/// Tells whether a path is one of these, or below one; any is when there are none.
fn is_within(path: &[u8], paths: &[String]) -> bool {
    paths.is_empty()
        || paths.iter().any(|wanted| {
            let wanted = wanted.trim_start_matches("./").trim_end_matches('/').as_bytes();
            path.strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_what_is_below_it() {
        let check = |path: &str, wanted: &[&str], expected: bool| {
            let wanted: Vec<String> = wanted.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(is_within(path.as_bytes(), &wanted), expected, "{path} {wanted:?}");
        };
        check("src/a.rs", &[], true);
        check("src/a.rs", &["src"], true);
        check("src/a.rs", &["./src/"], true);
        check("src/a.rs", &["docs", "src/a.rs"], true);
        check("srcs/a.rs", &["src"], false);
    }
}
