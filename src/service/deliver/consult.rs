//! The answer of a consult.

use serde_json::{Map, Value, json};

use crate::domain::answer::ConsultAnswer;
use crate::domain::time::spoken;
use crate::domain::visible::make_visible;
use crate::peer::transcript::{head, truncate};
use crate::service::deliver::room::{ROOM, json_bytes, shorten_lists, truncated};
use crate::service::reply::fields;
use crate::state::directory::{Job, JobDirectory};
use crate::state::record::ResultRecord;

/// Bytes of an answer that stay inline in any case; below this the lists beside it are cut.
const SHORTEST_BYTES: usize = 8 * 1024;

/// Says that there is one.
pub(super) fn summary(job: &Job, result: &ResultRecord) -> String {
    format!(
        "{} answered in {} ({}). Check its claims before you act on them.",
        job.spec.peer.name,
        spoken(result.elapsed_ms),
        job.spec.label
    )
}

/// The fields of a consult that fit an envelope.
pub(super) fn body(answer: &ConsultAnswer, directory: &JobDirectory) -> Map<String, Value> {
    // What is not shown is not copied first: it may have megabytes.
    let long = answer.answer.len() > ROOM;
    let mut body = if long {
        fields(&ConsultAnswer {
            answer: head(&answer.answer, ROOM).to_owned(),
            code: Vec::new(),
            report: answer.report.clone(),
            questions: answer.questions.clone(),
            assumptions: answer.assumptions.clone(),
        })
    } else {
        fields(answer)
    };
    body.insert("findings".to_owned(), json!([]));
    if long || json_bytes(&body) > ROOM {
        // The code stands in the answer too: leaving out the second copy first loses nothing.
        body.insert("code".to_owned(), json!([]));
        // Spelled out before it is cut, so that what is cut is what is sent.
        let mut text = make_visible(head(&answer.answer, ROOM)).into_owned();
        let mut bytes = ROOM;
        // How long a text is in JSON depends on what is in it, so it is tried.
        while json_bytes(&body) > ROOM && bytes > SHORTEST_BYTES {
            truncate(&mut text, bytes);
            body.insert("answer".to_owned(), text.clone().into());
            bytes = bytes * 7 / 8;
        }
        shorten_lists(&mut body, ROOM);
        let file = directory.answer_path();
        // A short answer with long lists has no file of its own.
        let file = if file.exists() {
            file
        } else {
            directory.result_path()
        };
        body.insert("truncated".to_owned(), truncated(answer.answer.len(), &file));
    }
    body
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::limits;

    #[test]
    fn a_long_answer_is_shown_in_part_however_long_it_is() {
        let check = |line: &str, bytes: usize| {
            let answer = ConsultAnswer {
                answer: line.repeat(bytes / line.len()),
                ..ConsultAnswer::default()
            };
            let directory = JobDirectory::at(Path::new("/nonexistent/jobs/one"));
            let body = body(&answer, &directory);
            let shown = body["answer"].as_str().map_or(0, str::len);
            assert!(
                json_bytes(&body) < limits::INLINE_BYTES,
                "{bytes} bytes stay in bounds"
            );
            assert!(
                shown > limits::INLINE_BYTES / 8,
                "{bytes} bytes are shown in part, not {shown}"
            );
        };
        check("a line of words\n", 60_000);
        check("a line of words\n", 5_000_000);
        check("\"\u{1}\n", 200_000);
    }
}
