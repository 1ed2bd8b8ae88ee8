//! The one turn in which the peer may repair its answer.

use crate::prompt::answer::AnswerError;
use crate::prompt::text::Prompt;
use crate::redact::redact_text;

/// Writes what the peer is told when its answer cannot be read. The answer itself is not repeated: the peer has it.
pub fn repair(error: &AnswerError) -> Prompt {
    Prompt::new(redact_text(&format!(
        "Your last answer could not be read: {error}.\n\n\
         Send the same answer again as one JSON object that follows the given schema: every property present, null where \
         there is no value, no other properties. Send the JSON only: no code fence, no words before or after it. Do not \
         look at anything again and do not change what you found.\n"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::parse_review;

    #[test]
    fn the_repair_turn_names_what_was_wrong() {
        let error = parse_review("{\"summary\": 1}").unwrap_err();
        insta::assert_snapshot!("repair", repair(&error).as_str());
    }
}
