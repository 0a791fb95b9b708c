{{/*
Values of MetalLB's chart that are set and have no effect here, each with the reason, as YAML lines of a list. What has the
value that MetalLB's values.yaml gives it, and would do nothing in MetalLB either, is not named.
*/}}
{{- define "cortenlb.withoutEffect" -}}
{{- $values := .Values.AsMap -}}
{{- $bgp := "BGP is not supported yet" -}}
{{- $webhook := "there is no webhook" -}}
{{- $found := list -}}

{{- range $key, $set := dig "frrk8s" dict $values -}}
{{- if $set -}}
{{- $found = append $found (list (printf "frrk8s.%s" $key) $bgp) -}}
{{- end -}}
{{- end -}}
{{- if dig "frr-k8s" "prometheus" "serviceMonitor" "enabled" false $values -}}
{{- $found = append $found (list "frr-k8s" $bgp) -}}
{{- else if gt (len (omit (dig "frr-k8s" dict $values) "prometheus" "enabled")) 0 -}}
{{- $found = append $found (list "frr-k8s" $bgp) -}}
{{- end -}}
{{- if dig "speaker" "frr" "enabled" false $values -}}
{{- $found = append $found (list "speaker.frr" $bgp) -}}
{{- end -}}
{{- range $key := list "reloader" "frrMetrics" -}}
{{- if dig "speaker" $key "resources" dict $values -}}
{{- $found = append $found (list (printf "speaker.%s" $key) $bgp) -}}
{{- end -}}
{{- end -}}
{{- range $key, $container := dig "speaker" "initContainers" dict $values -}}
{{- if $container.resources -}}
{{- $found = append $found (list (printf "speaker.initContainers.%s" $key) $bgp) -}}
{{- end -}}
{{- end -}}
{{- if dig "speaker" "bgpDebounceTimeout" false $values -}}
{{- $found = append $found (list "speaker.bgpDebounceTimeout" $bgp) -}}
{{- end -}}
{{- $rules := dig "prometheus" "prometheusRule" dict $values -}}
{{- if and $rules.enabled (dig "bgpSessionDown" "enabled" false $rules) -}}
{{- $found = append $found (list "prometheus.prometheusRule.bgpSessionDown" $bgp) -}}
{{- end -}}

{{- $mode := dig "controller" "webhookMode" "enabled" $values -}}
{{- if not (has $mode (list "enabled" "")) -}}
{{- $found = append $found (list "controller.webhookMode" $webhook) -}}
{{- end -}}
{{- if ne (dig "crds" "validationFailurePolicy" "Fail" $values) "Fail" -}}
{{- $found = append $found (list "crds.validationFailurePolicy" $webhook) -}}
{{- end -}}

{{- range $key := list "cipherSuites" "curvePreferences" -}}
{{- if dig "tls" $key false $values -}}
{{- $found = append $found (list (printf "tls.%s" $key) "the TLS library chooses among what is safe") -}}
{{- end -}}
{{- end -}}

{{- range $component := list "controller" "speaker" -}}
{{- $image := dig $component "image" dict $values -}}
{{- if not (include "cortenlb.ownImage" $image) -}}
{{- range $key := list "repository" "tag" -}}
{{- if get $image $key -}}
{{- $found = append $found (list (printf "%s.image.%s" $component $key) "it is of MetalLB's image; ours is named by `image`") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $live := dig $component "livenessProbe" "port" 0 $values -}}
{{- if ne (int (dig $component "readinessProbe" "port" $live $values)) (int $live) -}}
{{- $found = append $found (list (printf "%s.readinessProbe.port" $component) "both probes ask at livenessProbe.port") -}}
{{- end -}}
{{- end -}}
{{- if dig "speaker" "wanConfig" false $values -}}
{{- $found = append $found (list "speaker.wanConfig" "the speakers' times are fixed") -}}
{{- end -}}

{{- range $found }}
- {{ printf "%s: %s" (index . 0) (index . 1) }}
{{- end }}
{{- end -}}
