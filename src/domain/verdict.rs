//! The verdict of a review. It is derived from what was examined; the reviewer's own word is only one input.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::coverage::CoverageStatus;
use crate::domain::finding::{Anchor, Finding, Severity};

/// What a review concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was examined and nothing speaks against the change.
    Pass,
    /// Something should be looked at.
    Concerns,
    /// Something must be changed.
    Fail,
    /// Not enough was examined to say.
    Unknown,
}

/// How sure the conclusion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Doubtful.
    Low,
    /// Likely.
    Medium,
    /// Sure.
    High,
}

/// Whether a reviewer looked at anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewStatus {
    /// A reviewer examined what `coverage` says.
    Completed,
    /// Nothing was examined.
    NotRun,
}

/// Derives verdict and confidence.
///
/// The rules: nothing examined is `unknown`; a critical or high finding that points into the diff, and that is
/// not known to have stood there before, is `fail`; any finding,
/// or a reviewer who does not pass the change, is at least `concerns`; partial coverage never passes; confidence is low
/// whenever the reviewer and the findings disagree or something was left out.
pub fn conclude(
    said: Verdict,
    confidence: Confidence,
    findings: &[Finding],
    coverage: CoverageStatus,
) -> (Verdict, Confidence) {
    if coverage == CoverageStatus::None {
        return (Verdict::Unknown, Confidence::Low);
    }
    let blocking = findings
        .iter()
        .any(|f| f.severity <= Severity::High && f.anchor != Anchor::OffDiff && !f.origin.is_old());
    let from_findings = if blocking {
        Verdict::Fail
    } else if findings.iter().any(|f| f.severity < Severity::Nit) {
        Verdict::Concerns
    } else {
        Verdict::Pass
    };
    let verdict = match (said, from_findings) {
        (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Pass, Verdict::Pass) if coverage == CoverageStatus::Complete => Verdict::Pass,
        (Verdict::Pass | Verdict::Unknown, Verdict::Pass | Verdict::Unknown) => Verdict::Unknown,
        (Verdict::Fail | Verdict::Concerns, _) | (_, Verdict::Concerns) => Verdict::Concerns,
    };
    let agree = said == verdict;
    let confidence = match coverage {
        CoverageStatus::Complete if agree => confidence,
        _ => Confidence::Low,
    };
    (verdict, confidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::Origin;
    use crate::domain::finding::tests::finding as named;

    fn finding(severity: Severity, anchor: Anchor) -> Finding {
        named("f", severity, anchor)
    }

    #[test]
    fn a_verdict_never_says_more_than_was_examined() {
        use Confidence as C;
        use CoverageStatus as S;
        use Verdict as V;
        let high = finding(Severity::High, Anchor::Exact);
        let astray = finding(Severity::High, Anchor::OffDiff);
        let old = Finding {
            origin: Origin::PreExisting,
            ..finding(Severity::Critical, Anchor::Exact)
        };
        let unknown = Finding {
            origin: Origin::Unknown,
            ..finding(Severity::High, Anchor::Exact)
        };
        let low = finding(Severity::Low, Anchor::Exact);
        let nit = finding(Severity::Nit, Anchor::Exact);
        let check = |said, findings: &[Finding], coverage, expected| {
            assert_eq!(
                conclude(said, C::High, findings, coverage),
                expected,
                "{said:?} {coverage:?}"
            );
        };
        check(V::Pass, &[], S::Complete, (V::Pass, C::High));
        check(V::Pass, &[], S::Partial, (V::Unknown, C::Low));
        check(V::Pass, &[], S::None, (V::Unknown, C::Low));
        check(V::Fail, &[], S::None, (V::Unknown, C::Low));
        check(
            V::Pass,
            std::slice::from_ref(&high),
            S::Complete,
            (V::Fail, C::Low),
        );
        check(
            V::Fail,
            std::slice::from_ref(&high),
            S::Complete,
            (V::Fail, C::High),
        );
        check(
            V::Fail,
            std::slice::from_ref(&high),
            S::Partial,
            (V::Fail, C::Low),
        );
        check(
            V::Pass,
            std::slice::from_ref(&astray),
            S::Complete,
            (V::Concerns, C::Low),
        );
        check(
            V::Fail,
            std::slice::from_ref(&old),
            S::Complete,
            (V::Concerns, C::Low),
        );
        check(
            V::Pass,
            std::slice::from_ref(&unknown),
            S::Complete,
            (V::Fail, C::Low),
        );
        check(
            V::Pass,
            std::slice::from_ref(&low),
            S::Complete,
            (V::Concerns, C::Low),
        );
        check(
            V::Pass,
            std::slice::from_ref(&nit),
            S::Complete,
            (V::Pass, C::High),
        );
        check(V::Fail, &[], S::Complete, (V::Concerns, C::Low));
        check(V::Concerns, &[low], S::Complete, (V::Concerns, C::High));
        check(V::Unknown, &[], S::Complete, (V::Unknown, C::High));
    }
}
