//! A real Kubernetes cluster on this machine, in network namespaces.
