//! What a host is handed hides nothing: invisible characters of every text are spelled out at the one place where
//! envelopes are made. What is kept on disk stays as it came.

use serde_json::{Map, Value};

use crate::domain::envelope::JobView;
use crate::domain::fault::Fault;
use crate::domain::visible::make_visible;
use crate::service::reply::{Refusal, Reply};

/// Spells out what is invisible in a reply.
pub(super) fn reply(reply: &mut Reply) {
    text(&mut reply.summary);
    job(reply.job.as_mut());
    fields(&mut reply.body);
    reply.next_steps.iter_mut().for_each(text);
    reply.warnings.iter_mut().for_each(text);
}

/// Spells out what is invisible in a refusal.
pub(super) fn refusal(refusal: &mut Refusal) {
    job(refusal.job.as_mut());
    fault(&mut refusal.fault);
}

fn fault(fault: &mut Fault) {
    text(&mut fault.message);
    text(&mut fault.repair.hint);
    if let Some(arguments) = &mut fault.repair.arguments {
        fields(arguments);
    }
}

fn job(job: Option<&mut JobView>) {
    if let Some(job) = job {
        text(&mut job.label);
        job.phase.iter_mut().for_each(text);
    }
}

fn fields(fields: &mut Map<String, Value>) {
    fields.values_mut().for_each(value);
}

fn value(tree: &mut Value) {
    match tree {
        Value::String(words) => text(words),
        Value::Array(items) => items.iter_mut().for_each(value),
        Value::Object(map) => fields(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn text(text: &mut String) {
    if let std::borrow::Cow::Owned(shown) = make_visible(text) {
        *text = shown;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fault::FaultCode;

    #[test]
    fn nothing_of_an_envelope_hides_anything() {
        let mut told = Reply {
            summary: "a\u{202e}b".into(),
            warnings: vec!["\u{1b}[2J".into()],
            next_steps: vec!["\u{200b}".into()],
            ..Reply::default()
        };
        told.body
            .insert("findings".into(), json!([{"title": "x\u{e0041}\ny", "line": 1}]));
        reply(&mut told);
        assert_eq!(told.summary, "a<U+202E>b");
        assert_eq!(told.warnings, ["<U+001B>[2J"]);
        assert_eq!(told.next_steps, ["<U+200B>"]);
        assert_eq!(
            told.body["findings"],
            json!([{"title": "x<U+E0041>\ny", "line": 1}])
        );
        let mut refused = Refusal::from(Fault::new(FaultCode::PeerFailed, "codex said \u{7}"));
        refusal(&mut refused);
        assert_eq!(refused.fault.message, "codex said <U+0007>");
    }
}
