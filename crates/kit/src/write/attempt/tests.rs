use serde_json::{Value, json};

use super::*;

#[test]
fn the_servers_wish_is_heeded_within_bounds() {
    let wish = |details: Value| {
        let status = json!({ "code": 429, "message": "too many requests", "details": details });
        match transient(&serde_json::from_value(status).unwrap(), Heard::NotDone) {
            Attempt::Transient { after, .. } => after,
            Attempt::Done(_) | Attempt::Refused(_) => panic!("a 429 is transient"),
        }
    };
    assert_eq!(wish(Value::Null), None);
    assert_eq!(wish(json!({ "retryAfterSeconds": 0 })), None);
    assert_eq!(
        wish(json!({ "retryAfterSeconds": 7 })),
        Some(Duration::from_secs(7))
    );
    assert_eq!(wish(json!({ "retryAfterSeconds": 3_600 })), Some(LONGEST_WISH));
}
