{{/* The name that all objects begin with: the release's, if that names the chart already. */}}
{{- define "telemetry.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = .Values.fullnameOverride | default $full | trunc 36 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $full) }}{{ fail (printf "the objects would be named %s-..., and Services take only small letters, digits and dashes after a letter: set fullnameOverride" $full) }}{{ end -}}
{{ $full }}
{{- end -}}

{{/* The roles of the program that have processes of their own: nexus-streamer and so on, each with its values. Call it with the root. */}}
{{- define "telemetry.roles" -}}
streamer: nexusStreamer
collector: nexusCollector
gateway: nexusGateway
{{- if .Values.nexusCoordinator.enabled }}
coordinator: nexusCoordinator
{{- end }}
{{- end -}}

{{/* Whether the pods of a role call the Kubernetes API: true or false. Call it with a list: the root, the role. */}}
{{- define "telemetry.callsApi" -}}
{{- $root := index . 0 -}}
{{- if eq (index . 1) "coordinator" -}}
{{ eq $root.Values.autoscaling.mode "coordinator" }}
{{- else -}}
{{ and (eq (index . 1) "streamer") $root.Values.nexusStreamer.exporters.discovery.enabled }}
{{- end -}}
{{- end -}}

{{/* The labels by which selectors find a component. Call it with a list: the root, the component. */}}
{{- define "telemetry.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of a component's pods: without versions, which would restart etcd with each new chart. Call it with a list: the root, the
     component. */}}
{{- define "telemetry.podLabels" -}}
{{ include "telemetry.selector" . }}
app.kubernetes.io/part-of: telemetry-pipeline
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* All labels of a component's objects. Call it with a list: the root, the component. */}}
{{- define "telemetry.labels" -}}
{{- $root := index . 0 -}}
{{ include "telemetry.podLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* metadata of an object. Call it with a list: the root, the component, and the end of the name if it is not the component. */}}
{{- define "telemetry.metadata" -}}
{{- $root := index . 0 -}}
{{- $end := index . 1 -}}
{{- if gt (len .) 2 }}{{ $end = index . 2 }}{{ end -}}
name: {{ include "telemetry.fullname" $root }}-{{ $end }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "telemetry.labels" (list $root (index . 1)) | nindent 2 }}
{{- end -}}

{{/* The name of an image. Call it with its values, and the tag that counts without one. */}}
{{- define "telemetry.image" -}}
{{- $image := index . 0 -}}
{{- $path := $image.repository -}}
{{- with $image.registry }}{{ $path = printf "%s/%s" (trimSuffix "/" .) $path }}{{ end -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ $image.tag | default (index . 1) }}
{{- end -}}
{{- end -}}

{{- define "telemetry.programImage" -}}
image: {{ include "telemetry.image" (list .Values.image .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/* The names under which pods of this cluster reach the gateways. */}}
{{- define "telemetry.gatewayHost" -}}
{{ include "telemetry.fullname" . }}-nexus-gateway.{{ .Release.Namespace }}.svc
{{- end -}}

{{- define "telemetry.gatewayScheme" -}}
{{ ternary "https" "http" (ne .Values.nexusGateway.tls.existingSecret "") }}
{{- end -}}

{{/* URLs of etcd's members, with commas between them. */}}
{{- define "telemetry.etcdEndpoints" -}}
{{- if .Values.etcd.enabled -}}
{{- $scheme := ternary "https" "http" .Values.etcd.tls.enabled -}}
{{- $name := printf "%s-etcd" (include "telemetry.fullname" .) -}}
{{- $members := list -}}
{{- range $index := until (int .Values.etcd.replicaCount) -}}
{{- $members = append $members (printf "%s://%s-%d.%s.%s.svc:2379" $scheme $name $index $name $.Release.Namespace) -}}
{{- end -}}
{{ join "," $members }}
{{- else -}}
{{- if not .Values.externalEtcd.endpoints }}{{ fail "externalEtcd.endpoints is empty, and etcd.enabled is false: name the URLs of etcd's members, such as http://etcd-0:2379" }}{{ end -}}
{{ join "," .Values.externalEtcd.endpoints }}
{{- end -}}
{{- end -}}

{{/* The Secret that has the database's URL. */}}
{{- define "telemetry.databaseSecret" -}}
{{- if .Values.database.trial.enabled -}}
{{ include "telemetry.fullname" . }}-database
{{- else -}}
{{ required "database.existingSecret is empty: name the Secret that has the database's URL, postgres://user:password@host:5432/database, under the key url; or set database.trial.enabled=true for a database without backups" .Values.database.existingSecret }}
{{- end -}}
{{- end -}}

{{/* The Secret that has the first key. */}}
{{- define "telemetry.accessSecret" -}}
{{ .Values.access.existingSecret | default (printf "%s-first-key" (include "telemetry.fullname" .)) }}
{{- end -}}
