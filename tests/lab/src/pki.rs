//! Certificates, keys and kubeconfigs of a lab: one CA, made anew for each lab.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::folder::{FileError, LabFolder, write};
use crate::plan::{API_PORT, Host, Plan};

/// Why a lab has no certificates. Files that were written stay.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("cannot make the certificate of {subject}")]
    Make {
        /// Whose.
        subject: String,
        /// What rcgen says.
        #[source]
        source: rcgen::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes everything below pki/.
pub(crate) fn create(plan: &Plan, folder: &LabFolder) -> Result<(), PkiError> {
    let ca = Authority::new(folder)?;
    let segment = plan.cluster_segment();
    let mut api_names = names(&[
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "localhost",
    ]);
    let api_addresses: [IpAddr; 4] = [
        [127, 0, 0, 1].into(),
        [10, 96, 0, 1].into(),
        Host::ControlPlane.ipv4(segment).into(),
        plan.access_there().into(),
    ];
    api_names.extend(api_addresses.iter().map(IpAddr::to_string));
    ca.issue(folder, "apiserver", "kube-apiserver", None, api_names)?;
    ca.issue(folder, "admin", "admin", Some("system:masters"), vec![])?;
    kubeconfig(folder, "admin", "admin", plan.access_there().into(), plan)?;
    kubeconfig(
        folder,
        "system",
        "admin",
        Host::ControlPlane.ipv4(segment).into(),
        plan,
    )?;
    for node in plan.nodes() {
        let name = node.to_string();
        let addresses = plan.cluster_addresses(node).map(|address| address.to_string());
        let alternatives = [name.clone()].into_iter().chain(addresses).collect();
        ca.issue(
            folder,
            &name,
            &format!("system:node:{name}"),
            Some("system:nodes"),
            alternatives,
        )?;
        kubeconfig(
            folder,
            &name,
            &name,
            Host::ControlPlane.ipv4(segment).into(),
            plan,
        )?;
    }
    let accounts = KeyPair::generate().map_err(making("the service accounts"))?;
    write(&folder.pki("sa.key"), &accounts.serialize_pem())?;
    write(&folder.pki("sa.pub"), &accounts.public_key_pem())?;
    Ok(())
}

struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn new(folder: &LabFolder) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "lab-ca");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(making("the CA"))?;
        let certificate = params.self_signed(&key).map_err(making("the CA"))?;
        write(&folder.pki("ca.crt"), &certificate.pem())?;
        Ok(Self(Issuer::new(params, key)))
    }

    /// Writes FILE.crt and FILE.key, good for a server and for a client alike.
    fn issue(
        &self,
        folder: &LabFolder,
        file: &str,
        common_name: &str,
        organisation: Option<&str>,
        alternatives: Vec<String>,
    ) -> Result<(), PkiError> {
        let mut params = CertificateParams::new(alternatives).map_err(making(common_name))?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(organisation) = organisation {
            params
                .distinguished_name
                .push(DnType::OrganizationName, organisation);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().map_err(making(common_name))?;
        let certificate = params.signed_by(&key, &self.0).map_err(making(common_name))?;
        write(&folder.pki(&format!("{file}.crt")), &certificate.pem())?;
        write(&folder.pki(&format!("{file}.key")), &key.serialize_pem())?;
        Ok(())
    }
}

/// JSON is YAML too, and what kubectl and the servers read is the same.
fn kubeconfig(
    folder: &LabFolder,
    file: &str,
    who: &str,
    server: IpAddr,
    plan: &Plan,
) -> Result<(), FileError> {
    let name = format!("cortenlb-{}", plan.name);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": {
            "server": format!("https://{server}:{API_PORT}"),
            "certificate-authority": folder.pki("ca.crt"),
        }}],
        "users": [{ "name": who, "user": {
            "client-certificate": folder.pki(&format!("{who}.crt")),
            "client-key": folder.pki(&format!("{who}.key")),
        }}],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": who } }],
        "current-context": name,
    });
    write(&folder.kubeconfig(file), &format!("{config:#}\n"))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn making(subject: &str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Make {
        subject: subject.to_owned(),
        source,
    }
}
