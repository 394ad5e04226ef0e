import { type Static, type TObject, type TProperties, Type } from "@sinclair/typebox";
import { xidClasses } from "./xid-catalogue.ts";

/** How urgent a fault is. */
export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

const oneOf = <const Text extends string>(texts: readonly Text[]) =>
  Type.Unsafe<Text>(Type.Union(texts.map((each) => Type.Literal(each))));
const text = (description: string) => Type.String({ minLength: 1, description });
const metric = text("a metric of the catalogue, or the name of another metric");
const seconds = (description: string) => Type.Integer({ minimum: 0, maximum: 31 * 86_400, description });
const windowSeconds = (description: string) => Type.Integer({ minimum: 60, maximum: 31 * 86_400, description });
const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });

const common = {
  id: Type.String({ pattern: "^[a-z][a-z0-9_-]*(\\.[a-z0-9_-]+)+$", description: "dotted words in lower case" }),
  severity: oneOf(severities),
  summary: text("the fault in a few words"),
  meaning: text("what the fault means, for the runbook"),
  action: text("what to do"),
  source: text("where the figures are from; * marks figures of our own"),
  enabled: Type.Optional(Type.Boolean({ description: "false: the rule raises nothing" })),
};

const forSeconds = seconds("how long the condition must last before the fault fires");
const resolveForSeconds = seconds("how long the condition for the end must last before the fault is resolved");

function ruleOf<Kind extends string, Fields extends TProperties>(kind: Kind, fields: Fields) {
  return Type.Object({ kind: Type.Literal(kind), ...common, ...fields }, { additionalProperties: false });
}

const levelFields = {
  above: Type.Optional(Type.Number({ description: "bad if greater" })),
  below: Type.Optional(Type.Number({ description: "bad if less" })),
  resolve: Type.Optional(Type.Number({ description: "the end: at most this for above, at least this for below" })),
  for_seconds: forSeconds,
  resolve_for_seconds: resolveForSeconds,
};

