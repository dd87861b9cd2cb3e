//! Rules between settings.
//!
//! Refuses limits that a legal event or a full presence channel would exceed at run time, where the cause is
//! hard to see. Skips keys with a known fault.

use fanfare_protocol::app::Limits as AppLimits;
use fanfare_protocol::frame::FRAME_COST;

use super::apps::FixedApp;
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::listen_address::ListenAddress;

/// Room for the envelope of an event or a member's data in a message or a request.
const AROUND: usize = 1024;

/// JSON writes a control character as six, such as `\u0001`.
const WIDEST: usize = 6;

/// Bytes of a member in a roster beyond twice its data and its id, which is listed apart.
const PER_MEMBER: usize = 96;

/// Bytes of a character of an id that is quoted twice over, beyond those of its first quoting.
const PER_CHARACTER: usize = 3;

/// Bytes of a frame besides names and data, and of its place in the outbox.
const FRAME: usize = 256 + FRAME_COST;

/// Checks settings against each other.
pub(super) fn check(
    effective: &Effective,
    defaults: &AppLimits,
    fixed: &[FixedApp],
    faults: &mut Vec<Fault>,
) {
    check_ports(effective, faults);
    check_outboxes(effective, faults);
    let needs = Need::all(defaults);
    for need in &needs {
        check_need(effective, need, "", None, faults);
    }
    for FixedApp { place, name, app } in fixed {
        for (need, of_defaults) in Need::all(&app.limits).iter().zip(&needs) {
            // A fault that the defaults already have was reported for them.
            if need.bytes > of_defaults.bytes {
                check_need(effective, need, &format!("{name}."), Some(place), faults);
            }
        }
    }
}

/// A single full outbox must fit into the limit of all outboxes.
fn check_outboxes(effective: &Effective, faults: &mut Vec<Fault>) {
    let (all, one) = ("limits.outboxes_bytes", "limits.outbox_bytes");
    let (Some(value), Some(least)) = (effective.count(all), effective.count(one)) else { return };
    if value == 0 || value >= least {
        return;
    }
    let place = effective.get(all).1.clone();
    let reason = "what waits for a single client";
    let cause = Cause::TooSmall { key: all.to_owned(), value, least, reason, others: one.to_owned() };
    faults.push(Fault { place, cause });
}

/// The bytes that a setting of the node must have for an app's limits.
struct Need {
    key: &'static str,
    bytes: usize,
    reason: &'static str,
    /// The limits behind this need.
    limits: &'static [&'static str],
}

impl Need {
    fn all(limits: &AppLimits) -> [Self; 6] {
        let need = |key, bytes, reason, limits| Self { key, bytes, reason, limits };
        let event: &[&str] = &["limits.event_bytes"];
        let client_event: &[&str] = &["limits.client_event_bytes"];
        [
            need(
                "limits.message_bytes",
                limits.client_event_bytes + AROUND,
                "the largest client event and 1024 bytes around it",
                client_event,
            ),
            need(
                "limits.message_bytes",
                limits.member_bytes + AROUND,
                "the largest data of a member and 1024 bytes around it",
                &["limits.member_bytes"],
            ),
            need(
                "limits.request_bytes",
                limits.event_bytes + AROUND,
                "the largest event and 1024 bytes around it",
                event,
            ),
            need(
                "limits.outbox_bytes",
                largest_event(limits, limits.event_bytes),
                "the largest event as JSON",
                event,
            ),
            need(
                "limits.outbox_bytes",
                largest_event(limits, limits.client_event_bytes),
                "the largest client event as JSON",
                client_event,
            ),
            need(
                "limits.outbox_bytes",
                largest_roster(limits),
                "the list of a full presence channel",
                &["limits.members", "limits.member_bytes"],
            ),
        ]
    }
}

/// Bytes of the frame of an event with so much data.
pub(super) fn largest_event(limits: &AppLimits, data: usize) -> usize {
    WIDEST * (data + limits.event_name) + limits.channel_name + FRAME
}

/// Bytes of the largest `subscription_succeeded` of a presence channel.
pub(super) fn largest_roster(limits: &AppLimits) -> usize {
    limits.members * (2 * limits.member_bytes + PER_CHARACTER * limits.user_id + PER_MEMBER)
        + limits.channel_name
        + FRAME
}

fn check_need(effective: &Effective, need: &Need, of: &str, app: Option<&Origin>, faults: &mut Vec<Fault>) {
    let Some(value) = effective.count(need.key) else {
        return;
    };
    if value >= need.bytes || need.limits.iter().any(|key| effective.is_faulty(key)) {
        return;
    }
    let keys = std::iter::once(&need.key).chain(need.limits);
    let set = keys.map(|key| effective.get(key).1).find(|place| **place != Origin::Default);
    let place = app.or(set).unwrap_or(&Origin::Default).clone();
    let others: Vec<String> = need.limits.iter().map(|key| format!("{of}{key}")).collect();
    let cause = Cause::TooSmall {
        key: need.key.to_owned(),
        value,
        least: need.bytes,
        reason: need.reason,
        others: others.join(" or "),
    };
    faults.push(Fault { place, cause });
}

/// Two listeners cannot have one port, unless it is 0 or their addresses differ.
fn check_ports(effective: &Effective, faults: &mut Vec<Fault>) {
    let pairs = [
        ("listen.addr", "listen.admin_addr"),
        ("listen.addr", "tls.addr"),
        ("listen.admin_addr", "tls.addr"),
    ];
    let address = |key| effective.get(key).0.as_str().and_then(ListenAddress::parse);
    for (one, other) in pairs {
        let (Some(first), Some(second)) = (address(one), address(other)) else { continue };
        let faulty = effective.is_faulty(one) || effective.is_faulty(other);
        if faulty || !first.collides(second) {
            continue;
        }
        let cause = Cause::SamePort { one: format!("{one} ({first})"), other: format!("{other} ({second})") };
        faults.push(Fault { place: effective.set_place(&[one, other]), cause });
    }
}
