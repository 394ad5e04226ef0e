import type { Occupants } from "../domain/gpu.ts";
import type { Severity } from "./rules/rule.ts";

/** What a fault is of. */
export interface FaultSubject {
  readonly kind: "device" | "host" | "cluster" | "job";
  readonly clusterId: string;
  /** Of a device: the host that reported it last. Empty if it does not apply, like the texts below. */
  readonly hostname: string;
  readonly uuid: string;
  /** Of a job: its namespace and name with a slash between them, or the number that a batch system gives it. */
  readonly job: string;
}

/** PENDING: the condition holds, but not yet for long enough. FIRING: it does. ACKNOWLEDGED: an operator has seen it. RESOLVED: it has
 *  ended, or did not last. SUPPRESSED: its host or device is under maintenance or decommissioned; when that ends and the fault has
 *  not, its state is told again. */
export const faultStates = ["pending", "firing", "acknowledged", "resolved", "suppressed"] as const;
export type FaultState = (typeof faultStates)[number];

/** What stays the same while a fault lasts. */
export interface FaultFacts {
  /** Identifies this occurrence: the name, the subject and the instant of its beginning. */
  readonly id: string;
  /** Vendor-neutral: the id of the rule, or for an XID, `nvidia.xid.79`. */
  readonly name: string;
  /** The id of the rule. */
  readonly rule: string;
  readonly severity: Severity;
  readonly summary: string;
  readonly subject: FaultSubject;
  /** When its condition was first seen, or when data stopped arriving; milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** The workloads that held the device at its beginning. */
  readonly holders: Occupants;
  readonly action: string;
  /** Page and heading of its explanation. */
  readonly runbook: string;
}

/** A change of a fault's state. */
export interface FaultChange extends FaultFacts {
  readonly state: FaultState;
  readonly atMs: number;
  /** The measured value; null if the fault has none. */
  readonly value: number | null;
  /** The reason for the change, as a sentence. */
  readonly why: string;
}

/** A fault that has not ended: a plain JSON value. Its changing fields are the evaluator's. */
export interface ActiveFault extends FaultFacts {
  state: "pending" | "firing" | "acknowledged";
  /** Since when its condition holds without a gap in the records. */
  sinceMs: number;
  /** The newest instant at which it was judged; of an event, its last repetition. */
  judgedMs: number;
  /** Since when the condition for its end holds; null if it does not. */
  clearMs: number | null;
  value: number | null;
  why: string;
  isSuppressed: boolean;
}
