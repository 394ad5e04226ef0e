import type { RuleOf } from "../rules/rule.ts";
import type { XidCatalogue, XidClass } from "../rules/xid-catalogue.ts";
import { jobLabels, withJob } from "./job-labels.ts";
import { metricExpression } from "./series-expression.ts";

/** Codes: those listed, or all others. */
interface Codes {
  readonly codes: readonly number[];
  readonly isOthers: boolean;
}

/** The counter appears with its first error: it has risen, or did not exist before. */
const counter = "DCGM_EXP_XID_ERRORS_TOTAL";
const inWindow = "DCGM_EXP_XID_ERRORS_COUNT";
/** For how long an error that a counter shows is new. */
const newSeconds = 600;

/** The codes of a class. Codes that the catalogue does not have are unpublished. */
function codesOf(catalogue: XidCatalogue, xidClass: XidClass): Codes {
  const all = [...catalogue.values()];
  return xidClass === "unpublished"
    ? { codes: all.filter((xid) => xid.class !== xidClass).map(({ code }) => code), isOthers: true }
    : { codes: all.filter((xid) => xid.class === xidClass).map(({ code }) => code), isOthers: false };
}

/** An XID of a class: the last code of the GPU, which stays until a reset, or a count. */
export function xidExpression(rule: RuleOf<"xid">, catalogue: XidCatalogue): string {
  const codes = codesOf(catalogue, rule.class);
  const matcher = `{${matcherOf(codes)}}`;
  const ends = rule.quiet_seconds > 0 ? ` and ${changed(rule.quiet_seconds)}` : "";
  const gauge = metricExpression("xid_error");
  return [
    `(${gaugeHas(gauge, codes)})${ends}`,
    `increase(${counter}${matcher}[${newSeconds}s]) > 0`,
    `(${counter}${matcher} unless ${counter} offset ${newSeconds}s) > 0`,
    `${inWindow}${matcher} > 0`,
  ].join("\nor ");
}

/** How often the count of XIDs has changed between two scrapes, which is about how many bursts there were. */
export function againExpression(rule: RuleOf<"xid-again">, catalogue: XidCatalogue): string {
  const { codes, classes = [], at_least: count, within_seconds: seconds } = rule;
  const found = codes ?? classes.flatMap((each) => codesOf(catalogue, each).codes);
  const series = `${counter}{${matcherOf({ codes: found, isOthers: false })}}`;
  const bursts = `((changes(${series}[${seconds}s]) + 1) unless (${series} offset ${seconds}s)) or changes(${series}[${seconds}s])`;
  return codes === undefined
    ? `sum without (xid, err_code, err_msg) (${bursts}) >= ${count}`
    : `(${bursts}) >= ${count}`;
}

/** An XID on several GPUs of one job. */
export function xidJobExpression({ codes, at_least: count, within_seconds: seconds }: RuleOf<"xid-job">): string {
  const series = `${counter}{${matcherOf({ codes, isOthers: false })}}`;
  const recent = `(increase(${series}[${seconds}s]) > 0 or (${series} unless ${series} offset ${seconds}s) > 0)`;
  return `count by (${jobLabels}, xid) (${withJob(recent)}) >= ${count}`;
}

const changed = (seconds: number): string =>
  metricExpression("xid_error", { around: (series) => `changes(${series}[${seconds}s]) > 0` });

function matcherOf({ codes, isOthers }: Codes): string {
  return isOthers ? `xid!~"0|${codes.join("|")}"` : `xid=~"${codes.join("|")}"`;
}

function gaugeHas(gauge: string, codes: Codes): string {
  const listed = rangesOf(codes.codes).map(([from, to]) =>
    from === to ? `${gauge} == ${from}` : `${gauge} >= ${from} <= ${to}`,
  );
  return codes.isOthers ? `${gauge} > 0 unless (${listed.join(" or ")})` : listed.join(" or ");
}

/** Successive codes as ranges. */
function rangesOf(codes: readonly number[]): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  for (const code of codes.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  return ranges;
}
