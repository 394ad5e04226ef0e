import { conditionOf, endOf } from "./rules/rule-text.ts";
import { defined } from "../kit/defined.ts";
import { type Rule, runbookOf, runbookUrlOf, type Severity } from "./rules/rule.ts";
import type { Xid, XidCatalogue } from "./rules/xid-catalogue.ts";

export { severities } from "./rules/rule.ts";
export { xidClasses } from "./rules/xid-catalogue.ts";

/** A rule as people read it. */
export interface RuleGuide {
  readonly id: string;
  readonly kind: Rule["kind"];
  readonly severity: Severity;
  /** False: the rule raises nothing. */
  readonly isEnabled: boolean;
  readonly summary: string;
  /** When it fires and when its fault ends, as parts of a sentence. */
  readonly fires: string;
  readonly ends: string;
  readonly meaning: string;
  readonly action: string;
  readonly source: string;
  /** Page and heading of its explanation. */
  readonly runbook: string;
  /** The same in a place that people can open; absent without FAULT_RUNBOOK_URL. */
  readonly runbookUrl?: string;
  /** Its thresholds, durations and counts, by their names in the file of the rules. */
  readonly figures: Readonly<Record<string, number>>;
}

/** What the rules in force and the catalogue of XIDs say. */
export interface FaultGuide {
  readonly rules: readonly RuleGuide[];
  readonly xids: readonly Xid[];
}

/** The guide to these rules.
 *  @param runbookUrl FAULT_RUNBOOK_URL */
export function faultGuideOf(rules: readonly Rule[], catalogue: XidCatalogue, runbookUrl?: string): FaultGuide {
  return { rules: rules.map((rule) => ruleGuideOf(rule, runbookUrl)), xids: [...catalogue.values()] };
}

function ruleGuideOf(rule: Rule, runbookUrl: string | undefined): RuleGuide {
  const { id, kind, severity, enabled = true, summary, meaning, action, source } = rule;
  const figures = Object.entries(rule).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return {
    ...{ id, kind, severity, isEnabled: enabled, summary, meaning, action, source },
    fires: conditionOf(rule),
    ends: endOf(rule),
    runbook: runbookOf(id),
    ...defined({ runbookUrl: runbookUrlOf(runbookOf(id), runbookUrl) }),
    figures: Object.fromEntries(figures),
  };
}
