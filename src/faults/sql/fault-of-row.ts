import type { ChangeRow, FaultRow, RequestRow } from "../../db/sql/fault-rows.ts";
import type { SilenceRow } from "../../db/sql/fault-orders.ts";
import type { FaultState, FaultSubject } from "../fault.ts";
import type { Severity } from "../rules/rule.ts";
import type { Silence, SilenceMatcher } from "../silence.ts";
import type { FaultRequest, RequestKind, RequestOutcome, StoredFault, ToldChange } from "../stored-fault.ts";

// The table has only what this program has written, so its texts are of the types that they are said to be of.

/** The fault of a row. */
export function faultOfRow(row: FaultRow): StoredFault {
  const { id, name, rule, summary, clusterId, hostname, uuid, job, startedAtMs, holders, action, runbook } = row;
  const { stateSinceMs, firedAtMs, endedAtMs, value, why, changes } = row;
  const kind = row.kind as FaultSubject["kind"];
  const [severity, state] = [row.severity as Severity, row.state as FaultState];
  const subject = { kind, clusterId, hostname, uuid, job };
  const facts = { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook };
  return {
    ...facts,
    ...{ state, stateSinceMs, firedAtMs, endedAtMs, value, why, changes },
    acknowledgement: acknowledgementOf(row),
  };
}

function acknowledgementOf({ acknowledgedBy, acknowledgedAtMs, comment }: FaultRow): StoredFault["acknowledgement"] {
  if (acknowledgedBy === null || acknowledgedAtMs === null) return null;
  return { by: acknowledgedBy, atMs: acknowledgedAtMs, comment: comment ?? "" };
}

/** The change of a row. */
export function changeOfRow({ author: by, state, ...row }: ChangeRow): ToldChange {
  return { ...row, state: state as FaultState, by };
}

/** The request of a row. */
export function requestOfRow({ author: by, kind, outcome, ...row }: RequestRow): FaultRequest {
  const came = outcome === "" ? "open" : outcome;
  return { ...row, by, kind: kind as RequestKind, outcome: came as RequestOutcome };
}

/** The silence of a row. */
export function silenceOfRow({ matchers, within, ...row }: SilenceRow): Silence {
  return { ...row, matchers: matchers as readonly SilenceMatcher[], within: within ?? undefined };
}
