{{/*
Names and selectors are those that MetalLB's chart makes: so `helm upgrade` of one of its releases changes the workloads that
are there, whose selectors cannot be changed. It makes them from its own name, which is "metallb" and stands here for that
reason. As a default of `nameOverride` in values.yaml it would be lost to a file of MetalLB's values, which sets that to "".
*/}}
{{- define "cortenlb.name" -}}
{{- default "metallb" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cortenlb.fullname" -}}
{{- $name := default "metallb" .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cortenlb.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The Secret with the speakers' key. */}}
{{- define "cortenlb.speakersKey" -}}
{{- $name := printf "%s-memberlist" (include "cortenlb.fullname" .) -}}
{{- default $name .Values.speaker.secretName | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A component's ServiceAccount; takes the root and the component. */}}
{{- define "cortenlb.account" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $account := (index $root.Values $component).serviceAccount -}}
{{- $made := printf "%s-%s" (include "cortenlb.fullname" $root) $component -}}
{{- default (ternary $made "default" $account.create) $account.name -}}
{{- end -}}

{{/*
What a generated file holds for this release; takes the root and the file's name. Its first line says where it comes from,
and would be an empty document.
*/}}
{{- define "cortenlb.generated" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (printf "files/%s.yaml" (index . 1)) -}}
{{- tpl (regexReplaceAll "^#[^\n]*\n" $text "") $root -}}
{{- end -}}

{{/* The metadata of an object that no generated file holds; takes the root and the name. */}}
{{- define "cortenlb.metadata" -}}
namespace: {{ (index . 0).Release.Namespace | quote }}
{{ include "cortenlb.clusterMetadata" . }}
{{- end -}}

{{/* As above, of an object of the cluster. */}}
{{- define "cortenlb.clusterMetadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 | quote }}
labels:
  app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
  app.kubernetes.io/name: {{ include "cortenlb.name" $root | quote }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  helm.sh/chart: {{ include "cortenlb.chart" $root | quote }}
{{- end -}}

{{/* The labels by which a component's pods are found; takes the root and the component. */}}
{{- define "cortenlb.selector" -}}
app.kubernetes.io/component: {{ index . 1 | quote }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/name: {{ include "cortenlb.name" (index . 0) | quote }}
{{- end -}}

{{/* "true" if a component's `image` names a repository that is not MetalLB's: a file of MetalLB's values does. */}}
{{- define "cortenlb.ownImage" -}}
{{- if .repository -}}
{{- if not (regexMatch "(^|/)metallb[/-](controller|speaker)$" .repository) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* The image of a container: takes the root, the component's values and the reference that this chart was made for. */}}
{{- define "cortenlb.image" -}}
{{- $root := index . 0 -}}
{{- $own := (index . 1).image -}}
{{- $made := index . 2 -}}
{{- $image := default dict $root.Values.image -}}
{{- if include "cortenlb.ownImage" $own -}}
{{- $image = $own -}}
{{- end -}}
{{- if or $image.repository $image.tag -}}
{{- $repository := default (regexReplaceAll "(:[^:/]*)?(@.*)?$" $made "") $image.repository -}}
{{- printf "%s:%s" $repository (toString (default $root.Chart.AppVersion $image.tag)) -}}
{{- else -}}
{{- $made -}}
{{- end -}}
{{- end -}}
