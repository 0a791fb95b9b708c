use serde_json::Value;

use super::*;

#[test]
fn it_is_shown_as_kubectl_cortenlb_reads_it() {
    let view = View {
        unheard: false,
        missing: ["n2", "n3"].map(str::to_owned).into(),
    };
    let shown: Value = serde_json::from_str(&view.json()).unwrap();
    assert_eq!(shown, json!({ "unheard": false, "missing": ["n2", "n3"] }));
}
