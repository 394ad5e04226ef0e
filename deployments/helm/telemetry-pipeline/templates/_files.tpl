{{/* The settings of a role that name files, as a map from setting to {secret or configMap, key}.
     Call it with a list: the root, the role, the role's values. */}}
{{- define "telemetry.files" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index . 2 -}}
{{- $files := dict -}}
{{- if ne $role "streamer" -}}
{{- $_ := set $files "DATABASE_URL_FILE" (dict "secret" (include "telemetry.databaseSecret" $root) "key" $root.Values.database.urlKey) -}}
{{- with $root.Values.database.caKey }}{{ $_ := set $files "DATABASE_CA_FILE" (dict "secret" $root.Values.database.existingSecret "key" .) }}{{ end -}}
{{- end -}}
{{- if eq $role "gateway" -}}
{{- if or $root.Values.access.existingSecret $root.Values.access.generateFirstKey -}}
{{- $_ := set $files "AUTH_BOOTSTRAP_KEY_FILE" (dict "secret" (include "telemetry.accessSecret" $root) "key" $root.Values.access.key) -}}
{{- end -}}
{{- with $values.tls.existingSecret -}}
{{- $_ := set $files "TLS_CERT_FILE" (dict "secret" . "key" "tls.crt") -}}
{{- $_ := set $files "TLS_KEY_FILE" (dict "secret" . "key" "tls.key") -}}
{{- end -}}
{{- end -}}
{{- if ne $role "migrations" -}}
{{- $etcdSecret := "" -}}
{{- if not $root.Values.etcd.enabled -}}
{{- $etcdSecret = $root.Values.externalEtcd.tlsSecret -}}
{{- with $root.Values.externalEtcd.passwordSecret }}{{ $_ := set $files "ETCD_PASSWORD_FILE" (dict "secret" . "key" "password") }}{{ end -}}
{{- else if $root.Values.etcd.tls.enabled -}}
{{- $etcdSecret = required "etcd.tls.clientSecret is empty: name the Secret with ca.crt, tls.crt and tls.key with which the program connects to etcd" $root.Values.etcd.tls.clientSecret -}}
{{- end -}}
{{- with $etcdSecret -}}
{{- $_ := set $files "ETCD_CA_FILE" (dict "secret" . "key" "ca.crt") -}}
{{- $_ := set $files "ETCD_CERT_FILE" (dict "secret" . "key" "tls.crt") -}}
{{- $_ := set $files "ETCD_KEY_FILE" (dict "secret" . "key" "tls.key") -}}
{{- end -}}
{{- end -}}
{{- if eq $role "streamer" -}}
{{- with $values.exporters.targetsConfigMap }}{{ $_ := set $files "DCGM_TARGETS_FILE" (dict "configMap" . "key" $values.exporters.targetsKey) }}{{ end -}}
{{- end -}}
{{- if ne $role "migrations" -}}
{{- range $more := list $root.Values.files ($values.files | default dict) -}}
{{- range $name, $file := $more -}}
{{- $former := get $files $name | default dict -}}
{{- /* a secret replaces a configMap, and the other way round */ -}}
{{- if or $file.secret $file.configMap }}{{ $former = omit $former "secret" "configMap" }}{{ end -}}
{{- $_ := set $files $name (merge (deepCopy $file) $former) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toYaml $files }}
{{- end -}}

{{/* The folder of a setting's file in the container. */}}
{{- define "telemetry.fileVolume" -}}
{{ . | lower | replace "_" "-" }}
{{- end -}}

{{- define "telemetry.fileEnv" -}}
{{- range $name, $file := . }}
- name: {{ $name }}
  value: /run/telemetry/{{ include "telemetry.fileVolume" $name }}/{{ $file.key }}
{{- end }}
{{- end -}}

{{- define "telemetry.fileMounts" -}}
{{- range $name, $file := . }}
- name: {{ include "telemetry.fileVolume" $name }}
  mountPath: /run/telemetry/{{ include "telemetry.fileVolume" $name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Whole folders, not single files by subPath: only so does a process see that a Secret has changed. */}}
{{- define "telemetry.fileVolumes" -}}
{{- range $name, $file := . }}
{{- if and $file.configMap $file.secret }}{{ fail (printf "files.%s names a secret and a configMap, which exclude each other" $name) }}{{ end }}
{{- if not $file.key }}{{ fail (printf "files.%s has no key: name the one that has the file in its secret or configMap" $name) }}{{ end }}
- name: {{ include "telemetry.fileVolume" $name }}
  {{- if $file.configMap }}
  configMap:
    name: {{ $file.configMap | quote }}
    items:
      - key: {{ $file.key | quote }}
        path: {{ $file.key | quote }}
  {{- else }}
  secret:
    secretName: {{ required (printf "files.%s names neither a secret nor a configMap" $name) $file.secret | quote }}
    # with fsGroup, kubelet makes 0440 of it
    defaultMode: 0400
    items:
      - key: {{ $file.key | quote }}
        path: {{ $file.key | quote }}
  {{- end }}
{{- end }}
{{- end -}}
