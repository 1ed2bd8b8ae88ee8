//! A session that a launcher began while the program was being installed.
//!
//! The launcher answered `initialize` so that the host did not give up, and keeps what the host wrote. The program takes
//! the same pipes over, reads those lines first, and answers all of them but the first, which is answered already.

use rmcp::model::RequestId;
use serde::Deserialize;

/// What the launcher read: the request that opened the session, and whatever is still to be answered.
#[derive(Debug)]
pub struct HandedOver {
    lines: Vec<u8>,
    answered: RequestId,
}

#[derive(Deserialize)]
struct Opening {
    id: RequestId,
    method: String,
}

impl HandedOver {
    /// Takes the lines, each with its line end; `None` when the first does not open a session.
    pub fn parse(lines: Vec<u8>) -> Option<Self> {
        let end = lines.iter().position(|byte| *byte == b'\n')?;
        let opening: Opening = serde_json::from_slice(&lines[..end]).ok()?;
        (opening.method == "initialize").then_some(Self {
            answered: opening.id,
            lines,
        })
    }

    /// Returns the lines, and the id that is answered already.
    pub(super) fn into_parts(self) -> (Vec<u8>, RequestId) {
        (self.lines, self.answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_opens_a_session_does() {
        let check = |lines: &str, id: Option<&str>| {
            let handed = HandedOver::parse(lines.as_bytes().to_vec());
            let found = handed.map(|handed| serde_json::to_string(&handed.answered).unwrap());
            assert_eq!(found.as_deref(), id, "{lines}");
        };
        check("{\"method\":\"initialize\",\"id\":0}\n", Some("0"));
        check(
            "{\"id\":\"a\",\"method\":\"initialize\"}\n{\"id\":1}\n",
            Some("\"a\""),
        );
        check("{\"method\":\"initialize\",\"id\":0}", None);
        check("{\"method\":\"initialize\"}\n", None);
        check("{\"method\":\"tools/list\",\"id\":0}\n", None);
        check("nonsense\n", None);
        check("", None);
    }
}
