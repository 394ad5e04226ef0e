import type { FaultEvaluator } from "../evaluator/evaluator.ts";
import type { FaultChange } from "../fault.ts";
import type { NewChange } from "../fault-store.ts";
import type { FaultRequest, RequestOutcome } from "../stored-fault.ts";

/** What carrying out a request has changed. */
export interface CarriedOut {
  readonly changes: readonly NewChange[];
  readonly outcome: Exclude<RequestOutcome, "open">;
}

/** Carries out what an operator has asked for. */
export function carryOut(evaluator: FaultEvaluator, request: FaultRequest, atMs: number): CarriedOut {
  const { by, comment } = request;
  const changes = changesOf(evaluator, request, atMs);
  return {
    changes: changes.map((change) => ({ change, by, comment })),
    outcome: outcomeOf(evaluator, request, changes),
  };
}

function changesOf(evaluator: FaultEvaluator, request: FaultRequest, atMs: number): readonly FaultChange[] {
  const { kind, faultId, clusterId, hostname, uuid, by } = request;
  if (kind === "acknowledge") return evaluator.acknowledge(faultId, by, atMs);
  return evaluator.endByBoundary({ clusterId, hostname, uuid }, kind, atMs);
}

function outcomeOf(
  evaluator: FaultEvaluator,
  { kind, faultId }: FaultRequest,
  changes: readonly FaultChange[],
): CarriedOut["outcome"] {
  if (kind !== "acknowledge" || changes.length > 0) return "done";
  return evaluator.active().some(({ id }) => id === faultId) ? "not_firing" : "unknown_fault";
}
