import { FaultEvaluator } from "../evaluator/evaluator.ts";
import { type SavedPart, stateOfParts } from "../evaluator/saved-part.ts";
import type { Rule } from "../rules/rule.ts";
import type { XidCatalogue } from "../rules/xid-catalogue.ts";
import type { StoredFault } from "../stored-fault.ts";
import { differencesOf } from "./differences.ts";
import { Evaluation, type EvaluationOptions } from "./evaluation.ts";

export interface TakeOverOptions extends Omit<EvaluationOptions, "term" | "evaluator" | "saved"> {
  readonly rules: readonly Rule[];
  readonly catalogue: XidCatalogue;
  /** Names the process. */
  readonly instanceId: string;
}

const pageRows = 1000;

/** An evaluation that has taken over. */
export interface TakenOver {
  readonly evaluation: Evaluation;
  readonly evaluator: FaultEvaluator;
  /** The number of its term in the ledger. */
  readonly term: number;
}

/** Begins a term in the store, and continues with what the last leader has written: from then on, its writes are refused. */
export async function takeOver(options: TakeOverOptions): Promise<TakenOver> {
  const { ledger, rules, catalogue, instanceId, clock, ask } = options;
  const term = await ask(() => ledger.begin(instanceId));
  const saved = await readParts(options);
  const evaluator = new FaultEvaluator({ rules, catalogue, state: stateOfParts(saved) });
  const evaluation = new Evaluation({ ...options, term, evaluator, saved });
  evaluation.tell(differencesOf(evaluator.active(), await readLasting(options), clock.nowMs()));
  return { evaluation, evaluator, term };
}

async function readParts({ ledger, ask }: TakeOverOptions): Promise<readonly SavedPart[]> {
  const parts: SavedPart[] = [];
  for (;;) {
    const page = await ask(() => ledger.states(parts.at(-1), pageRows));
    parts.push(...page);
    if (page.length < pageRows) return parts;
  }
}

async function readLasting({ ledger, ask }: TakeOverOptions): Promise<readonly StoredFault[]> {
  const faults: StoredFault[] = [];
  for (;;) {
    const page = await ask(() => ledger.lasting(faults.at(-1)?.id ?? "", pageRows));
    faults.push(...page);
    if (page.length < pageRows) return faults;
  }
}
