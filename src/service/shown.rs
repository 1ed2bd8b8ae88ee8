//! What a host is handed hides nothing: invisible characters of every text are spelled out at the one place where
//! envelopes are made. What is kept on disk stays as it came.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::envelope::Meta;
use crate::domain::fault::Fault;
use crate::domain::job_view::JobView;
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

/// Spells out what is invisible in the facts about a call: folders and hosts have names of others' choice.
pub(super) fn meta(mut meta: Meta) -> Meta {
    let texts = [
        &mut meta.workspace,
        &mut meta.repo_root,
        &mut meta.host,
        &mut meta.peer_version,
        &mut meta.thread,
    ];
    texts.into_iter().flatten().for_each(text);
    meta
}

/// Measures a value as it is sent: spelled out, a character may need more room than it takes.
pub(super) fn json_bytes(value: &impl Serialize) -> usize {
    let Ok(text) = serde_json::to_string(value) else {
        return 0;
    };
    // JSON writes a control character with two or six bytes; spelled out it has eight.
    let escapes = text
        .match_indices('\\')
        .map(|(at, _)| match text.as_bytes().get(at + 1) {
            Some(b'u') => 2,
            Some(b'r' | b'b' | b'f') => 6,
            _ => 0,
        });
    make_visible(&text).len() + escapes.sum::<usize>()
}

fn fault(fault: &mut Fault) {
    text(&mut fault.message);
    text(&mut fault.repair.hint);
    if let Some(arguments) = &mut fault.repair.arguments {
        fields(arguments);
    }
    for call in &mut fault.repair.also {
        fields(&mut call.arguments);
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
    fn a_text_is_measured_as_it_is_shown() {
        for text in [
            "plain\nwords",
            "\u{1}\u{1b}[2J",
            "a\rb\u{8}",
            "\u{202e}\u{e0041}",
            "ü漢\"\\",
        ] {
            let mut map = Map::new();
            map.insert("text".to_owned(), json!(text));
            let measured = json_bytes(&map);
            fields(&mut map);
            let shown = serde_json::to_vec(&map).unwrap().len();
            assert!(
                (shown..=shown + 8).contains(&measured),
                "{text:?}: {measured} for {shown}"
            );
        }
    }

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
