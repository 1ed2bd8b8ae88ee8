//! The turn that goes on after the connection broke.

use crate::prompt::text::Prompt;
use crate::redact::redact_text;

/// Writes what the peer is told. What was asked stands in the thread, so nothing of it is repeated.
pub fn go_on() -> Prompt {
    Prompt::new(redact_text(
        "The connection broke before your answer was complete, and nothing of an unfinished answer arrived. Go on with \
         what you were asked to do, and use what you have found out already. Then send your whole answer, from its \
         beginning, in the form that was asked for at first.\n",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_asks_for_the_whole_answer() {
        insta::assert_snapshot!("go_on", go_on().as_str());
    }
}
