//! The rules under random schedules: nodes, clients, Redis, and every fault; and each rule left out, to see it missed.
//!
//! A schedule is random steps, then rest, then checks. Every failure prints its seed. `FANFARE_SCHEDULES=N` runs N
//! schedules of each kind with new seeds, `FANFARE_SEED=S` begins with one.

mod answers;
mod backlog;
mod bare;
mod caches;
mod checks;
mod dice;
mod faults;
mod guards;
mod hub;
mod mistaken;
mod node;
mod redis;
mod rules;
mod samples;
mod scenarios;
mod schedules;
mod store;
mod webhooks;
mod world;
