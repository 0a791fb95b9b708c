use super::*;
use serde_json::json;

fn mk_status(value: &str) -> ServiceL2Status {
    let object = json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": { "name": "l2-a", "annotations": { "cortenlb.io/address-conflict": value } },
        "spec": {},
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let contested: Contested = [
        ("172.21.5.240".parse().unwrap(), "02:00:5e:00:53:01".to_owned()),
        ("fd00::1".parse().unwrap(), "02:00:5e:00:53:02".to_owned()),
    ]
    .into();
    let value = write(&contested).unwrap();
    assert_eq!(value, "172.21.5.240=02:00:5e:00:53:01,fd00::1=02:00:5e:00:53:02");
    assert_eq!(read(&mk_status(&value)), contested);
    assert_eq!(write(&Contested::new()), None);
}

#[test]
fn what_is_no_address_with_a_mac_address_is_left_out() {
    for value in [
        "",
        "172.21.5.240",
        "a=02:00:5e:00:53:01",
        "172.21.5.240=<b>",
        "172.21.5.240=02:00:5e:00:53",
    ] {
        assert_eq!(read(&mk_status(value)), Contested::new(), "{value}");
    }
}

#[test]
fn a_service_is_contested_while_its_condition_is_true() {
    for (status, contested) in [("True", true), ("False", false)] {
        let object = json!({
            "metadata": { "name": "web" },
            "status": { "conditions": [{
                "type": "cortenlb.io/AddressConflict", "status": status, "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }] },
        });
        let service: Service = serde_json::from_value(object).unwrap();
        assert_eq!(is_contested(&service), contested);
    }
    assert!(!is_contested(&Service::default()));
}
