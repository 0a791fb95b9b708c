//! What a path of the Kubernetes API names: an object, a collection, or a collection across namespaces.

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Group and version: `/api/v1`, `/apis/metallb.io/v1beta1`.
    pub(super) group: String,
    /// The namespace; `None` for cluster-scoped kinds, and for a collection across namespaces.
    pub(super) namespace: Option<String>,
    /// The kind's plural: `services`.
    pub(super) resource: String,
    /// The object's name; `None` for a collection.
    pub(super) name: Option<String>,
    /// `/status`.
    pub(super) status: bool,
}

impl Place {
    /// `None` for a path that the API does not have.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut words: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let group = words
            .drain(
                ..match *words.first()? {
                    "api" => 2,
                    "apis" => 3,
                    _ => return None,
                }
                .min(words.len()),
            )
            .fold(String::new(), |group, word| group + "/" + word);
        let status = words.last() == Some(&"status") && words.len() > 2;
        if status {
            words.pop();
        }
        let (namespace, resource, name) = match *words.as_slice() {
            [resource] => (None, resource, None),
            ["namespaces", namespace, resource] => (Some(namespace), resource, None),
            ["namespaces", namespace, resource, name] => (Some(namespace), resource, Some(name)),
            [resource, name] => (None, resource, Some(name)),
            _ => return None,
        };
        Some(Self {
            group,
            namespace: namespace.map(str::to_owned),
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            status,
        })
    }

    /// Whether this collection has that object in it.
    pub(super) fn covers(&self, object: &Self) -> bool {
        self.group == object.group
            && self.resource == object.resource
            && (self.namespace.is_none() || self.namespace == object.namespace)
    }

    /// The path of the object, without the subresource.
    pub(super) fn path(&self) -> String {
        let namespace = self.namespace.as_ref();
        let namespace = namespace.map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
        let name = self.name.as_deref().unwrap_or_default();
        format!("{}{namespace}/{}/{name}", self.group, self.resource)
    }

    /// The same collection's object of this name.
    pub(super) fn named(&self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..self.clone()
        }
    }
}
