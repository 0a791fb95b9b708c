use super::*;
use crate::l2::attached::tests::mk_attached;

#[test]
fn it_is_shown_as_kubectl_cortenlb_reads_it() {
    let shown = |view: &View| -> Value { serde_json::from_str(&view.json()).unwrap() };
    assert_eq!(
        shown(&View::default()),
        json!({ "unheard": false, "missing": [], "attached": null })
    );
    let view = View {
        unheard: true,
        missing: ["n2", "n3"].map(str::to_owned).into(),
        attached: Some(vec![
            mk_attached(1, false, &["172.21.5.0/24", "fd00:5::/64"]),
            mk_attached(2, true, &["192.168.0.0/24"]),
        ]),
    };
    let attached = json!([
        { "carrier": false, "prefixes": ["172.21.5.0/24", "fd00:5::/64"] },
        { "carrier": true, "prefixes": ["192.168.0.0/24"] },
    ]);
    assert_eq!(
        shown(&view),
        json!({ "unheard": true, "missing": ["n2", "n3"], "attached": attached })
    );
}
