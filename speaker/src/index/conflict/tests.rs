use super::super::tests::{VIP, after, mk_cluster, mk_service};
use super::*;
use cortenlb_kit::write::Op;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

const MAC: MacAddr = MacAddr([2, 0, 0x5e, 0, 0x53, 1]);

fn found(macs: &[MacAddr]) -> crate::index::Input {
    let vip: IpAddr = VIP.parse().unwrap();
    crate::index::Input::Contested(macs.iter().map(|mac| (vip, *mac)).collect())
}

const TOLD: &str = "Warning AddressConflict: 172.21.5.240 is in use by 02:00:5e:00:53:01 on the segment, which is no \
                    node of this cluster: no node announces it until that station is gone";

#[test]
fn a_station_that_has_an_address_is_told_once_and_recorded() {
    let mut index = mk_cluster();
    // It does not answer for it.
    index.handle(crate::index::Input::Owned(BTreeSet::new()));
    index.settle();
    index.handle(found(&[MAC]));
    let effects = index.settle();
    assert_eq!(effects.len(), 1, "the first write is under way: {effects:?}");
    assert!(matches!(&effects[0], Effect::Note(note) if note.severity == Severity::Warning));
    assert_eq!(after(&mut index, found(&[MAC])), [""; 0]);
    let other = MacAddr([2, 0, 0x5e, 0, 0x53, 2]);
    assert_eq!(after(&mut index, found(&[other])).len(), 1);
    assert_eq!(after(&mut index, found(&[])), [""; 0]);
    assert_eq!(after(&mut index, found(&[MAC])), [TOLD]);
}

#[test]
fn what_is_recorded_is_an_object_without_a_status() {
    let mut index = super::super::tests::mk_index();
    for input in super::super::tests::first_lists() {
        index.handle(input);
    }
    index.handle(crate::index::Input::Owned(BTreeSet::new()));
    index.settle();
    index.handle(found(&[MAC]));
    let written = index.settle().into_iter().find_map(|effect| match effect {
        Effect::Write(write) => Some(write.op),
        _ => None,
    });
    let Some(Op::Create { body }) = written else {
        panic!("{written:?}")
    };
    let body = body.read();
    assert_eq!(
        body["metadata"]["annotations"],
        json!({ "cortenlb.io/address-conflict": "172.21.5.240=02:00:5e:00:53:01" })
    );
    assert_eq!(body.get("status"), None);
}

#[test]
fn all_speakers_know_of_it_by_the_services_condition() {
    let mut index = mk_cluster();
    let contested = |index: &Index| index.make_plan().groups.values().any(|group| group.contested);
    assert!(!contested(&index));
    let mut service = mk_service("web", &[VIP]);
    service.status.as_mut().unwrap().conditions = serde_json::from_value(json!([{
        "type": "cortenlb.io/AddressConflict", "status": "True", "reason": "R", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]))
    .unwrap();
    after(&mut index, Change::Apply(service));
    assert!(contested(&index));
    after(&mut index, Change::Apply(mk_service("web", &[VIP])));
    assert!(!contested(&index));
}

#[test]
fn a_claim_is_told_to_each_service_with_the_address() {
    let mut index = mk_cluster();
    after(&mut index, Change::Apply(mk_service("other", &["172.21.5.241"])));
    let claim = Claim {
        address: VIP.parse().unwrap(),
        by: MAC,
    };
    let notes = index.claimed(&claim);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].involved.name.as_deref(), Some("web"));
    assert!(notes[0].message.starts_with("02:00:5e:00:53:01 on the segment"));
}

/// Services as the watch reads them.
#[test]
fn a_service_that_is_gone_is_forgotten() {
    let mut conflicts = Conflicts::default();
    let view = |contested| View {
        contested,
        ..View::of(&Service::default(), None)
    };
    let Fact::Service(key, _) = view(true).fact else {
        panic!("a Service")
    };
    conflicts.services(&Change::Apply(view(true)));
    assert!(conflicts.says_so(&key));
    conflicts.services(&Change::Delete(view(true)));
    assert!(!conflicts.says_so(&key));
}
