//! The reference scenario: the story that CortenLB exists for, with real parts only.
//!
//! Somebody with MicroK8s enables the load balancer and gives it a range, installs Traefik, moves an application from
//! Ingress to the Gateway API, edits the DNS zone, and opens `https://nexus.devops-db.internal` in a browser. Each step is
//! shown with its command and its output.
//!
//! | module | owns |
//! | --- | --- |
//! | `addon` | the MicroK8s add-on, with the lab in the place of MicroK8s |
//! | `teller` | commands, shown with what came of them |
//! | `zone` | BIND on the router host |
//! | `browser` | Chromium on the client host |

use std::path::Path;

use anyhow::ensure;
use cortenlb_lab::{BACKEND_IMAGE, Traefik, require_packages};

use crate::cluster::Cluster;

pub(crate) mod addon;
mod browser;
mod teller;
mod zone;

use addon::Addon;
use browser::Browser;
use teller::Teller;
use zone::Bind;

/// What Traefik is to get: the first address of the range.
const VIP: &str = "172.21.5.240";

const HOST: &str = "nexus.devops-db.internal";

/// What is on the page of the stand-in for Nexus.
const PAGE: &str = "A stand-in for Sonatype Nexus";

/// Debian's programs on the hosts, and their packages.
const PROGRAMS: [(&str, &str); 5] = [
    ("named", "bind9"),
    ("rndc", "bind9"),
    ("chromium", "chromium"),
    ("certutil", "libnss3-tools"),
    ("openssl", "openssl"),
];

/// curl asks until the page is there: kube-proxy and Traefik follow the API server on their own time.
const CURL: [&str; 10] = [
    "curl",
    "-s",
    "--fail",
    "--max-time",
    "5",
    "--retry",
    "60",
    "--retry-delay",
    "1",
    "--retry-all-errors",
];

