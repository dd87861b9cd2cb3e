//! OpenMetrics as Prometheus' older text format, which every reader knows.
//!
//! The formats differ in the name of a counter's family and in the last line; samples are the same.

/// The older text of this text of OpenMetrics, as `prometheus-client` writes it.
pub(super) fn of(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len() + openmetrics.len() / 16);
    let mut help: Option<(&str, &str)> = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, said)) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", said, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if line != "# EOF" {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counters_family_has_the_name_of_its_samples_and_the_end_is_not_said() {
        let openmetrics = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{c=\"# EOF\"} 1\n\
                           # HELP d More.\n# TYPE d gauge\nd 2\n# EOF\n";
        let classic = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{c=\"# EOF\"} 1\n\
                       # HELP d More.\n# TYPE d gauge\nd 2\n";
        assert_eq!(of(openmetrics), classic);
    }
}
