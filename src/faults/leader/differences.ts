import type { ActiveFault, FaultChange } from "../fault.ts";
import type { StoredFault } from "../stored-fault.ts";

/** What has to be told so that the store agrees with the evaluator, after its state was read: a fault that the evaluator does not know is
 *  resolved; one that the store does not know is told. Both follow from the same transactions, so there is nothing to tell unless
 *  the rules have changed, a table was changed by hand, or a pending fault was held back. */
export function differencesOf(
  active: readonly ActiveFault[],
  lasting: readonly StoredFault[],
  nowMs: number,
): readonly FaultChange[] {
  const [known, told] = [new Set(active.map(({ id }) => id)), new Set(lasting.map(({ id }) => id))];
  const ended = lasting.filter(({ id }) => !known.has(id)).map((fault) => endOf(fault, nowMs));
  return [...ended, ...active.filter(({ id }) => !told.has(id)).map(beginningOf)];
}

function endOf(fault: StoredFault, atMs: number): FaultChange {
  const { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook, value } = fault;
  const facts = { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook, value };
  return { ...facts, state: "resolved", atMs, why: "The evaluation no longer knows this fault." };
}

function beginningOf(fault: ActiveFault): FaultChange {
  const { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook } = fault;
  const facts = { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook };
  const { state, isSuppressed, sinceMs: atMs, value, why } = fault;
  return { ...facts, state: isSuppressed ? "suppressed" : state, atMs, value, why };
}
