//! A page of a list: the first rows behind a key, of rows that come in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Most rows of a page.
pub const MOST_ROWS: usize = 200;

/// A page of a list.
pub struct ListedPage<Row, Key> {
    /// The rows, in the list's order.
    pub rows: Vec<Row>,
    /// Behind which row the next page begins; `None` on the last.
    pub next: Option<Key>,
    /// How many rows the whole list has, where that takes no search.
    pub total: Option<usize>,
}

/// The first rows behind a key, of rows that come in no order; the same key twice is one row.
pub(super) struct First<Key, Row> {
    after: Option<Key>,
    limit: usize,
    /// At most one more than the limit.
    rows: BTreeMap<Key, Row>,
    /// Rows that came, also those that are not kept.
    pub(super) offered: usize,
}

impl<Key: Ord, Row> First<Key, Row> {
    pub(super) const fn behind(after: Option<Key>, limit: usize) -> Self {
        Self { after, limit, rows: BTreeMap::new(), offered: 0 }
    }

    /// Whether rows that come in order need not come any more.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() > self.limit
    }

    pub(super) fn take(&mut self, key: Key, row: Row) {
        if self.wants(|other| key.cmp(other)) {
            self.put(key, row);
        }
    }

    /// Whether a row has a place on the page, which is then to be put there; `compare` compares the row's key with another.
    pub(super) fn wants(&mut self, compare: impl Fn(&Key) -> Ordering) -> bool {
        self.offered += 1;
        let is_behind = self.after.as_ref().is_none_or(|after| compare(after).is_gt());
        is_behind
            && !(self.is_full() && self.rows.last_key_value().is_some_and(|(last, _)| compare(last).is_gt()))
    }

    /// Puts a row that is wanted.
    pub(super) fn put(&mut self, key: Key, row: Row) {
        self.rows.insert(key, row);
        if self.rows.len() > self.limit + 1 {
            self.rows.pop_last();
        }
    }

    /// The rows in order, and whether there are more.
    pub(super) fn rows(mut self) -> (Vec<Row>, bool) {
        let has_more = self.rows.len() > self.limit;
        if has_more {
            self.rows.pop_last();
        }
        (self.rows.into_values().collect(), has_more)
    }
}

impl<Row, Key> ListedPage<Row, Key> {
    pub(super) const fn empty() -> Self {
        Self { rows: Vec::new(), next: None, total: Some(0) }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    #[test]
    fn con_022_of_a_large_table_a_page_and_one_row_more_are_kept_and_every_row_is_on_one_page() {
        const ROWS: usize = 120_000;
        // In no order, with many rows of one count.
        let row = |at: usize| (Reverse((at * 7919) % ROWS / 50), at);
        let (mut after, mut seen) = (None, 0);
        for _ in 0..3 {
            let mut first = First::behind(after, MOST_ROWS);
            for at in 0..ROWS {
                first.take(row(at), row(at));
                assert!(first.rows.len() <= MOST_ROWS + 1, "{} rows are kept", first.rows.len());
            }
            assert_eq!(first.offered, ROWS);
            let (rows, has_more) = first.rows();
            assert!(has_more && rows.is_sorted() && after.is_none_or(|after| rows.first() > Some(&after)));
            seen += rows.len();
            after = rows.last().copied();
        }
        let before = (0..ROWS).map(row).filter(|row| Some(*row) <= after).count();
        assert_eq!(before, seen, "none was left out");
    }
}