/// What of Traefik's command line changes when the Gateway API is there.
const GATEWAY_ARGUMENTS: &str = r#"[
{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--providers.kubernetesgateway"},
{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--providers.kubernetesgateway.statusaddress.service.namespace=traefik"},
{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--providers.kubernetesgateway.statusaddress.service.name=traefik"}
]"#;

/// Brings what the story needs besides a lab: Debian packages, and Traefik, which takes minutes to build once.
///
/// # Errors
/// A package cannot be installed, or Traefik cannot be built.
pub async fn prepare() -> anyhow::Result<Traefik> {
    require_packages(&PROGRAMS).await?;
    Ok(Traefik::ensure().await?)
}

/// Tells the story on a lab without the product, and leaves everything running. `picture` is where the browser's picture
/// is kept.
///
/// # Errors
/// What went otherwise than it should.
pub async fn tell(cluster: &Cluster, traefik: &Traefik, picture: &Path) -> anyhow::Result<()> {
    let teller = Teller { lab: &cluster.lab };
    cluster.lab.load_image(&traefik.image).await?;
    enable(cluster, &teller).await?;
    install_traefik(&teller, traefik).await?;
    serve_by_ingress(&teller).await?;
    let authority = move_to_gateway(&teller, traefik).await?;
    let bind = name(&teller).await?;
    let opened = open(&teller, &bind, &authority, picture).await;
    bind.stop(&cluster.lab).await?;
    opened
}

/// Takes away what the story left.
///
/// # Errors
/// The cluster does not do what it is told.
pub async fn clear(cluster: &Cluster) -> anyhow::Result<()> {
    let teller = Teller { lab: &cluster.lab };
    let kinds = "namespace/traefik namespace/devops-db clusterrole/traefik clusterrolebinding/traefik ingressclass/traefik";
    let words = ["delete", "--ignore-not-found"]
        .into_iter()
        .chain(kinds.split(' '));
    teller.quietly(&words.collect::<Vec<_>>()).await?;
    let definitions = teller.quietly(&["get", "crd", "-o", "name"]).await?;
    let definitions = definitions
        .lines()
        .filter(|name| name.ends_with(".gateway.networking.k8s.io"));
    let words: Vec<&str> = ["delete"].into_iter().chain(definitions).collect();
    if words.len() > 1 {
        teller.quietly(&words).await?;
    }
    Addon::lay_out(cluster).await?.disable().await?.expect_success()?;
    cluster.uninstall().await
}

async fn enable(cluster: &Cluster, teller: &Teller<'_>) -> anyhow::Result<()> {
    teller.say("The load balancer is enabled, and given a range of the segment");
    let addon = Addon::lay_out(cluster).await?;
    let range = crate::cluster::RANGE;
    teller.show(&format!("$ microk8s enable cortenlb:{range}"));
    print!("{}", addon.enable(range, "").await?.expect_success()?);
    let pods = teller.kubectl(&["get", "pods", "-n", "metallb-system"]).await?;
    let running = |name: &str| {
        let mut lines = pods.lines().filter(|line| line.starts_with(name)).peekable();
        lines.peek().is_some() && lines.all(|line| line.contains("Running"))
    };
    ensure!(
        running("controller-") && running("speaker-"),
        "controller and speakers are not Running"
    );
    let pools = teller
        .kubectl(&["get", "ipaddresspools", "-n", "metallb-system"])
        .await?;
    ensure!(
        pools.contains("default-addresspool"),
        "there is no default-addresspool"
    );
    Ok(())
}

async fn install_traefik(teller: &Teller<'_>, traefik: &Traefik) -> anyhow::Result<()> {
    teller.say("Traefik, with a Service of type LoadBalancer");
    let manifest = include_str!("reference/traefik.yaml").replace("TRAEFIK_IMAGE", traefik.reference);
    teller.apply("traefik.yaml", &manifest).await?;
    rolled_out(teller, "traefik", "traefik").await?;
    teller
        .quietly(&[
            "wait",
            "-n",
            "traefik",
            "svc/traefik",
            "--timeout=60s",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        ])
        .await?;
    let services = teller.kubectl(&["get", "svc", "-n", "traefik"]).await?;
    ensure!(
        services.contains(VIP) && services.contains("80:30144/TCP,443:31262/TCP"),
        "Traefik's Service has not {VIP} and its ports"
    );
    Ok(())
}

async fn serve_by_ingress(teller: &Teller<'_>) -> anyhow::Result<()> {
    teller.say("An application (a stand-in for Nexus) behind an Ingress");
    let manifest = include_str!("reference/nexus.yaml").replace("BACKEND_IMAGE", BACKEND_IMAGE);
    teller.apply("nexus.yaml", &manifest).await?;
    rolled_out(teller, "devops-db", "nexus").await?;
    let ingress = include_str!("reference/ingress.yaml");
    teller.show(ingress);
    teller.apply("ingress.yaml", ingress).await?;
    fetch(
        teller,
        &[
            "--resolve",
            &format!("{HOST}:80:{VIP}"),
            &format!("http://{HOST}/"),
        ],
    )
    .await
}

/// Returns the path of the certificate of the story's own authority.
async fn move_to_gateway(teller: &Teller<'_>, traefik: &Traefik) -> anyhow::Result<String> {
    teller.say("From Ingress to the Gateway API, with TLS");
    let definitions = traefik.gateway_api.display().to_string();
    let words = ["apply", "--server-side", "-f", &definitions];
    teller.show("$ kubectl apply --server-side -f gateway-api/config/crd/standard");
    print!("{}", teller.quietly(&words).await?);
    let (authority, certificate, key) = certify(teller).await?;
    let (certificate, key) = (format!("--cert={certificate}"), format!("--key={key}"));
    let words = [
        "create",
        "secret",
        "tls",
        "nexus-tls",
        "-n",
        "devops-db",
        &certificate,
        &key,
    ];
    teller.show("$ kubectl create secret tls nexus-tls -n devops-db --cert=nexus.crt --key=nexus.key");
    print!("{}", teller.quietly(&words).await?);
    let patch = [
        "patch",
        "deployment/traefik",
        "-n",
        "traefik",
        "--type=json",
        "-p",
        GATEWAY_ARGUMENTS,
    ];
    teller.kubectl(&patch).await?;
    rolled_out(teller, "traefik", "traefik").await?;
    let gateway = include_str!("reference/gateway.yaml");
    teller.show(gateway);
    teller.apply("gateway.yaml", gateway).await?;
    teller
        .kubectl(&["delete", "ingress/nexus", "-n", "devops-db"])
        .await?;
    let gateway = ["wait", "-n", "devops-db", "gateway/devops-db", "--timeout=60s"];
    let programmed = ["--for=condition=Programmed"];
    teller.quietly(&[&gateway[..], &programmed].concat()).await?;
    let address = format!("--for=jsonpath={{.status.addresses[0].value}}={VIP}");
    teller
        .quietly(&[&gateway[..], &[address.as_str()]].concat())
        .await?;
    teller
        .kubectl(&["get", "gateway,httproute", "-n", "devops-db"])
        .await?;
    Ok(authority)
}

/// An authority of the user's own, and a certificate for Nexus: the paths of both certificates and of the latter's key.
async fn certify(teller: &Teller<'_>) -> anyhow::Result<(String, String, String)> {
    let mut paths = Vec::new();
    for name in ["ca.crt", "ca.key", "nexus.crt", "nexus.key"] {
        paths.push(teller.lab.scratch_file(name, "").await?);
    }
    let [authority, authority_key, certificate, key] = &paths[..] else {
        unreachable!("four files were made");
    };
    let new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-days",
        "30",
    ];
    let own = [
        "-subj",
        "/CN=devops-db authority",
        "-keyout",
        authority_key,
        "-out",
        authority,
    ];
    let shown = "openssl req -x509 … -subj \"/CN=devops-db authority\" -keyout ca.key -out ca.crt";
    teller.on("client", shown, &[&new[..], &own].concat()).await?;
    let (subject, alternative) = (format!("/CN={HOST}"), format!("subjectAltName=DNS:{HOST}"));
    let leaf = [
        "-CA",
        authority,
        "-CAkey",
        authority_key,
        "-subj",
        &subject,
        "-addext",
        &alternative,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        key,
        "-out",
        certificate,
    ];
    let shown = format!(
        "openssl req -x509 … -CA ca.crt -CAkey ca.key -addext {alternative} -keyout nexus.key -out nexus.crt"
    );
    teller.on("client", &shown, &[&new[..], &leaf].concat()).await?;
    Ok((authority.clone(), certificate.clone(), key.clone()))
}

async fn name(teller: &Teller<'_>) -> anyhow::Result<Bind> {
    teller.say("The DNS zone: a name for the address");
    let bind = Bind::start(teller).await?;
    bind.add(teller, VIP).await?;
    let words = bind.resolving(&["getent", "hosts", HOST]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = teller
        .on("client", &format!("getent hosts {HOST}"), &words)
        .await?;
    ensure!(
        found.starts_with(VIP),
        "the client does not resolve {HOST} to {VIP}"
    );
    Ok(bind)
}

async fn open(teller: &Teller<'_>, bind: &Bind, authority: &str, picture: &Path) -> anyhow::Result<()> {
    teller.say("A host on the segment opens the application");
    let (plain, url) = (format!("http://{HOST}/"), format!("https://{HOST}/"));
    let with_authority = ["--cacert", authority, url.as_str()];
    for (shown, arguments) in [
        (format!("curl http://{HOST}"), &[plain.as_str()][..]),
        (
            format!("curl --cacert ca.crt https://{HOST}"),
            &with_authority[..],
        ),
    ] {
        let words = bind.resolving(&[&CURL[..], arguments].concat());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let page = teller.on("client", &shown, &words).await?;
        println!();
        ensure!(page.contains(PAGE), "the page is not that of the stand-in");
    }
    let browser = Browser::prepare(teller, authority).await?;
    let page = browser.open(teller, bind, &url, picture).await?;
    ensure!(
        page.contains(PAGE),
        "the browser does not show the page of the stand-in"
    );
    println!("(the picture is {})", picture.display());
    Ok(())
}

async fn rolled_out(teller: &Teller<'_>, namespace: &str, deployment: &str) -> anyhow::Result<()> {
    let deployment = format!("deployment/{deployment}");
    let words = [
        "rollout",
        "status",
        "-n",
        namespace,
        &deployment,
        "--timeout=120s",
    ];
    teller.quietly(&words).await?;
    Ok(())
}

async fn fetch(teller: &Teller<'_>, arguments: &[&str]) -> anyhow::Result<()> {
    let shown = format!("curl {}", arguments.join(" "));
    let page = teller
        .on("client", &shown, &[&CURL[..], arguments].concat())
        .await?;
    println!();
    ensure!(page.contains(PAGE), "the page is not that of the stand-in");
    Ok(())
}
