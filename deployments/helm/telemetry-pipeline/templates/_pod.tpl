{{/* Pod Security 'restricted'. Call it with the user that the image runs as. */}}
{{- define "telemetry.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "telemetry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What all pods have. Call it with a list: the root, the values, and true if the pod may call the Kubernetes API. */}}
{{- define "telemetry.podBasics" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
automountServiceAccountToken: {{ and (gt (len .) 2) (eq (last . | toString) "true") }}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Pods of one component on different nodes, if there are enough. Call it with a list: the root, the component, its values. */}}
{{- define "telemetry.spread" -}}
{{- $values := index . 2 -}}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "telemetry.selector" (list (index . 0) (index . 1)) | nindent 8 }}
{{- end }}
{{- end -}}

{{/* Probes. live: the loop of the process moves. ready: its servers answer, and it does not stop. A process that migrates the database
     listens only after that, so its start may take long. Call it with a list: the root, the role, the role's values. */}}
{{- define "telemetry.probes" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- $isTls := and (eq (index . 1) "gateway") (ne $root.Values.nexusGateway.tls.existingSecret "") -}}
{{- $settings := merge (deepCopy $values.settings) $root.Values.settings -}}
{{- range $name, $path := dict "startup" "live" "liveness" "live" "readiness" "ready" }}
{{ $name }}Probe:
  {{- if eq (get $settings "AUTH_CLIENT_CERTIFICATES") "required" }}
  # kubelet has no certificate to show
  tcpSocket:
    port: http
  {{- else }}
  httpGet:
    path: /health/{{ $path }}
    port: http
    scheme: {{ ternary "HTTPS" "HTTP" $isTls }}
  {{- end }}
  periodSeconds: {{ ternary 10 5 (eq $name "liveness") }}
  timeoutSeconds: 5
  failureThreshold: {{ dict "startup" 120 "liveness" 6 "readiness" 3 | dig $name 3 }}
{{- end }}
{{- end -}}
