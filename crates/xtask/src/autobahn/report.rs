//! What the suite found, case by case: read, counted by section, and judged.
//!
//! Knows the suite's words only; never runs anything.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the suite calls a case that went well, or that no rule decides.
const GOOD: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

const SECTIONS: [(u32, &str); 9] = [
    (1, "framing"),
    (2, "pings and pongs"),
    (3, "reserved bits"),
    (4, "opcodes"),
    (5, "fragmentation"),
    (6, "UTF-8"),
    (7, "closing"),
    (9, "large messages"),
    (10, "small fragments"),
];

/// One case, and what was thought of the messages and of the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    number: String,
    behavior: String,
    close: String,
}

impl Case {
    fn section(&self) -> u32 {
        self.number.split('.').next().and_then(|first| first.parse().ok()).unwrap_or_default()
    }

    fn is_good(&self) -> bool {
        GOOD.contains(&&*self.behavior)
    }

    fn closed_well(&self) -> bool {
        GOOD.contains(&&*self.close)
    }
}

/// Reads the report's `index.json`, which is about one server.
///
/// # Errors
/// In words: how the text differs from what the suite writes.
pub fn parse(json: &str) -> Result<Vec<Case>, String> {
    let report: Value = serde_json::from_str(json).map_err(|error| format!("the report: {error}"))?;
    let servers = report.as_object().ok_or("the report names no server")?;
    let cases = servers.values().next().and_then(Value::as_object).ok_or("the report has no cases")?;
    let word = |case: &Value, name| case.get(name).and_then(Value::as_str).unwrap_or("missing").to_owned();
    let read = |(number, case): (&String, &Value)| Case {
        number: number.clone(),
        behavior: word(case, "behavior"),
        close: word(case, "behaviorClose"),
    };
    Ok(cases.iter().map(read).collect())
}

/// The counts of each section, and of all.
pub fn table(cases: &[Case]) -> String {
    let mut sections: BTreeMap<u32, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        sections.entry(case.section()).or_default().push(case);
    }
    let heads = ["cases", "OK", "NON-STRICT", "INFORMATIONAL", "FAILED", "unclean closes"];
    let mut lines = vec![line("section", heads)];
    for (number, cases) in &sections {
        let name = SECTIONS.iter().find(|(known, _)| known == number).map_or("", |(_, name)| name);
        lines.push(line(&format!("{number:2} {name}"), counts(cases)));
    }
    lines.push(line("all", counts(&cases.iter().collect::<Vec<_>>())));
    lines.join("\n")
}

fn counts(cases: &[&Case]) -> [String; 6] {
    let count = |is: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| is(case)).count().to_string();
    let [ok, non_strict, informational] = GOOD.map(|word| count(&|case| case.behavior == word));
    let failed = count(&|case| !case.is_good());
    let unclean = count(&|case| !case.closed_well());
    [cases.len().to_string(), ok, non_strict, informational, failed, unclean]
}

fn line<T: AsRef<str>>(name: &str, columns: [T; 6]) -> String {
    let [cases, ok, non_strict, informational, failed, unclean] = columns.each_ref().map(AsRef::as_ref);
    format!("{name:19} {cases:>5} {ok:>4} {non_strict:>11} {informational:>14} {failed:>7} {unclean:>15}")
}

/// Sees to it that every case went well, and that as many ran as `expected`.
///
/// # Errors
/// In words: which cases failed or ended badly, and how many ran.
pub fn judge(cases: &[Case], expected: usize) -> Result<(), String> {
    let bad = cases.iter().filter(|case| !case.is_good() || !case.closed_well());
    let mut faults: Vec<String> =
        bad.map(|case| format!("{}: {}, close {}", case.number, case.behavior, case.close)).collect();
    if cases.len() != expected {
        faults.push(format!("{} cases ran, not {expected}", cases.len()));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"127.0.0.1:9001": {
        "1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
        "6.4.1": {"behavior": "NON-STRICT", "behaviorClose": "OK"},
        "7.1.1": {"behavior": "OK", "behaviorClose": "UNCLEAN"},
        "10.1.1": {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK"}}}"#;

    #[test]
    fn cases_are_counted_by_section() {
        let table = table(&parse(REPORT).expect("a report"));
        let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["1", "framing", "1", "1", "0", "0", "0", "0"]);
        assert_eq!(rows[4], ["10", "small", "fragments", "1", "0", "0", "0", "1", "0"]);
        assert_eq!(rows[5], ["all", "4", "2", "1", "0", "1", "1"]);
    }

    #[test]
    fn whatever_is_not_good_is_named_and_so_is_what_did_not_run() {
        let cases = parse(REPORT).expect("a report");
        let faults = judge(&cases, 5).expect_err("faults");
        let named = "10.1.1: UNIMPLEMENTED, close OK; 7.1.1: OK, close UNCLEAN; 4 cases ran, not 5";
        assert_eq!(faults, named);
        assert_eq!(judge(&cases[1..2], 1), Err("10.1.1: UNIMPLEMENTED, close OK".to_owned()));
        assert_eq!(judge(&cases[..1], 1), Ok(()));
    }

    #[test]
    fn a_report_without_cases_is_refused() {
        assert!(parse("{}").is_err() && parse(r#"{"127.0.0.1:9001": []}"#).is_err());
    }
}
