//! The two questions to the API server: whose token is it, and may that user have the path.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo},
    authorization::v1::{
        NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
    },
};
use kube::{Client, Resource, api::PostParams, core::Request};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{Asked, Unknown, Verdict};

/// Why nobody can say what a token may do. Nothing is shown.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("the API server did not answer in time")]
    Silence,
    #[error("the API server cannot be asked")]
    Away(#[source] Box<kube::Error>),
    #[error("the API server's answer about {resource} makes no sense")]
    Unreadable { resource: &'static str },
    #[error(
        "the API server refused the question: the ClusterRole of this program has to allow it to create {resource}"
    )]
    Refused {
        resource: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
}

pub(super) async fn ask(client: &Client, token: &str, asked: Asked<'_>) -> Result<Verdict, Failure> {
    let question = TokenReview {
        spec: TokenReviewSpec {
            token: Some(token.to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    let status: TokenReviewStatus = create(client, "tokenreviews.authentication.k8s.io", &question).await?;
    if status.authenticated != Some(true) {
        let why = status.error.filter(|why| !why.is_empty());
        let why = why.unwrap_or_else(|| "it is not known".to_owned());
        return Ok(Verdict::Unknown(Unknown::Refused(why)));
    }
    let user = status.user.unwrap_or_default();
    let name = user.username.clone().unwrap_or_default();
    let question = may(user, asked);
    let status: SubjectAccessReviewStatus =
        create(client, "subjectaccessreviews.authorization.k8s.io", &question).await?;
    if status.allowed && status.denied != Some(true) {
        Ok(Verdict::Granted)
    } else {
        Ok(Verdict::Forbidden { user: name })
    }
}

fn may(user: UserInfo, asked: Asked<'_>) -> SubjectAccessReview {
    let UserInfo {
        extra,
        groups,
        uid,
        username,
    } = user;
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            extra,
            groups,
            uid,
            user: username,
            non_resource_attributes: Some(NonResourceAttributes {
                path: Some(asked.path.to_owned()),
                verb: Some(asked.verb.to_owned()),
            }),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// A review is no object: it is answered, and not kept. The answer is read here, since kube logs one that it cannot read, and
/// a token may be in it.
async fn create<K, S>(client: &Client, resource: &'static str, question: &K) -> Result<S, Failure>
where
    K: Resource<DynamicType = ()> + Serialize,
    S: DeserializeOwned + Default,
{
    #[derive(Deserialize)]
    struct Answer<S> {
        status: Option<S>,
    }
    let failed = |error: kube::Error| {
        let source = Box::new(error);
        match source.as_ref() {
            kube::Error::Api(status) if [401, 403, 404].contains(&status.code) => {
                Failure::Refused { resource, source }
            }
            _ => Failure::Away(source),
        }
    };
    let question = serde_json::to_vec(question).expect("a review is texts and lists, which JSON has");
    let request = Request::new(K::url_path(&(), None)).create(&PostParams::default(), question);
    let request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
    let text = client.request_text(request).await.map_err(failed)?;
    let answer: Answer<S> = serde_json::from_str(&text).map_err(|_| Failure::Unreadable { resource })?;
    Ok(answer.status.unwrap_or_default())
}
