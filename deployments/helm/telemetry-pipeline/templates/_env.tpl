{{/* The settings of a role that are no files. Helm reads numbers as float64, which would be shown as 2e+07. Call it with a list: the root, the role, the role's values. */}}
{{- define "telemetry.settings" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index . 2 -}}
{{- $settings := dict "ROLE" $role "HOST" "0.0.0.0" "PORT" "8080" "MIGRATE_ON_START" ($root.Values.database.trial.enabled | toString) -}}
{{- $_ := set $settings "CLUSTER_ID" $root.Values.clusterId -}}
{{- $_ := set $settings "ETCD_ENDPOINTS" (include "telemetry.etcdEndpoints" $root) -}}
{{- $_ := set $settings "SHUTDOWN_TIMEOUT_SECONDS" ($root.Values.shutdownTimeoutSeconds | toString) -}}
{{- if and (not $root.Values.etcd.enabled) $root.Values.externalEtcd.username -}}
{{- $_ := set $settings "ETCD_USERNAME" $root.Values.externalEtcd.username -}}
{{- end -}}
{{- with $root.Values.access.openPages }}{{ $_ := set $settings "AUTH_OPEN_PAGES" (join "," .) }}{{ end -}}
{{- $settings = mergeOverwrite $settings (include (printf "telemetry.settings.%s" $role) . | fromYaml) -}}
{{- $settings = mergeOverwrite $settings (deepCopy $root.Values.settings) (deepCopy $values.settings) -}}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ (and (kindIs "float64" $value) (eq $value (floor $value))) | ternary (int64 $value) $value | toString | quote }}
{{- end }}
{{- end -}}

{{- define "telemetry.settings.streamer" -}}
{{- $values := index . 2 -}}
{{- if or $values.csv.configMap $values.csv.existingClaim }}
CSV_FILE: /csv/{{ $values.csv.file }}
{{- end }}
{{- with $values.exporters.targets }}
DCGM_TARGETS: {{ join "," . | quote }}
{{- end }}
{{- with $values.exporters.srv }}
DCGM_TARGETS_SRV: {{ join "," . | quote }}
{{- end }}
{{- with $values.exporters.discovery }}
{{- if .enabled }}
DCGM_DISCOVERY: kubernetes
DCGM_POD_SELECTOR: {{ .selector | quote }}
DCGM_POD_PORT: {{ .port | quote }}
{{- with .namespace }}
DCGM_POD_NAMESPACE: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "telemetry.settings.collector" -}}
{{- end -}}

{{/* The gateways answer under the names that lead to them; ALLOWED_HOSTS in settings replaces the list. */}}
{{- define "telemetry.settings.gateway" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- $hosts := list (include "telemetry.gatewayHost" $root) -}}
{{- if $values.ingress.enabled }}{{ range $values.ingress.hosts }}{{ with .host }}{{ $hosts = append $hosts . }}{{ end }}{{ end }}{{ end -}}
{{- if $values.httpRoute.enabled }}{{ $hosts = concat $hosts $values.httpRoute.hostnames }}{{ end -}}
ALLOWED_HOSTS: {{ concat $hosts $values.allowedHosts | uniq | join "," | quote }}
SHUTDOWN_DRAIN_SECONDS: {{ $values.drainSeconds | quote }}
{{- if or $values.ingress.enabled $values.httpRoute.enabled }}
HTTP_TRUST_FORWARDED_FOR: "true"
{{- end }}
{{- end -}}

{{/* The coordinator decides within the limits of autoscaling, and carries its decisions out if it is the one to do so. */}}
{{- define "telemetry.settings.coordinator" -}}
{{- $root := index . 0 -}}
{{- $name := include "telemetry.fullname" $root }}
{{- if eq $root.Values.autoscaling.mode "coordinator" }}
EXECUTOR: kubernetes
KUBERNETES_NAMESPACE: {{ $root.Release.Namespace | quote }}
SCALING_STREAMER_WORKLOAD: deployment/{{ $name }}-nexus-streamer
SCALING_COLLECTOR_WORKLOAD: deployment/{{ $name }}-nexus-collector
SCALING_GATEWAY_WORKLOAD: deployment/{{ $name }}-nexus-gateway
{{- else }}
EXECUTOR: none
{{- end }}
SCALING_STREAMER_MIN: {{ $root.Values.nexusStreamer.autoscaling.minReplicas | quote }}
SCALING_STREAMER_MAX: {{ $root.Values.nexusStreamer.autoscaling.maxReplicas | quote }}
SCALING_COLLECTOR_MIN: {{ $root.Values.nexusCollector.autoscaling.minReplicas | quote }}
SCALING_COLLECTOR_MAX: {{ $root.Values.nexusCollector.autoscaling.maxReplicas | quote }}
SCALING_GATEWAY_MIN: {{ $root.Values.nexusGateway.autoscaling.minReplicas | quote }}
SCALING_GATEWAY_MAX: {{ $root.Values.nexusGateway.autoscaling.maxReplicas | quote }}
{{- end -}}

{{/* What only the pod knows of itself. */}}
{{- define "telemetry.podEnv" -}}
- name: INSTANCE_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- end -}}