/** The kinds of rules, each with its fields. */
export const ruleKinds = {
  /** The value of a metric, or of its share, for a time. */
  threshold: ruleOf("threshold", {
    metric,
    share_of: Type.Optional(Type.Array(metric, { minItems: 1, description: "divides the value by their sum" })),
    held: Type.Optional(Type.Boolean({ description: "true: only while a workload holds the device" })),
    busy_percent: Type.Optional(
      Type.Number({ minimum: 0, maximum: 100, description: "judged only while the utilization is at least this" }),
    ),
    actions: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), text("what to do"), {
        description: "what to do instead, if the labels of the value contain the text",
      }),
    ),
    ...levelFields,
  }),
  /** How much a counter rises in a second, for a time. */
  rate: ruleOf("rate", { metric, ...levelFields }),
  /** How much a counter rises within a time. */
  increase: ruleOf("increase", {
    metric,
    above: Type.Number({ minimum: 0, description: "bad if the increase is greater" }),
    within_seconds: windowSeconds("the time in which the increase counts; the fault ends after as long without it"),
  }),
  /** Bits of a bit mask, in a share of the records. */
  bits: ruleOf("bits", {
    metric,
    mask: Type.Integer({ minimum: 1, maximum: 0x7fffffff, description: "any of these bits" }),
    share: share("bad if at least this share of the records has one of the bits"),
    resolve_share: share("the end: less than this share"),
    within_seconds: windowSeconds("the time in which the records count"),
  }),
  /** No records, although others of its host or cluster arrive; or of a whole cluster. */
  absence: ruleOf("absence", {
    of: oneOf(["device", "host", "cluster"]),
    intervals: Type.Integer({ minimum: 1, maximum: 1000, description: "intervals between records" }),
    for_seconds: seconds("at least this long, whatever the interval is"),
  }),
  /** All fast series of a busy device are equal, to the bit. */
  frozen: ruleOf("frozen", {
    records: Type.Integer({ minimum: 2, maximum: 1000, description: "equal records" }),
    for_seconds: forSeconds,
  }),
  /** The share of the expected records that arrived within an hour. */
  coverage: ruleOf("coverage", { below: share("bad if less"), resolve: share("the end: at least this share") }),
  /** Difference from the median of the other devices of its job, of the same model: of those on its host, where devices without a
   *  known workload are compared too, or of all. */
  siblings: ruleOf("siblings", {
    metric,
    per_second: Type.Boolean({ description: "true: compares how much the counter rises in a second" }),
    of: oneOf(["host", "job"]),
    direction: oneOf(["above", "below"]),
    mads: Type.Number({
      minimum: 0,
      description: "bad if the difference exceeds this many median absolute deviations",
    }),
    min_difference: Type.Number({ minimum: 0, description: "and this, in the metric's unit" }),
    min_share: share("and this share of the median"),
    min_median: Type.Number({ description: "only if the median is at least this" }),
    min_devices: Type.Integer({ minimum: 3, maximum: 100_000, description: "only if so many devices are compared" }),
    busy_percent: Type.Number({
      minimum: 0,
      maximum: 100,
      description: "only devices whose utilization is at least this",
    }),
    for_seconds: forSeconds,
    resolve_for_seconds: resolveForSeconds,
  }),
  /** An XID of a class: an event that ends by a boundary. */
  xid: ruleOf("xid", {
    class: oneOf(xidClasses),
    burst_seconds: seconds("repetitions within this time are one burst"),
    ends_with_job: Type.Boolean({ description: "true: the event also ends when its workloads are gone" }),
    quiet_seconds: seconds("the event also ends after so long without repetition; 0: it does not"),
  }),
  /** XIDs that come again on the same GPU. */
  "xid-again": ruleOf("xid-again", {
    codes: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, description: "of these codes, each for itself" }),
    ),
    classes: Type.Optional(Type.Array(oneOf(xidClasses), { minItems: 1, description: "of these classes, together" })),
    at_least: Type.Integer({ minimum: 2, maximum: 12, description: "bursts" }),
    within_seconds: windowSeconds("the time in which the bursts count"),
    burst_seconds: seconds("repetitions within this time are one burst"),
    sticky_seconds: seconds("the fault ends at the earliest so long after the last XID"),
  }),
  /** One XID on several GPUs of a job. */
  "xid-job": ruleOf("xid-job", {
    codes: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 }),
    at_least: Type.Integer({ minimum: 2, maximum: 100_000, description: "GPUs" }),
    within_seconds: windowSeconds("the time in which the XIDs count"),
  }),
  /** An XID that comes again although resets or reboots have followed it. */
  uncured: ruleOf("uncured", {
    classes: Type.Array(oneOf(xidClasses), { minItems: 1, description: "XIDs of these classes, each code for itself" }),
    at_least: Type.Integer({ minimum: 1, maximum: 12, description: "resets and reboots that followed the XID" }),
    within_seconds: windowSeconds("the time in which they count"),
  }),
  /** Devices of one model in one cluster have different versions of the driver. */
  drivers: ruleOf("drivers", { for_seconds: forSeconds }),
  /** Resets and reboots after XIDs, by host. */
  remediations: ruleOf("remediations", {
    at_least: Type.Integer({ minimum: 2, maximum: 20, description: "resets and reboots after an XID" }),
    within_seconds: windowSeconds("the time in which they count"),
  }),
} as const satisfies Readonly<Record<string, TObject>>;

export type RuleKind = keyof typeof ruleKinds;
/** A rule of a kind. */
export type RuleOf<Kind extends RuleKind> = Static<(typeof ruleKinds)[Kind]>;
/** Says when a fault begins and ends, and what to do about it. */
export type Rule = { [Kind in RuleKind]: RuleOf<Kind> }[RuleKind];

/** The rules of a kind that raise faults. */
export function rulesOf<Kind extends RuleKind>(rules: readonly Rule[], kind: Kind): readonly RuleOf<Kind>[] {
  return rules.filter((rule): rule is RuleOf<Kind> & Rule => rule.kind === kind && rule.enabled !== false);
}

/** The heading of the rule in docs/faults.md, as a link to it ends. */
export const runbookOf = (ruleId: string): string => `docs/faults.md#${ruleId.replaceAll(".", "")}`;

/** The same heading on another page.
 *  @param base FAULT_RUNBOOK_URL, to which the heading is appended; undefined: there is no such page */
export const runbookUrlOf = (runbook: string, base: string | undefined): string | undefined =>
  base && `${base}${runbook.slice(runbook.lastIndexOf("#") + 1)}`;
