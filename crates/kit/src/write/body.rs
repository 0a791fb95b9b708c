//! What is sent, as JSON.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A document as its text: thousands may wait to be sent, and as a [`Value`] each would take ten times the room.
#[derive(Clone, Debug)]
pub struct Body(Box<RawValue>);

impl Body {
    /// The document's text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The document.
    pub fn read(&self) -> Value {
        serde_json::from_str(self.0.get()).expect("the text was made of a Value")
    }
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self(to_raw_value(&value).expect("a Value has nothing that JSON has not"))
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
