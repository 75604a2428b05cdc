//! The order in which the servers of a name are tried (RFC 2782, RFC 3263 §4). Pure.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// One server as the name system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, without a dot at its end.
    pub target: String,
    /// Its port.
    pub port: u16,
    /// Lower ones first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
}

/// Orders servers by priority and, within one, by chance in the proportion of the weights.
///
/// ```
/// use cordboard_sip::srv::{Server, order};
/// let server = |target: &str, priority| {
///     Server { target: target.to_owned(), port: 5060, priority, weight: 0 }
/// };
/// let ordered = order(vec![server("b", 20), server("a", 10)], 7);
/// assert_eq!(ordered[0].target, "a");
/// ```
#[must_use]
pub fn order(mut servers: Vec<Server>, seed: u64) -> Vec<Server> {
    // "." says that the service is decidedly not there (RFC 2782).
    servers.retain(|it| !it.target.is_empty() && it.target != ".");
    // Those without weight come first, so that they have their small chance.
    servers
        .sort_by(|a, b| (a.priority, a.weight, &a.target).cmp(&(b.priority, b.weight, &b.target)));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(first) = servers.first() {
        let end = servers.partition_point(|it| it.priority == first.priority);
        let total: u32 = servers[..end].iter().map(|it| u32::from(it.weight)).sum();
        let drawn = rng.random_range(0..=total);
        let mut sum = 0;
        let at = servers[..end].iter().position(|it| {
            sum += u32::from(it.weight);
            sum >= drawn
        });
        ordered.push(servers.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(target: &str, priority: u16, weight: u16) -> Server {
        Server { target: target.to_owned(), port: 5060, priority, weight }
    }

    #[test]
    fn lower_priorities_come_first_whatever_the_weight() {
        for seed in 0..100 {
            let servers = vec![server("c", 30, 9), server("a", 10, 0), server("b", 20, 500)];
            let names: Vec<_> = order(servers, seed).into_iter().map(|it| it.target).collect();
            assert_eq!(names, ["a", "b", "c"]);
        }
    }

    #[test]
    fn weights_are_shares() {
        let mut heavy = 0;
        for seed in 0..4_000 {
            let servers = vec![server("heavy", 1, 75), server("light", 1, 25)];
            heavy += u32::from(order(servers, seed)[0].target == "heavy");
        }
        assert!((2_800..3_200).contains(&heavy), "{heavy} of 4000");
    }

    #[test]
    fn all_are_kept_and_the_order_is_the_seeds() {
        let servers: Vec<_> = (0..20).map(|it| server(&format!("s{it}"), it % 3, it)).collect();
        let once = order(servers.clone(), 5);
        assert_eq!(once, order(servers.clone(), 5));
        assert_eq!(once.len(), servers.len());
        assert!(once.is_sorted_by_key(|it| it.priority));
    }

    #[test]
    fn a_service_that_is_decidedly_not_there_has_no_server() {
        assert_eq!(order(vec![server("", 0, 0)], 1), []);
    }
}
