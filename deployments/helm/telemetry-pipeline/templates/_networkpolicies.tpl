{{/* Parts of network policies. Each is a list of rules; call them with the root. */}}
{{- define "telemetry.egress.dns" -}}
- ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
{{- end -}}

{{- define "telemetry.egress.etcd" -}}
{{- if .Values.etcd.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "telemetry.selector" (list . "etcd") | nindent 10 }}
  ports:
    - protocol: TCP
      port: 2379
{{- else }}
- ports:
    {{- range .Values.externalEtcd.endpoints }}
    - protocol: TCP
      port: {{ regexFind "[0-9]+$" . | int }}
    {{- end }}
  {{- with .Values.networkPolicy.etcdTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "telemetry.egress.database" -}}
{{- if .Values.database.trial.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "telemetry.selector" (list . "database") | nindent 10 }}
  ports:
    - protocol: TCP
      port: 5432
{{- else }}
- ports:
    - protocol: TCP
      port: {{ .Values.database.port }}
  {{- with .Values.networkPolicy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Pods of some components. Call it with a list: the root, the components. */}}
{{- define "telemetry.peers" -}}
{{- $root := index . 0 -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name | quote }}
      app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values:
          {{- toYaml (index . 1) | nindent 10 }}
{{- end -}}
