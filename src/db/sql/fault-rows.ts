import type { Occupants } from "../../domain/gpu.ts";
import { epochMs } from "./epoch-ms.ts";

/** A row of `faults`. Instants are milliseconds since the epoch. */
export interface FaultRow {
  readonly id: string;
  readonly name: string;
  readonly rule: string;
  readonly severity: string;
  readonly summary: string;
  readonly kind: string;
  readonly clusterId: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly job: string;
  readonly startedAtMs: number;
  readonly holders: Occupants;
  readonly action: string;
  readonly runbook: string;
  readonly state: string;
  readonly stateSinceMs: number;
  readonly firedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly value: number | null;
  readonly why: string;
  readonly acknowledgedBy: string | null;
  readonly acknowledgedAtMs: number | null;
  readonly comment: string | null;
  readonly changes: number;
}

/** A row of `fault_changes`. */
export interface ChangeRow {
  readonly sequence: number;
  readonly faultId: string;
  readonly ordinal: number;
  readonly state: string;
  readonly atMs: number;
  readonly toldAtMs: number;
  readonly value: number | null;
  readonly why: string;
  readonly author: string;
  readonly comment: string;
}

/** A row of `fault_requests`. */
export interface RequestRow {
  readonly id: number;
  readonly kind: string;
  readonly faultId: string;
  readonly clusterId: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly author: string;
  readonly comment: string;
  readonly requestedAtMs: number;
  readonly outcome: string;
}

/** The columns of `faults f`. */
export const faultColumns = `f.id, f.name, f.rule, f.severity, f.summary, f.kind, f.cluster_id as "clusterId", f.hostname, f.uuid, f.job,
  ${epochMs("f.started_at")} as "startedAtMs", f.holders, f.action, f.runbook, f.state, ${epochMs("f.state_since")} as "stateSinceMs",
  ${epochMs("f.fired_at")} as "firedAtMs", ${epochMs("f.ended_at")} as "endedAtMs", f.value, f.why,
  f.acknowledged_by as "acknowledgedBy", ${epochMs("f.acknowledged_at")} as "acknowledgedAtMs", f.comment, f.changes`;

/** The columns of `fault_changes c`. */
export const changeColumns = `c.sequence::float8 as sequence, c.fault_id as "faultId", c.ordinal, c.state, ${epochMs("c.at")} as "atMs",
  ${epochMs("c.told_at")} as "toldAtMs", c.value, c.why, c.author, c.comment`;

/** The columns of `fault_requests q`. */
export const requestColumns = `q.id::float8 as id, q.kind, q.fault_id as "faultId", q.cluster_id as "clusterId", q.hostname, q.uuid, q.author,
  q.comment, ${epochMs("q.requested_at")} as "requestedAtMs", q.outcome`;
