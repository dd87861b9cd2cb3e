//! How often the other nodes are asked: all questions together are bounded, and so are those about one app.

use crate::rate::Rate;

/// Most questions to the other nodes in a second.
const MOST_IN_A_SECOND: usize = 40;

/// Most of these about one app; questions about none have as many.
const MOST_OF_AN_APP: usize = 10;

/// How often the other nodes are asked.
#[derive(Debug, Default)]
pub(crate) struct AskingRates {
    all: Rate,
    of_no_app: Rate,
}

impl AskingRates {
    /// Whether one more may be asked now; `of_app` is what was asked about the app, none for a question about no app.
    pub(super) fn take(&self, of_app: Option<&Rate>, now: u64) -> bool {
        of_app.unwrap_or(&self.of_no_app).take(1, MOST_OF_AN_APP, now)
            && self.all.take(1, MOST_IN_A_SECOND, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_026_questions_about_one_app_leave_room_for_those_about_others_and_all_together_are_bounded() {
        let (rates, apps) = (AskingRates::default(), [(); 5].map(|()| Rate::new()));
        let taken = |of_app: Option<&Rate>| (0..100).filter(|_| rates.take(of_app, 0)).count();
        let of_apps = apps.each_ref().map(|app| taken(Some(app)));
        assert_eq!(of_apps, [10, 10, 10, 10, 0]);
        let rates = AskingRates::default();
        let taken = |of_app: Option<&Rate>| (0..100).filter(|_| rates.take(of_app, 0)).count();
        assert_eq!((taken(None), taken(Some(&Rate::new()))), (10, 10));
    }
}
