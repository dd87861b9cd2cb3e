//! Which faults there are, and where each can be made; `mishap` makes them.

use clap::ValueEnum;

use crate::arguments::Kind;

/// Something that a cluster must survive (CL-100 … CL-120).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// A node is killed, and started again after the outage (CL-100).
    KillNode,
    /// A node is stopped for 20 seconds and goes on (CL-111).
    PauseNode,
    /// A node shuts down as asked, and is started again (CL-070).
    RestartNode,
    /// All nodes, one after the other (CL-071).
    RollingRestart,
    /// Redis is stopped and goes on (CL-104).
    PauseRedis,
    /// Redis is killed, and started again with its data (CL-103).
    KillRedis,
    /// Redis is killed, and started again empty (CL-120).
    EmptyRedis,
    /// Everything in Redis is deleted (CL-116).
    Flush,
    /// Redis closes every subscription (CL-102).
    DropSubscribers,
    /// Redis closes every connection for commands.
    DropCommands,
    /// Redis computes for a second and a half (CL-105).
    SlowRedis,
    /// Redis is full (CL-106).
    FullRedis,
    /// The connections of one node to Redis are closed, and refused (CL-101).
    Cut,
    /// The connections of one node to Redis carry nothing (CL-101).
    Stall,
    /// The connections of one node to Redis are slow (CL-105).
    Delay,
    /// What one node and Redis send each other is lost (CL-101).
    Lose,
    /// A firewall drops the packets between one node and Redis (CL-101).
    Firewall,
    /// The master is killed, and its replica takes over (CL-107, CL-109).
    Failover,
    /// The master is stopped until its replica has taken over, and wakes up (CL-117).
    WakeMaster,
    /// The slots of some partitions move to another master (CL-109).
    MoveSlots,
    /// All processes of the apps' Postgres are killed, and the server is started again.
    KillPostgres,
    /// All processes of the apps' Postgres are stopped and go on.
    PausePostgres,
}

impl Fault {
    /// Whether a fault can be made.
    pub(crate) fn is_possible(self, redis: Kind, own_network: bool, database: bool) -> bool {
        match self {
            Self::PauseNode => true,
            Self::KillPostgres | Self::PausePostgres => database,
            _ if redis == Kind::None => false,
            Self::Firewall => own_network && Self::Cut.is_possible(redis, own_network, database),
            // Sentinels and Clusters name addresses, past which no cable of ours leads.
            Self::Cut | Self::Stall | Self::Delay | Self::Lose => {
                matches!(redis, Kind::Standalone | Kind::Several)
            }
            // A replica would take over.
            Self::KillRedis | Self::EmptyRedis | Self::PauseRedis => {
                matches!(redis, Kind::Standalone | Kind::Several)
            }
            // A Cluster's nodes are started without the command for tests.
            Self::SlowRedis => redis != Kind::Cluster,
            Self::Failover | Self::WakeMaster => matches!(redis, Kind::Sentinel | Kind::Cluster),
            Self::MoveSlots => redis == Kind::Cluster,
            _ => true,
        }
    }

    /// Whether the fault lasts as long as an outage does; others are over at once, or take their own time.
    pub(crate) const fn lasts(self) -> bool {
        matches!(
            self,
            Self::KillNode
                | Self::PauseRedis
                | Self::KillRedis
                | Self::EmptyRedis
                | Self::FullRedis
                | Self::Cut
                | Self::Stall
                | Self::Delay
                | Self::Lose
                | Self::Firewall
                | Self::KillPostgres
                | Self::PausePostgres
        )
    }

    /// Whether the fault excuses missing events. Nodes that are asked to go lose none, and no event needs the database.
    pub(crate) const fn costs_events(self) -> bool {
        !matches!(
            self,
            Self::RestartNode | Self::RollingRestart | Self::Delay | Self::KillPostgres | Self::PausePostgres
        )
    }

    /// Whether a process ends, and its counters with it.
    pub(crate) const fn ends_a_node(self) -> bool {
        matches!(self, Self::KillNode | Self::RestartNode | Self::RollingRestart)
    }

    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_stands_alone_can_only_be_paused() {
        let possible =
            Fault::value_variants().iter().filter(|fault| fault.is_possible(Kind::None, true, false));
        assert_eq!(possible.copied().collect::<Vec<_>>(), [Fault::PauseNode]);
    }

    #[test]
    fn every_fault_can_be_made_somewhere() {
        let kinds = [Kind::Standalone, Kind::Sentinel, Kind::Cluster, Kind::Several];
        for fault in Fault::value_variants() {
            assert!(kinds.iter().any(|kind| fault.is_possible(*kind, true, true)), "{}", fault.name());
        }
    }
}
