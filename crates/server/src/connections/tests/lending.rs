//! Slots that are lent while a client waits.

use super::streams::{read_to, start};
use super::*;
use crate::connections::Lender;

fn lender(places: &Arc<Places>, place: &Place) -> Lender {
    Lender::new(Arc::clone(places), Arc::clone(place.activity()))
}

#[test]
fn who_lends_its_place_counts_neither_on_the_node_nor_at_its_address_and_counts_again_after() {
    let places = places(4, 3);
    let all: Vec<Place> = (0..3).map(|_| enter(&places, 1).unwrap()).collect();
    let lendings: Vec<_> = all.iter().map(|place| lender(&places, place).lend()).collect();
    assert_eq!((places.open(), places.lent(), places.addresses()), (0, 3, 0));
    let others: Vec<Place> = (0..3).map(|_| enter(&places, 1).unwrap()).collect();
    for place in &others {
        place.activity().begin();
        assert!(!place.activity().must_close(), "there was room");
    }
    assert_eq!(enter(&places, 1).unwrap_err(), Closed::AddressFull);
    drop(others);
    drop(lendings);
    assert_eq!((places.open(), places.lent(), places.addresses()), (3, 0, 1));
    drop(all);
    assert_eq!((places.open(), places.lent(), places.addresses()), (0, 0, 0));
}

#[test]
fn a_house_that_is_over_full_after_the_return_closes_the_idlest() {
    let places = places(4, 10);
    let first: Vec<Place> = (0..4).map(|_| enter(&places, 1).unwrap()).collect();
    let lendings: Vec<_> = first.iter().map(|place| lender(&places, place).lend()).collect();
    let second: Vec<Place> = (0..4).map(|_| enter(&places, 2).unwrap()).collect();
    let leaving = |of: &[Place]| of.iter().filter(|place| place.activity().is_leaving()).count();
    assert_eq!(leaving(&first) + leaving(&second), 0);
    for place in &first {
        place.activity().begin();
    }
    second[0].activity().begin();
    drop(lendings);
    assert_eq!((leaving(&first), leaving(&second)), (0, 3), "all that have no request");
    assert_eq!(enter(&places, 3).unwrap_err(), Closed::Full, "a request is under way on each that stays");
    for place in &first[..2] {
        place.activity().end(later());
    }
    assert_eq!(enter(&places, 3).map(drop), Ok(()));
    assert_eq!(leaving(&first), 2, "one too many, and one for the newcomer");
    drop((first, second));
    assert_eq!((places.open(), places.leaving()), (0, 0));
}

#[test]
fn who_lends_its_place_is_not_closed_for_a_newcomer_even_if_it_was_remembered_as_idle() {
    let places = places(40, 40);
    let all: Vec<Place> = (0..40).map(|_| enter(&places, 1).unwrap()).collect();
    // The search remembers the next ones too.
    drop(enter(&places, 1).unwrap());
    let _lendings: Vec<_> = all[1..20].iter().map(|place| lender(&places, place).lend()).collect();
    let _newcomers: Vec<Place> = (0..25).map(|_| enter(&places, 1).unwrap()).collect();
    let leaving: Vec<usize> = (0..40).filter(|&at| all[at].activity().is_leaving()).collect();
    assert!(leaving.iter().all(|&at| at == 0 || at >= 20), "{leaving:?}");
    assert!(leaving.len() > 1, "others have made room");
}

#[test]
fn a_connection_counts_again_after_the_last_of_several_lendings_and_not_after_its_end() {
    let places = places(4, 4);
    let place = enter(&places, 1).unwrap();
    let lender = lender(&places, &place);
    let (first, second) = (lender.lend(), lender.lend());
    drop(first);
    assert_eq!((places.open(), places.lent()), (0, 1));
    drop(second);
    assert_eq!((places.open(), places.lent()), (1, 0));
    let third = lender.lend();
    drop(place);
    assert_eq!((places.open(), places.lent()), (0, 0));
    drop(third);
    drop(lender.lend());
    assert_eq!((places.open(), places.lent()), (0, 0));
}

#[tokio::test]
async fn as_many_clients_as_wait_leave_all_places_to_others() {
    const PLACES: usize = 4;
    let mut server = start(Config::default(), PLACES).await;
    let mut waiting = Vec::new();
    for _ in 0..3 * PLACES {
        let (client, sender, lender) = server.stream().await;
        waiting.push((client, sender, lender.lend()));
    }
    let mut others = Vec::new();
    for _ in 0..PLACES {
        others.push(server.idle().await);
    }
    assert_eq!(server.state.places.closed(Closed::MadeRoom), 0);
    assert_eq!((server.state.places.open(), server.state.places.lent()), (PLACES, 3 * PLACES));
    // Back again, they count, and the idlest go.
    let mut back = Vec::new();
    for (mut client, sender, lending) in waiting {
        drop(sender);
        read_to(&mut client, "0\r\n\r\n").await;
        drop(lending);
        back.push(client);
    }
    assert_eq!(server.state.places.closed(Closed::MadeRoom), 3 * PLACES as u64);
    for client in &mut back[2 * PLACES..] {
        ask(client, "/").await;
        read_to(client, "fine\n").await;
    }
    for mut client in others {
        assert_eq!(timeout(DEADLINE, client.read(&mut [0; 1])).await.expect("it is closed").unwrap(), 0);
    }
}
