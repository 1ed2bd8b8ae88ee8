//! Splits what hangs together into what is one.
//!
//! Findings that are the same two by two form chains: one that says a little of two defects ties them together, and the
//! more looks there are the longer the chain. So two groups become one only while their members are the same on the
//! average, the nearest groups first.

/// Members beyond which a chain is left whole: each of them is compared with each. Hundreds of findings that all hang
/// together in one place are no review that anybody can use, however they are grouped.
const MEMBERS: usize = 400;

/// How near each two of several things are: from 0 on they are one, below they are not.
#[derive(Debug)]
pub(super) struct Nearness {
    count: usize,
    /// Row by row; empty where there are too many to compare each with each.
    pairs: Vec<f32>,
}

impl Nearness {
    /// Compares each with each.
    pub(super) fn new(count: usize, nearness: impl Fn(usize, usize) -> f32) -> Self {
        let mut pairs = Vec::new();
        if count <= MEMBERS {
            pairs.resize(count * count, 0.0);
            for one in 0..count {
                for other in 0..one {
                    let near = nearness(one, other);
                    pairs[one * count + other] = near;
                    pairs[other * count + one] = near;
                }
            }
        }
        Self { count, pairs }
    }

    /// Returns how near two are; 0 where that was not looked at.
    pub(super) fn between(&self, one: usize, other: usize) -> f32 {
        self.pairs
            .get(one * self.count + other)
            .copied()
            .unwrap_or_default()
    }

    /// Puts together what is one. The groups are in the order of their first members.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        if self.pairs.is_empty() {
            return (self.count > 0)
                .then(|| (0..self.count).collect())
                .into_iter()
                .collect();
        }
        // Between two groups: the sum over all pairs of their members.
        linked(self.count, self.pairs.clone())
    }
}

fn linked(count: usize, mut sums: Vec<f32>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..count).map(|member| vec![member]).collect();
    let mut nearest: Vec<Option<Near>> = (0..count).map(|one| nearest_of(one, &groups, &sums)).collect();
    while let Some((one, other)) = nearest_pair(&nearest) {
        let taken = std::mem::take(&mut groups[other]);
        groups[one].extend(taken);
        for third in 0..count {
            let sum = sums[one * count + third] + sums[other * count + third];
            sums[one * count + third] = sum;
            sums[third * count + one] = sum;
        }
        let stale: Vec<usize> = nearest
            .iter()
            .enumerate()
            .filter(|(third, near)| {
                // What a third group is nearest to can only have changed where it was one of the two.
                let was_near = near.is_some_and(|near| near.group == one || near.group == other);
                *third == one || *third == other || was_near
            })
            .map(|(third, _)| third)
            .collect();
        for third in stale {
            nearest[third] = nearest_of(third, &groups, &sums);
        }
    }
    groups.retain(|group| !group.is_empty());
    for group in &mut groups {
        group.sort_unstable();
    }
    groups
}

/// Another group, and how near it is on the average.
#[derive(Clone, Copy, Debug)]
struct Near {
    group: usize,
    average: f32,
}

/// Returns the group that is nearest to one, the first of equal ones, if they are one at all.
fn nearest_of(one: usize, groups: &[Vec<usize>], sums: &[f32]) -> Option<Near> {
    let size = |group: usize| f32::from(u16::try_from(groups[group].len()).unwrap_or(u16::MAX));
    let mut best: Option<Near> = None;
    if groups[one].is_empty() {
        return best;
    }
    let others = (0..groups.len()).filter(|&group| group != one && !groups[group].is_empty());
    for group in others {
        let average = sums[one * groups.len() + group] / (size(one) * size(group));
        if average >= 0.0 && best.is_none_or(|known| average > known.average) {
            best = Some(Near { group, average });
        }
    }
    best
}

/// Returns the two groups that are nearest, the first of equal ones.
fn nearest_pair(nearest: &[Option<Near>]) -> Option<(usize, usize)> {
    let mut best: Option<(usize, Near)> = None;
    for (one, near) in nearest.iter().enumerate() {
        if let Some(near) = near
            && best.is_none_or(|(_, known)| near.average > known.average)
        {
            best = Some((one, *near));
        }
    }
    best.map(|(one, near)| (one.min(near.group), one.max(near.group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_cut_where_it_is_thinnest() {
        let check = |points: &[f32], expected: &[&[usize]]| {
            let near = |one: usize, other: usize| 1.0 - (points[one] - points[other]).abs();
            assert_eq!(Nearness::new(points.len(), near).groups(), expected, "{points:?}");
        };
        check(&[], &[]);
        check(&[0.0], &[&[0]]);
        check(&[0.0, 5.0], &[&[0], &[1]]);
        check(&[0.0, 0.5, 5.0, 5.2], &[&[0, 1], &[2, 3]]);
        // Each is near its neighbour; the ends have nothing to do with each other.
        check(&[0.0, 0.9, 1.7, 2.6], &[&[0], &[1, 2], &[3]]);
        check(&[0.0, 0.2, 1.1, 1.3, 2.2, 2.4], &[&[0, 1], &[2, 3], &[4, 5]]);
        // Things that are one are one whatever their number.
        check(&[1.0; 50], &[&(0..50).collect::<Vec<_>>()[..]]);
    }

    #[test]
    fn more_than_can_be_compared_stay_together() {
        assert_eq!(Nearness::new(MEMBERS + 1, |_, _| -1.0).groups().len(), 1);
        assert_eq!(Nearness::new(MEMBERS, |_, _| -1.0).groups().len(), MEMBERS);
    }
}
