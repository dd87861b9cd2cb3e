//! A hub in a cluster: what it tells the cluster, in order, and what clients see when the cluster answers, early, late
//! or never.

mod bounds;
mod cache;
mod connections;
mod dialects;
mod node;
mod plain;
mod presence;
mod resume;
mod users;
