//! Kubernetes shell: watch pump, lease, patch writer, events, admin server, metrics, logs.
