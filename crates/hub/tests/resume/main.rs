//! Clients that resume: whatever is cut, whenever, a page has every event once and in order where the hub says that a
//! resume was complete (RES-005 … RES-012).

mod at_once;
#[cfg(not(shuttle))]
mod bounds;
#[cfg(not(shuttle))]
mod crowds;
#[cfg(not(shuttle))]
mod kinds;
#[cfg(not(shuttle))]
mod one_after_the_other;
mod page;
