//! Each rule left out, to see that the schedules find it: a rule that nothing misses is no rule.

use super::scenarios::{calm_restart, closed_and_opened_again, cut_while_reconciling, old_deltas};
use super::schedules::{in_service, run};
use super::store::ScriptMistake;
use super::world::{Fault, Mistakes};
use crate::machine::mistakes::Mistake;

/// The most schedules until a mistake is found.
const MOST: u64 = 3_000;

type Schedule = fn(u64, &Mistakes) -> Result<(), String>;

fn rule(mistake: Mistake) -> Mistakes {
    Mistakes { rules: vec![mistake], ..Mistakes::default() }
}

fn script(mistake: ScriptMistake) -> Mistakes {
    Mistakes { scripts: vec![mistake], ..Mistakes::default() }
}

/// Says in which schedule the mistake is found.
#[expect(clippy::print_stderr, reason = "seen on request, to compare the schedules")]
fn found(name: &str, mistakes: &Mistakes, schedule: Schedule) {
    for seed in 1..=MOST {
        if let Err(wrong) = schedule(seed, mistakes) {
            eprintln!("found in schedule {seed}: {name}: {wrong}");
            return;
        }
    }
    panic!("never found: {name}");
}

macro_rules! with {
    ($($fault:ident),*) => {
        |seed, mistakes| run(seed, &[$(Fault::$fault),*], mistakes)
    };
}

#[test]
fn mistakes_about_numbers_and_rosters_are_found() {
    use Mistake as M;
    found("gaps are not seen", &rule(M::GapsAreNotSeen), with!(Drop));
    found("a roster is taken twice", &rule(M::ARosterIsTakenTwice), closed_and_opened_again);
    found("a roster is taken as the newest", &rule(M::ARosterIsTakenAsTheNewest), with!());
    found("changes are not kept for a roster", &rule(M::ChangesAreNotKeptForARoster), with!());
    found("rosters are not read again after a cut", &rule(M::RostersAreNotReadAgainAfterACut), with!(Cut));
    found("kept deltas outlive their epoch", &rule(M::KeptDeltasOutliveTheirEpoch), old_deltas);
    found("joins overtake changes", &rule(M::JoinsOvertakeChanges), in_service);
    found("nobody is waited for in a new epoch", &rule(M::NobodyIsWaitedForInANewEpoch), calm_restart);
}

#[test]
fn mistakes_about_rows_and_leases_are_found() {
    found("old rows stay", &rule(Mistake::OldRowsStay), with!(Cut));
    found("unknown leaves are believed", &rule(Mistake::UnknownLeavesAreBelieved), with!(Bye, Full));
    let own = Mistakes { own_users_may_be_taken_away: true, ..Mistakes::default() };
    found("own users may be taken away", &own, with!(Pause, Cut));
    found("no generations", &script(ScriptMistake::NoGenerations), with!(Zombie, Cut));
    found("the dead are not fenced", &script(ScriptMistake::TheDeadAreNotFenced), with!(Crash));
    found("leaves are counted", &script(ScriptMistake::LeavesAreCounted), with!(Cut));
}

#[test]
fn mistakes_about_webhooks_are_found() {
    use Mistake as M;
    let cancels = script(ScriptMistake::AReturnDoesNotCancelAGoing);
    found("a return does not cancel a going", &cancels, with!());
    found("nothing is reconciled", &rule(M::NothingIsReconciled), with!(Restart));
    found("reconciling is not repeated", &rule(M::ReconcilingIsNotRepeated), cut_while_reconciling);
    found("removed before sent", &rule(M::HooksAreRemovedBeforeTheyAreSent), with!(Crash));
}
