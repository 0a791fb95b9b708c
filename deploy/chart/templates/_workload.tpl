{{/*
Changes a generated workload as the values of its component want it. Takes

  root, values  the root and the component's values
  workload      the Deployment or DaemonSet, which is changed in place
  flags         flags by name
  env           environment variables by name
  ports         ports by the name of the container's port; 0: none
  without       names of variables and volumes that are left out
*/}}
{{- define "cortenlb.overlay" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $template := .workload.spec.template -}}
{{- $pod := $template.spec -}}
{{- $container := first $pod.containers -}}

{{- range $key, $value := $values.labels -}}
{{- $_ := set $.workload.metadata.labels $key (toString $value) -}}
{{- $_ := set $template.metadata.labels $key (toString $value) -}}
{{- end -}}
{{- $annotations := omit $template.metadata.annotations "prometheus.io/port" "prometheus.io/scheme" "prometheus.io/scrape" -}}
{{- if and $root.Values.prometheus.scrapeAnnotations (int $root.Values.prometheus.metricsPort) -}}
{{- $annotations = $template.metadata.annotations -}}
{{- $_ := set $annotations "prometheus.io/port" (toString (int $root.Values.prometheus.metricsPort)) -}}
{{- end -}}
{{- range $key, $value := $values.podAnnotations -}}
{{- $_ := set $annotations $key (toString $value) -}}
{{- end -}}
{{- $_ := set $template.metadata "annotations" $annotations -}}
{{- if not $annotations -}}
{{- $_ := unset $template.metadata "annotations" -}}
{{- end -}}
{{- if not (kindIs "invalid" $values.revisionHistoryLimit) -}}
{{- $_ := set .workload.spec "revisionHistoryLimit" (int $values.revisionHistoryLimit) -}}
{{- end -}}

{{- with $root.Values.imagePullSecrets -}}
{{- $_ := set $pod "imagePullSecrets" . -}}
{{- end -}}
{{- range $field := list "runtimeClassName" "priorityClassName" "affinity" -}}
{{- with index $values $field -}}
{{- $_ := set $pod $field . -}}
{{- end -}}
{{- end -}}
{{- range $field := list "securityContext" "nodeSelector" -}}
{{- range $key, $value := index $values $field -}}
{{- $_ := set (get $pod $field) $key $value -}}
{{- end -}}
{{- end -}}
{{- $_ := set $pod "tolerations" (concat (default list $pod.tolerations) (default list $values.tolerations)) -}}
{{- $_ := set $pod "containers" (concat $pod.containers (default list $values.extraContainers)) -}}

{{- $_ := set $container "image" (include "cortenlb.image" (list $root $values $container.image)) -}}
{{- with default (default dict $root.Values.image).pullPolicy $values.image.pullPolicy -}}
{{- $_ := set $container "imagePullPolicy" . -}}
{{- end -}}
{{- with $values.command -}}
{{- $_ := set $container "command" (list .) -}}
{{- end -}}
{{- with $values.resources -}}
{{- $_ := set $container "resources" . -}}
{{- end -}}

{{- $flags := dict "--port" (int $root.Values.prometheus.metricsPort) -}}
{{- with $values.logLevel -}}
{{- $_ := set $flags "--log-level" . -}}
{{- end -}}
{{- with $root.Values.loadBalancerClass -}}
{{- $_ := set $flags "--lb-class" . -}}
{{- end -}}
{{- $port := int (default $container.livenessProbe.httpGet.port $values.livenessProbe.port) -}}
{{- if ne $port (int $container.livenessProbe.httpGet.port) -}}
{{- $_ := set $flags "--health-probe-port" $port -}}
{{- end -}}
{{- $tls := default dict $root.Values.tls -}}
{{- with $tls.minVersion -}}
{{- $_ := set $flags "--tls-min-version" . -}}
{{- end -}}
{{- $certificate := get $tls (printf "%sMetricsTLSSecret" $container.name) -}}
{{- if $certificate -}}
{{- $_ := set $flags "--metrics-cert-dir" "/etc/metrics-tls" -}}
{{- $volume := dict "name" "metrics-tls" "secret" (dict "secretName" $certificate) -}}
{{- $_ := set $pod "volumes" (append (default list $pod.volumes) $volume) -}}
{{- $mount := dict "name" "metrics-tls" "mountPath" "/etc/metrics-tls" "readOnly" true -}}
{{- $_ := set $container "volumeMounts" (append (default list $container.volumeMounts) $mount) -}}
{{- end -}}
{{- range $flag, $value := .flags -}}
{{- $_ := set $flags $flag $value -}}
{{- end -}}
{{- $args := list -}}
{{- range $container.args -}}
{{- $flag := regexFind "^[^=]+" . -}}
{{- if hasKey $flags $flag -}}
{{- $args = append $args (printf "%s=%v" $flag (get $flags $flag)) -}}
{{- $_ := unset $flags $flag -}}
{{- else -}}
{{- $args = append $args . -}}
{{- end -}}
{{- end -}}
{{- range $flag, $value := $flags -}}
{{- $args = append $args (printf "%s=%v" $flag $value) -}}
{{- end -}}
{{- $_ := set $container "args" $args -}}

{{- range $name := list "livenessProbe" "readinessProbe" -}}
{{- $wanted := index $values $name -}}
{{- if $wanted.enabled -}}
{{- $probe := get $container $name -}}
{{- $_ := set $probe.httpGet "port" $port -}}
{{- range $key, $value := omit $wanted "enabled" "port" -}}
{{- $_ := set $probe $key $value -}}
{{- end -}}
{{- else -}}
{{- $_ := unset $container $name -}}
{{- end -}}
{{- end -}}

{{- $env := list -}}
{{- range $container.env -}}
{{- if hasKey $.env .name -}}
{{- $env = append $env (dict "name" .name "value" (toString (get $.env .name))) -}}
{{- else if not (has .name $.without) -}}
{{- $env = append $env . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $container "env" (concat $env (default list $values.extraEnv)) -}}

{{- $ports := list -}}
{{- range $container.ports -}}
{{- $number := int (dig .name .containerPort $.ports) -}}
{{- if $number -}}
{{- $ports = append $ports (set . "containerPort" $number) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $container "ports" $ports -}}

{{- if $pod.volumes -}}
{{- $volumes := list -}}
{{- range $pod.volumes -}}
{{- if not (has .name $.without) -}}
{{- $volumes = append $volumes . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $pod "volumes" $volumes -}}
{{- $mounts := list -}}
{{- range $container.volumeMounts -}}
{{- if not (has .name $.without) -}}
{{- $mounts = append $mounts . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $container "volumeMounts" $mounts -}}
{{- end -}}
{{- end -}}
