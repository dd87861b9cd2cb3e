//! The quotas that all nodes share: what is said of which app, each second (CL-063, CL-064).
//!
//! Apps without a quota cost nothing, and apps that have used nothing little.

use std::sync::Arc;

use fanfare_bus::{Bus, UsageReport};
use fanfare_protocol::ids::AppId;

use crate::node::Node;
use crate::tenants::Tenant;

/// Most apps in a turn that have used nothing; the others of these have their turn in the next seconds.
const MOST_QUIET: usize = 500;

/// The turns.
#[derive(Default)]
pub(super) struct Quotas {
    /// The last quiet app that was told of.
    after: Option<AppId>,
}

impl Quotas {
    /// Tells what apps have used, and hears what all nodes have. Of an app whose Redis does not answer, each node goes on
    /// with its last part, and what was wanted meanwhile is said later.
    pub(super) async fn share(&mut self, node: &Node, bus: &Bus) {
        let (day, now) = (node.moment().day, node.milliseconds());
        let wanted = node.tenants.all().into_iter().filter(|tenant| tenant.share.is_wanted()).collect();
        let told = self.choose(wanted);
        let report = |tenant: &Arc<Tenant>| {
            let demand = tenant.share.demand(now);
            let (messages_of_day, messages_of_second) = (tenant.messages_on(day), demand.per_second);
            (demand, UsageReport { app: tenant.app.clone(), day, messages_of_day, messages_of_second })
        };
        let (demands, reports): (Vec<_>, Vec<_>) = told.iter().map(report).unzip();
        let totals = bus.usage(&reports).await;
        let (nodes, _) = node.seen.numbers();
        let told = told.iter().zip(demands).zip(&reports);
        for (((tenant, demand), report), total) in told.zip(totals) {
            if let Some(total) = total {
                tenant.share.said(demand, now);
                tenant.share.set_elsewhere(total.day.saturating_sub(report.messages_of_day), day);
                tenant.share.divide(report.messages_of_second, total.second, nodes);
            }
        }
    }

    /// All busy apps, and some of the quiet ones, each in its turn.
    fn choose(&mut self, mut tenants: Vec<Arc<Tenant>>) -> Vec<Arc<Tenant>> {
        let mut quiet: Vec<_> = tenants.extract_if(.., |tenant| tenant.share.is_quiet()).collect();
        quiet.sort_unstable_by(|one, other| one.app.cmp(&other.app));
        let first =
            self.after.as_ref().map_or(0, |after| quiet.partition_point(|tenant| tenant.app <= *after));
        quiet.rotate_left(first);
        quiet.truncate(MOST_QUIET);
        self.after = quiet.last().map(|tenant| tenant.app.clone());
        tenants.append(&mut quiet);
        tenants
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tenants::Tenants;

    #[test]
    fn a_busy_app_is_told_of_in_every_turn_and_a_quiet_one_in_its_own() {
        let tenants = Tenants::default();
        for app in 0..1200 {
            let _ = tenants.of(&AppId::from(app.to_string().as_str()));
        }
        let busy = tenants.of(&AppId::from("77"));
        busy.share.want(1);
        let (mut quotas, mut seen) = (Quotas::default(), BTreeSet::new());
        for _ in 0..3 {
            let told = quotas.choose(tenants.all());
            assert_eq!(told.len(), MOST_QUIET + 1);
            assert!(told.iter().any(|tenant| tenant.app == busy.app));
            seen.extend(told.iter().map(|tenant| tenant.app.clone()));
        }
        assert_eq!(seen.len(), 1200);
        let demand = busy.share.demand(1000);
        busy.share.said(demand, 1000);
        assert!(!busy.share.is_quiet(), "that it wants nothing any more is to be said at once");
        let nothing = busy.share.demand(2000);
        busy.share.said(nothing, 2000);
        assert!(busy.share.is_quiet());
    }
}
