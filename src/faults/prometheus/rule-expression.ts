import type { Rule, RuleOf } from "../rules/rule.ts";
import type { XidCatalogue } from "../rules/xid-catalogue.ts";
import { heldMatchers, hostJobLabels, jobLabels, withJob } from "./job-labels.ts";
import { metricExpression, overRange } from "./series-expression.ts";
import { againExpression, xidExpression, xidJobExpression } from "./xid-expressions.ts";

/** A rule as PromQL, or why it cannot be said in PromQL. */
export type RuleExpression =
  | { readonly expression: string; readonly forSeconds: number; readonly keepSeconds: number }
  | { readonly reason: string };

/** Rates are taken over so long: four scrapes of 30 s. */
const rateSeconds = 120;
/** What was there in the last hour, and is not now, is absent. */
const rememberedSeconds = 3600;
/** The frozen values of five scrapes of 60 s. */
const frozenSeconds = 300;

/** The condition of a rule as an expression of PromQL on DCGM's metrics. */
export function ruleExpression(rule: Rule, catalogue: XidCatalogue): RuleExpression {
  switch (rule.kind) {
    case "threshold":
      return lasting(rule, `${thresholdValue(rule)} ${limitOf(rule)}${busyOf(rule)}`);
    case "rate":
      return lasting(rule, `${overRange(rule.metric, "rate", rateSeconds)} ${limitOf(rule)}`);
    case "increase":
      return atOnce(`${overRange(rule.metric, "increase", rule.within_seconds)} > ${rule.above}`);
    case "bits":
      return atOnce(bitsExpression(rule));
    case "absence":
      return { expression: absenceExpression(rule.of), forSeconds: rule.for_seconds, keepSeconds: 0 };
    case "frozen":
      return { expression: frozenExpression(), forSeconds: rule.for_seconds, keepSeconds: 0 };
    case "siblings":
      return lasting(rule, siblingsExpression(rule));
    case "xid":
      return atOnce(xidExpression(rule, catalogue));
    case "xid-again":
      return { ...atOnce(againExpression(rule, catalogue)), keepSeconds: rule.sticky_seconds };
    case "xid-job":
      return atOnce(xidJobExpression(rule));
    case "coverage":
      return { reason: "it counts the expected records of each GPU, and Prometheus does not know its interval" };
    case "drivers":
      return { expression: driversExpression(), forSeconds: rule.for_seconds, keepSeconds: 0 };
    case "uncured":
      return { reason: "it counts resets and reboots between XIDs, which is a sequence of events" };
    case "remediations":
      return { reason: "it counts resets and reboots that followed XIDs, which is a sequence of events" };
  }
}

const atOnce = (expression: string) => ({ expression, forSeconds: 0, keepSeconds: 0 });

function lasting(
  { for_seconds, resolve_for_seconds }: { readonly for_seconds: number; readonly resolve_for_seconds: number },
  expression: string,
): RuleExpression {
  return { expression, forSeconds: for_seconds, keepSeconds: resolve_for_seconds };
}

function limitOf({ above, below }: { readonly above?: number; readonly below?: number }): string {
  return above === undefined ? `< ${below ?? 0}` : `> ${above}`;
}

function thresholdValue({ metric, share_of: parts, held }: RuleOf<"threshold">): string {
  if (held === true) return `(${heldMatchers.map((labels) => metricExpression(metric, { labels })).join(" or ")})`;
  if (parts === undefined) return metricExpression(metric);
  return `(${metricExpression(metric)} / (${parts.map((part) => metricExpression(part)).join(" + ")}))`;
}

function busyOf({ busy_percent: percent }: RuleOf<"threshold">): string {
  return percent === undefined ? "" : ` and ${metricExpression("gpu_utilization")} >= ${percent}`;
}

/** The version is a label of every series, which is named after the field. */
function driversExpression(): string {
  const fields = ["DCGM_FI_DRIVER_VERSION", "DCGM_FI_SYSTEM_DRIVER_VERSION"];
  return `count by (modelName) (count by (modelName, ${fields.join(", ")}) (${metricExpression("temperature")})) > 1`;
}

/** PromQL has no bits: they follow from divisions. */
function bitsExpression({ metric, mask, share, within_seconds: seconds }: RuleOf<"bits">): string {
  const value = metricExpression(metric);
  const bits = Array.from({ length: 31 }, (_, bit) => 2 ** bit).filter((bit) => (mask & bit) !== 0);
  const isSet = bits.map((bit) => `floor(${value} / ${bit}) % 2`).join(" + ");
  return `avg_over_time(((${isSet}) > bool 0)[${seconds}s:]) >= ${share}`;
}

/** The temperature is in every list of counters. */
function absenceExpression(of: RuleOf<"absence">["of"]): string {
  const now = metricExpression("temperature");
  if (of === "cluster")
    return metricExpression("temperature", { around: (series) => `absent(${series})` }).replaceAll(
      " or ",
      " and on () ",
    );
  const before = overRange("temperature", "last_over_time", rememberedSeconds);
  return of === "device"
    ? `(${before} unless on (UUID) ${now}) and on (instance) ${now}`
    : `(group by (instance) (${before}) unless on (instance) ${now}) and on () (count(${now}) > 0)`;
}

function frozenExpression(): string {
  const [power, energy] = ["power_draw", "total_energy_mj"].map((metric) =>
    overRange(metric, "changes", frozenSeconds),
  );
  return `${power} == 0 and ${energy} == 0 and ${metricExpression("gpu_utilization")} > 0`;
}

/** The difference from the median of the job, and from the median of such differences. */
function siblingsExpression(rule: RuleOf<"siblings">): string {
  const { metric, direction, mads, min_median: minMedian, busy_percent: busyPercent } = rule;
  const plain = rule.per_second ? overRange(metric, "rate", rateSeconds) : metricExpression(metric);
  const busy = busyPercent > 0 ? `(${plain} and ${metricExpression("gpu_utilization")} >= ${busyPercent})` : plain;
  const [value, labels] = rule.of === "host" ? [busy, hostJobLabels] : [withJob(busy), jobLabels];
  const same = `on (${labels}) group_left ()`;
  const median = `quantile by (${labels}) (0.5, ${value})`;
  const difference = `(${value} - ${same} ${median})`;
  const away = direction === "above" ? difference : `-${difference}`;
  const limits = [
    `${away} > ${same} (${mads} * quantile by (${labels}) (0.5, abs${difference}))`,
    ...(rule.min_difference > 0 ? [`${away} > ${rule.min_difference}`] : []),
    ...(rule.min_share > 0 ? [`${away} > ${same} (${rule.min_share} * ${median})`] : []),
  ];
  const groups = [
    `count by (${labels}) (${value}) >= ${rule.min_devices}`,
    ...(minMedian > 0 ? [`${median} >= ${minMedian}`] : []),
  ];
  return [...limits.map((limit) => `(${limit})`), ...groups.map((group) => `on (${labels}) (${group})`)].join("\nand ");
}
