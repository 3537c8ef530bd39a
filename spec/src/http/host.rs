//! Hosts that nobody knows: what a failed look-up of a name says.

/// What the C libraries say of a name that does not exist; of a server of names that does not answer they say something else.
const UNKNOWN: [&str; 3] =
    ["Name or service not known", "No address associated with hostname", "Name does not resolve"];

/// Tells whether a failure to connect says that there is no host of that name. Asking again does not make one.
pub fn is_unknown_host(said: &str) -> bool {
    UNKNOWN.iter().any(|unknown| said.contains(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_server_of_names_that_is_away() {
        let of = |why: &str| is_unknown_host(&format!("failed to lookup address information: {why}"));
        assert!(of("Name or service not known"));
        assert!(!of("Temporary failure in name resolution"));
    }
}
