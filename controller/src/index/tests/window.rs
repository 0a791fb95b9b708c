//! Thousands are decided about at once, and no more writes wait than can be sent.

use super::super::window::WINDOW;
use super::*;

fn under_way(cluster: &Cluster) -> usize {
    let of_services = |write: &&Write<Key>| matches!(write.key, Key::Service(_));
    cluster.pending.iter().filter(of_services).count()
}

#[test]
fn the_writes_of_many_are_made_when_their_turn_comes() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/22"])], &[]);
    let names: Vec<String> = (0..3 * WINDOW).map(|number| format!("s{number:04}")).collect();
    for name in &names {
        cluster.put_service(mk_service(name, 0));
        cluster.tell(name);
    }
    assert_eq!(under_way(&cluster), WINDOW);
    // One goes before its turn has come, and one while its write is under way.
    cluster.delete(&names[2 * WINDOW]);
    cluster.delete(&names[0]);
    while let Some(write) = cluster.pending.pop_front() {
        cluster.answer(write);
        assert!(under_way(&cluster) <= WINDOW);
    }
    for (number, name) in names.iter().enumerate() {
        if number != 0 && number != 2 * WINDOW {
            assert_ne!(cluster.shown(name), " (-)", "{name}");
        }
    }
}

#[test]
fn a_new_term_has_the_whole_window() {
    let mut cluster = Cluster::with(&[mk_pool("p", &["10.0.0.0/22"])], &[]);
    for number in 0..2 * WINDOW {
        let name = format!("s{number:04}");
        cluster.put_service(mk_service(&name, 0));
        cluster.tell(&name);
    }
    cluster.pending.clear();
    cluster.input(Input::Lead(None));
    cluster.input(Input::Lead(Some(LEAD)));
    assert_eq!(under_way(&cluster), WINDOW);
    cluster.settle();
    assert_ne!(cluster.shown(&format!("s{:04}", 2 * WINDOW - 1)), " (-)");
}
