{{/* Alerts about the pipeline itself; those about GPUs are printed by `telemetry faults rules`, see docs/faults.md.
     Call it with a selector of labels, `in`, and etcd's quota, `quotaBytes`. */}}
{{- define "telemetry.alerts" -}}
- alert: TelemetryRecordsLost
  expr: sum(increase(telemetry_lost_records_total{ {{- .in -}} }[15m])) > 0
  labels: {severity: critical}
  annotations:
    summary: Records are lost, because there are more dead letters than QUEUE_MAX_DEAD_LETTERS
- alert: TelemetryQueueTooOld
  expr: max(telemetry_queue_oldest_message_age_seconds{ {{- .in -}} }) > 60
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: The oldest message waits for over a minute; start more collectors, or look at the database
- alert: TelemetryDeadLetters
  expr: max(telemetry_queue_dead_messages{ {{- .in -}} }) > 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: Messages became dead letters; /api/v1/pipeline/dead-letters has the error of each
- alert: TelemetryNoCollector
  expr: absent(telemetry_services{ {{- .in -}} ,role="collector"})
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: No collector is in the list of services, so nothing is stored
- alert: TelemetryFaultsNotEvaluated
  expr: absent(telemetry_fault_leader{ {{- .in -}} } == 1)
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: No process evaluates faults of GPUs
- alert: TelemetryRejectedInputs
  expr: sum(increase(telemetry_rejected_inputs_total{ {{- .in -}} }[15m])) > 0
  for: 15m
  labels: {severity: info}
  annotations:
    summary: Input cannot be used; /api/v1/quarantine has line, value and reason
- alert: TelemetryEtcdNearQuota
  expr: max(telemetry_etcd_database_bytes{ {{- .in -}} ,part="file"}) > 0.8 * {{ .quotaBytes }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: etcd's database nears its quota; at the quota, streamers wait
- alert: TelemetryCertificateEnds
  expr: min(telemetry_tls_certificate_remaining_days{ {{- .in -}} }) < 14
  labels: {severity: warning}
  annotations:
    summary: The certificate of a process's port ends within two weeks
{{- end -}}
