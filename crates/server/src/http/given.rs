//! Reads a request's query, parameter by parameter, and finds every fault.
//!
//! Knows the kind of each value; the operation itself decides which values are legal.

use std::fmt::Display;
use std::str::FromStr;

use fanfare_node::listing::MOST_ROWS;
use fanfare_protocol::auth::Query;

/// Default number of rows of a page.
const USUAL_PAGE: usize = 100;

/// Every fault of a query.
#[derive(Debug)]
pub(crate) struct FaultyQuery(pub Vec<String>);

/// The query of a request.
pub(crate) struct Given<'a> {
    query: &'a Query,
    faults: Vec<String>,
}

impl<'a> Given<'a> {
    /// A query that may have these parameters.
    pub fn of(query: &'a Query, known: &[&str]) -> Self {
        Self { query, faults: faults_of(query.names(), known) }
    }

    /// A signed query that may have these parameters beside the signature.
    pub fn of_signed(query: &'a Query, known: &[&str]) -> Self {
        Self { query, faults: faults_of(query.beside_signature().map(|(name, _)| name), known) }
    }

    /// A parameter as given; an empty one counts as not given.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.query.get(name).filter(|text| !text.is_empty())
    }

    /// A parameter as this kind of value; `what` says what is wanted.
    pub fn parsed<T>(&mut self, name: &str, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.faults.push(format!("{name} is not {what}"));
        }
        parsed
    }

    /// Another fault.
    pub fn fault(&mut self, fault: &str) {
        self.faults.push(fault.to_owned());
    }

    /// The parameter `after`: where the page begins.
    pub fn after<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parsed("after", "the next of a page of this list", parse)
    }

    /// One of these words.
    pub fn of_these<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.parsed(name, &format!("one of {}", names.join(", ")), find)
    }

    /// The parameter `limit`: rows of the page, at most 200.
    pub fn rows(&mut self) -> usize {
        self.rows_of(MOST_ROWS)
    }

    /// The parameter `limit`: rows of the page, at most so many.
    pub fn rows_of(&mut self, most: usize) -> usize {
        self.number("limit", (USUAL_PAGE, most))
    }

    /// A number from 1 to the most, else the usual one; a fault for anything else.
    pub fn number<N: FromStr + PartialOrd + From<u8> + Display + Copy>(
        &mut self,
        name: &str,
        (usual, most): (N, N),
    ) -> N {
        let given = self.query.get(name).map_or(Some(usual), |text| text.parse().ok());
        given.filter(|given| (N::from(1)..=most).contains(given)).unwrap_or_else(|| {
            self.faults.push(format!("{name} is not a number from 1 to {most}"));
            usual
        })
    }

    /// A switch, off unless given.
    pub fn switch(&mut self, name: &str) -> bool {
        match self.query.get(name) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.faults.push(format!("{name} is neither true nor false"));
                false
            }
        }
    }

    /// The faults so far, for an operation that looks for more.
    pub fn into_faults(self) -> Vec<String> {
        self.faults
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault of the query.
    pub fn end(self) -> Result<(), FaultyQuery> {
        if self.faults.is_empty() { Ok(()) } else { Err(FaultyQuery(self.faults)) }
    }
}

/// Every parameter that is not `known`, or is given twice.
fn faults_of<'q>(names: impl Iterator<Item = &'q str>, known: &[&str]) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut faults = Vec::new();
    for name in names {
        if !known.contains(&name) {
            faults.push(match known {
                [] => format!("unknown query parameter {name}; there are none here"),
                known => format!("unknown query parameter {name}; there are {}", known.join(", ")),
            });
        } else if seen.contains(&name) {
            faults.push(format!("query parameter {name} is given more than once"));
        }
        seen.push(name);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_query_is_found() {
        let query = Query::parse("limit=0&limit=1&page=2&n=301&on=1&word=c");
        let mut given = Given::of(&query, &["limit", "n", "on", "word"]);
        assert_eq!((given.rows(), given.number("n", (24, 300)), given.switch("on")), (100, 24, false));
        assert_eq!(given.of_these("word", &[("a", 1), ("b", 2)]), None);
        assert_eq!(
            given.into_faults(),
            [
                "query parameter limit is given more than once",
                "unknown query parameter page; there are limit, n, on, word",
                "limit is not a number from 1 to 200",
                "n is not a number from 1 to 300",
                "on is neither true nor false",
                "word is not one of a, b",
            ]
        );
        let query = Query::parse("x=1");
        let none = Given::of(&query, &[]).end().expect_err("a fault");
        assert_eq!(none.0, ["unknown query parameter x; there are none here"]);
        let query = Query::parse("auth_key=k&body_md5=m&limit=7");
        let mut given = Given::of_signed(&query, &["limit"]);
        assert_eq!((given.rows(), given.into_faults()), (7, Vec::new()));
    }

    #[test]
    fn a_page_has_a_length() {
        for limit in ["0", "201", "-1", "ten", "", "1.5"] {
            let query = Query::parse(&format!("limit={limit}"));
            let mut given = Given::of(&query, &["limit"]);
            given.rows();
            assert_eq!(given.into_faults(), ["limit is not a number from 1 to 200"], "{limit}");
        }
    }
}
