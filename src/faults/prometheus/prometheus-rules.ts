import { stringify } from "yaml";
import { defined } from "../../kit/defined.ts";
import type { Rule } from "../rules/rule.ts";
import type { XidCatalogue } from "../rules/xid-catalogue.ts";
import { runbookOf, runbookUrlOf } from "../rules/rule.ts";
import { evaluationLateSeconds } from "../last-evaluation.ts";
import { ruleExpression } from "./rule-expression.ts";

const head = `# Alerts of Prometheus for the metrics of dcgm-exporter, made from the rules of faults (docs/faults.md). They differ from the
# rules: they have one limit, not a second one for the end; a gap in the data ends a condition that has to last; the XID that a GPU
# shows may be from before Prometheus saw it; maintenance is unknown; and one Prometheus is taken for one cluster.
# DCGM_FI_DEV_GPU_UTIL_RATIO is read as DCGM 4.7 has it: from 0 to 1.
# The group gpu-telemetry is for a Prometheus that scrapes a gateway of this pipeline.`;

/** The rules as a file of alerting rules. Rules that PromQL cannot say, and disabled ones, are comments.
 *  @param runbookUrl FAULT_RUNBOOK_URL */
export function prometheusRules(rules: readonly Rule[], catalogue: XidCatalogue, runbookUrl?: string): string {
  const [alerts, comments]: [object[], string[]] = [[], []];
  for (const rule of rules) {
    const made = ruleExpression(rule, catalogue);
    if (rule.enabled === false) comments.push(`# ${rule.id} is disabled.`);
    else if ("reason" in made) comments.push(`# ${rule.id} is not here: ${made.reason}.`);
    else alerts.push(alertOf(rule, made, runbookUrl));
  }
  const groups = {
    groups: [
      { name: "gpu-faults", rules: alerts },
      { name: "gpu-telemetry", rules: [notEvaluated(runbookUrl)] },
    ],
  };
  return [head, ...comments, stringify(groups, { lineWidth: 0 })].join("\n");
}

function alertOf(
  { id, severity, summary, meaning, action }: Rule,
  { expression, forSeconds, keepSeconds }: { expression: string; forSeconds: number; keepSeconds: number },
  runbookUrl: string | undefined,
): object {
  const runbook = runbookOf(id);
  const runbook_url = runbookUrlOf(runbook, runbookUrl);
  return {
    alert: alertNameOf(id),
    expr: expression,
    ...(forSeconds > 0 ? { for: `${forSeconds}s` } : {}),
    ...(keepSeconds > 0 ? { keep_firing_for: `${keepSeconds}s` } : {}),
    labels: { severity, rule: id },
    annotations: { summary, description: meaning, action, runbook, ...defined({ runbook_url }) },
  };
}

/** The alert for a pipeline in which no process evaluates the rules. It has no host or device, and the pipeline cannot raise it. */
function notEvaluated(runbookUrl: string | undefined): object {
  const runbook = "docs/faults.md#which-process-evaluates";
  return {
    alert: "FaultsNotEvaluated",
    // each gateway shows the same; one whose store is away knows it later
    expr: `min by (job) (telemetry_fault_evaluation_age_seconds) > ${evaluationLateSeconds}`,
    for: `${evaluationLateSeconds}s`,
    labels: { severity: "critical" },
    annotations: {
      summary: "No process of the telemetry pipeline evaluates faults",
      description: "Faults that start now are neither listed nor notified.",
      action: "Start a coordinator with DATABASE_URL; if there is one, /health of it says under faults what is wrong.",
      runbook,
      ...defined({ runbook_url: runbookUrlOf(runbook, runbookUrl) }),
    },
  };
}

/** gpu.temperature.high -> GpuTemperatureHigh. */
function alertNameOf(id: string): string {
  return id.replaceAll(/(?:^|[._-])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
