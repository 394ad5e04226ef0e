{{/* metadata of an object for Grafana. Call it with a list: the root, the end of the name, the labels by which the sidecar finds it. */}}
{{- define "telemetry.grafanaMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "telemetry.fullname" $root }}-{{ index . 1 }}
namespace: {{ $root.Values.grafana.namespace | default $root.Release.Namespace | quote }}
labels:
  {{- include "telemetry.labels" (list $root "grafana") | nindent 2 }}
  {{- with index . 2 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The data sources that the dashboards ask, by the uids that they name. Grafana replaces $NAME by its environment variable. */}}
{{- define "telemetry.dataSources" -}}
{{- $sources := .Values.grafana.dataSources -}}
{{- $gateway := printf "%s://%s:8080" (include "telemetry.gatewayScheme" .) (include "telemetry.gatewayHost" .) -}}
{{- $database := $sources.database -}}
{{- $trial := .Values.database.trial.enabled -}}
apiVersion: 1
datasources:
  - name: GPU telemetry
    uid: gpu-promql
    type: prometheus
    access: proxy
    url: {{ $sources.gateway.url | default $gateway | quote }}
    basicAuth: true
    basicAuthUser: grafana
    secureJsonData:
      basicAuthPassword: ${{ $sources.keyVariable }}
      {{- with $sources.gateway.caFile }}
      tlsCACert: {{ printf "$__file{%s}" . | quote }}
      {{- end }}
    jsonData:
      httpMethod: POST
      timeInterval: 15s
      prometheusType: Prometheus
      prometheusVersion: 2.53.0
      {{- if $sources.gateway.caFile }}
      tlsAuthWithCACert: true
      {{- end }}
    editable: false
  - name: GPU telemetry, SQL
    uid: gpu-sql
    type: grafana-postgresql-datasource
    access: proxy
    url: {{ include "telemetry.grafanaDatabase" . | quote }}
    user: grafana
    secureJsonData:
      password: ${{ $sources.passwordVariable }}
    jsonData:
      database: {{ $database.name | quote }}
      sslmode: {{ $database.sslMode | default (ternary "disable" "require" $trial) }}
      {{- with $database.caFile }}
      tlsConfigurationMethod: file-path
      sslRootCertFile: {{ . | quote }}
      {{- end }}
      postgresVersion: 1500
      timescaledb: false
      maxOpenConns: 5
    editable: false
  {{- with $sources.prometheusUrl }}
  - name: Prometheus of the pipeline
    uid: prometheus
    type: prometheus
    access: proxy
    url: {{ . | quote }}
    editable: false
  {{- end }}
{{- end -}}

{{/* Where Grafana reaches the database: host:port. */}}
{{- define "telemetry.grafanaDatabase" -}}
{{- if .Values.database.trial.enabled -}}
{{ include "telemetry.fullname" . }}-database.{{ .Release.Namespace }}.svc:5432
{{- else -}}
{{ required "grafana.dataSources.database.host is empty: name the host of the database, whose URL only the Secret of database.existingSecret has" .Values.grafana.dataSources.database.host }}:{{ .Values.database.port }}
{{- end -}}
{{- end -}}
