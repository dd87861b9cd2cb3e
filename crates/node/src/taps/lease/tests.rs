//! Which nodes are named, and which parts are missing.

use super::*;

fn lease() -> TapLease {
    TapLease::new(1, AppId::from("3"), Vec::new())
}

fn nodes(named: &[(u64, &str)]) -> Vec<(u64, String)> {
    named.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}

/// What the reader is told last.
fn told(lease: &TapLease) -> TapNodes {
    lease.said().borrow().as_deref().cloned().unwrap_or_default()
}

fn names(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

#[test]
fn con_037_a_lost_part_is_a_gap_and_so_is_a_lease_that_a_node_has_begun_anew() {
    let lease = lease();
    let hear = |node, begun, number| lease.hear(node, (begun, number));
    assert_eq!(hear(1, 70, 0), PartPlace::Next);
    assert_eq!(hear(1, 70, 1), PartPlace::Next);
    assert_eq!(hear(1, 70, 1), PartPlace::Old);
    assert_eq!(hear(1, 70, 3), PartPlace::BehindGap);
    assert_eq!(hear(1, 70, 4), PartPlace::Next);
    assert_eq!(hear(1, 71, 0), PartPlace::BehindGap, "the lease had run out there");
    assert_eq!(hear(2, 72, 1), PartPlace::BehindGap, "the first part is lost");
    assert_eq!(hear(3, 73, 0), PartPlace::Next, "another node");
    assert_eq!(hear(1, 71, u64::MAX), PartPlace::BehindGap);
    assert_eq!(hear(1, 71, 5), PartPlace::Old);
}

#[test]
fn con_037_who_tells_nothing_in_a_turn_is_named_until_it_answers_or_one_of_its_name_does() {
    let (lease, now) = (lease(), Instant::now());
    let both = nodes(&[(1, "b"), (2, "c")]);
    lease.begin_turn();
    lease.hear(1, (7, 0));
    assert!(!lease.has_heard(&both));
    lease.end_turn(Some(&both), now);
    assert_eq!((names(&told(&lease).answering), names(&told(&lease).missing)), (vec!["b"], vec!["c"]));
    lease.begin_turn();
    lease.hear(1, (7, 1));
    lease.hear(2, (8, 0));
    assert!(lease.has_heard(&both));
    lease.end_turn(Some(&both), now);
    assert_eq!((names(&told(&lease).answering), told(&lease).missing), (vec!["b", "c"], vec![]));

    // Killed: silent, then without a lease in the cluster, then there is another of its name.
    for others in [&both, &nodes(&[(1, "b")])] {
        lease.begin_turn();
        lease.hear(1, (7, 2));
        lease.end_turn(Some(others), now);
        assert_eq!((names(&told(&lease).answering), names(&told(&lease).missing)), (vec!["b"], vec!["c"]));
    }
    lease.begin_turn();
    lease.hear(1, (7, 3));
    lease.hear(9, (9, 0));
    lease.end_turn(Some(&nodes(&[(1, "b"), (9, "c")])), now);
    assert_eq!((names(&told(&lease).answering), told(&lease).missing), (vec!["b", "c"], vec![]));

    // Started again before the cluster knows that it has died: two of one name go by their ids.
    for (others, answering, missing) in [
        (nodes(&[(1, "b"), (9, "c")]), vec!["b"], vec!["c"]),
        (nodes(&[(1, "b"), (9, "c"), (10, "c")]), vec!["000000000000000a", "b"], vec!["0000000000000009"]),
        (nodes(&[(1, "b"), (10, "c")]), vec!["b", "c"], vec![]),
    ] {
        lease.begin_turn();
        let turn = lease.state.lock().turn;
        for (id, _) in others.iter().filter(|(id, _)| *id != 9) {
            lease.hear(*id, (11, turn));
        }
        lease.end_turn(Some(&others), now);
        assert_eq!((names(&told(&lease).answering), names(&told(&lease).missing)), (answering, missing));
    }
}

#[test]
fn con_037_of_two_nodes_of_one_name_the_one_that_answers_all_the_time_is_not_the_other_come_back() {
    let (lease, now) = (lease(), Instant::now());
    for others in [nodes(&[(1, "b"), (2, "b")]), nodes(&[(1, "b")])] {
        lease.begin_turn();
        let turn = lease.state.lock().turn;
        lease.hear(1, (7, turn));
        if turn == 1 {
            lease.hear(2, (8, 0));
        }
        lease.end_turn(Some(&others), now);
    }
    assert_eq!(
        (names(&told(&lease).answering), told(&lease).missing),
        (vec!["b"], vec![]),
        "it took its leave"
    );
    for others in [nodes(&[(1, "b"), (3, "b")]), nodes(&[(1, "b")])] {
        lease.begin_turn();
        let turn = lease.state.lock().turn;
        lease.hear(1, (7, turn));
        lease.end_turn(Some(&others), now);
        assert_eq!(told(&lease).missing, ["0000000000000003"]);
    }
}

#[test]
fn con_037_a_node_that_has_taken_leave_is_not_named_and_one_that_never_comes_back_is_forgotten() {
    let (lease, now) = (lease(), Instant::now());
    lease.begin_turn();
    lease.hear(1, (7, 0));
    lease.end_turn(Some(&nodes(&[(1, "b")])), now);
    lease.begin_turn();
    lease.end_turn(Some(&[]), now);
    assert_eq!(told(&lease), TapNodes { is_in_touch: true, ..TapNodes::default() });

    let other = nodes(&[(2, "c")]);
    lease.begin_turn();
    lease.end_turn(Some(&other), now);
    lease.end_turn(Some(&[]), now);
    lease.end_turn(Some(&[]), now + FORGOTTEN - Duration::from_secs(1));
    assert_eq!(names(&told(&lease).missing), ["c"]);
    lease.end_turn(Some(&[]), now + FORGOTTEN);
    assert!(told(&lease).missing.is_empty());
}

#[test]
fn con_037_a_full_node_and_all_nodes_while_redis_is_away_are_named() {
    let (lease, now) = (lease(), Instant::now());
    let both = nodes(&[(1, "b"), (2, "c")]);
    lease.begin_turn();
    lease.hear(1, (7, 0));
    lease.hear_full(2);
    assert!(lease.has_heard(&both));
    lease.end_turn(Some(&both), now);
    let said = told(&lease);
    assert_eq!(
        (names(&said.answering), names(&said.missing), names(&said.full)),
        (vec!["b"], vec!["c"], vec!["c"])
    );
    lease.end_turn(None, now);
    let said = told(&lease);
    assert_eq!((names(&said.missing), said.is_in_touch), (vec!["b", "c"], false));
    lease.begin_turn();
    lease.hear(1, (7, 1));
    lease.hear(2, (8, 0));
    lease.end_turn(Some(&both), now);
    assert_eq!((names(&told(&lease).answering), told(&lease).full), (vec!["b", "c"], vec![]));
}

#[test]
fn con_037_only_so_many_nodes_are_known() {
    let (lease, now) = (lease(), Instant::now());
    for node in 0..MOST_NODES as u64 + 10 {
        lease.hear(node, (1, 0));
        lease.hear_full(node);
    }
    let many: Vec<(u64, String)> =
        (5000..5000 + MOST_NODES as u64 + 10).map(|id| (id, id.to_string())).collect();
    assert_eq!(lease.state.lock().heard.len(), MOST_NODES);
    lease.begin_turn();
    lease.end_turn(Some(&many), now);
    assert_eq!(told(&lease).missing.len(), MOST_NODES);
    assert!(lease.state.lock().heard.is_empty(), "of nodes that there are not");
}
