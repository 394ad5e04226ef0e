import type { FaultSelection } from "../db/sql/select-faults.ts";
import type { FaultFacts, FaultState } from "./fault.ts";
import type { Severity } from "./rules/rule.ts";

/** Who has acknowledged a fault. */
export interface Acknowledgement {
  readonly by: string;
  readonly atMs: number;
  readonly comment: string;
}

/** A fault as it is now, or as it ended. Instants are milliseconds since the epoch. */
export interface StoredFault extends FaultFacts {
  readonly state: FaultState;
  readonly stateSinceMs: number;
  /** Null if it has not fired. */
  readonly firedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly value: number | null;
  /** The reason of the newest change. */
  readonly why: string;
  readonly acknowledgement: Acknowledgement | null;
  /** The number of its changes. */
  readonly changes: number;
}

/** A change of a fault, as it was told. */
export interface ToldChange {
  /** Its number among the changes of all faults: without gaps, in the order in which readers can see them. */
  readonly sequence: number;
  readonly faultId: string;
  /** Its number among the changes of its fault, from 1. */
  readonly ordinal: number;
  readonly state: FaultState;
  readonly atMs: number;
  /** When it was written. */
  readonly toldAtMs: number;
  readonly value: number | null;
  readonly why: string;
  /** The operator who asked for it; empty if no operator did. */
  readonly by: string;
  readonly comment: string;
}

/** A place in a list of faults. */
export type FaultPlace = Pick<StoredFault, "startedAtMs" | "id">;

/** Selects faults. Every given field restricts. A fault that was pending and ended without having fired is in no list. */
export interface FaultFilter extends FaultSelection {
  readonly states?: readonly FaultState[];
  readonly severities?: readonly Severity[];
  readonly limit: number;
  /** The fault before the first one. */
  readonly after?: FaultPlace;
}

/** Selects changes of faults. Every given field restricts. */
export interface ChangeFilter extends Omit<FaultFilter, "limit" | "after" | "range" | "within"> {
  /** Only changes to these states. */
  readonly states?: readonly FaultState[];
}

/** A part of a list: the newest beginning first. */
export interface FaultPage {
  readonly faults: readonly StoredFault[];
  /** The place of the last fault if more follow. */
  readonly next: FaultPlace | undefined;
}

/** A fault with its changes, oldest first. */
export interface FaultWithChanges {
  readonly fault: StoredFault;
  readonly changes: readonly ToldChange[];
}

/** A change with its fault as it is now. */
export interface FaultNews {
  readonly change: ToldChange;
  readonly fault: StoredFault;
}

/** What the leader is to do. */
export type RequestKind = "acknowledge" | "reset" | "reboot";

/** What came of a request; open: the leader has not carried it out yet. */
export type RequestOutcome = "open" | "done" | "unknown_fault" | "not_firing";

/** What an operator has asked for. */
export interface FaultRequest {
  readonly id: number;
  readonly kind: RequestKind;
  /** Empty unless a fault is to be acknowledged. */
  readonly faultId: string;
  /** The host or device that was reset or rebooted; otherwise empty. Without a uuid, all devices of the host. */
  readonly clusterId: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly by: string;
  readonly comment: string;
  readonly requestedAtMs: number;
  readonly outcome: RequestOutcome;
}
