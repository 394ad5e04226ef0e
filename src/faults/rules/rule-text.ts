import type { Rule } from "./rule.ts";

/** How the name of a metric is written. */
type Named = (metric: string) => string;

const plain: Named = (metric) => metric;

const units: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, "days"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** 900 -> 15 min. */
function time(seconds: number): string {
  const [size, unit] = units.find(([each]) => seconds >= 2 * each && seconds % each === 0) ?? [1, "s"];
  return `${seconds / size} ${unit}`;
}

const number = (value: number): string => value.toLocaleString("en-US");
const lasting = (seconds: number): string => (seconds === 0 ? ", at once" : ` for ${time(seconds)}`);

/** When a rule fires, as a part of a sentence. */
export function conditionOf(rule: Rule, named = plain): string {
  switch (rule.kind) {
    case "threshold": {
      const what =
        rule.share_of === undefined
          ? named(rule.metric)
          : `${named(rule.metric)} as a share of ${rule.share_of.map(named).join(" + ")}`;
      return `${what} ${limitOf(rule)}${lasting(rule.for_seconds)}${whileOf(rule)}`;
    }
    case "rate":
      return `rise of ${named(rule.metric)} in a second ${limitOf(rule)}${lasting(rule.for_seconds)}`;
    case "increase":
      return `rise of ${named(rule.metric)} above ${number(rule.above)} within ${time(rule.within_seconds)}`;
    case "bits":
      return `a bit of 0x${rule.mask.toString(16)} in ${named(rule.metric)}, in at least ${percent(rule.share)} of the records of ${time(rule.within_seconds)}`;
    case "absence":
      return `no record of the ${rule.of} for more than ${rule.intervals} intervals, and ${time(rule.for_seconds)}${newerOf[rule.of]}`;
    case "frozen":
      return `all fast values of a busy device equal in ${rule.records} records, and for ${time(rule.for_seconds)}`;
    case "coverage":
      return `less than ${percent(rule.below)} of the records of an hour`;
    case "siblings":
      return siblingsOf(rule, named);
    case "xid":
      return `an XID of the class ${rule.class}, at once; repetitions within ${time(rule.burst_seconds)} are one`;
    case "xid-again":
      return `${rule.codes === undefined ? `XIDs of the classes ${(rule.classes ?? []).join(", ")}` : `XID ${rule.codes.join(" or ")}`} on one GPU, ${rule.at_least} bursts in ${time(rule.within_seconds)}; repetitions within ${time(rule.burst_seconds)} are one`;
    case "xid-job":
      return `XID ${rule.codes.join(" or ")} on ${rule.at_least} GPUs of one job in ${time(rule.within_seconds)}`;
    case "uncured":
      return `an XID of the classes ${rule.classes.join(", ")} on one GPU, after ${rule.at_least} resets or reboots in ${time(rule.within_seconds)} that followed the same XID`;
    case "drivers":
      return `devices of one model in one cluster have several driver versions${lasting(rule.for_seconds)}`;
    case "remediations":
      return `${rule.at_least} resets or reboots after XIDs on one host in ${time(rule.within_seconds)}`;
  }
}

function whileOf({ held, busy_percent: percentage }: Rule & { readonly kind: "threshold" }): string {
  if (held === true) return ", while a workload holds the device";
  return percentage === undefined ? "" : `, judged at a utilization of at least ${percentage} %`;
}

const newerOf = {
  device: ", while its host reports",
  host: ", while other hosts of its cluster report",
  cluster: "",
} as const;
const percent = (share: number): string => `${Math.round(share * 100)} %`;

function limitOf({ above, below }: { readonly above?: number; readonly below?: number }): string {
  return above === undefined ? `below ${number(below ?? NaN)}` : `above ${number(above)}`;
}

function siblingsOf(rule: Rule & { readonly kind: "siblings" }, named: Named): string {
  const what = `${rule.per_second ? "rise in a second of " : ""}${named(rule.metric)}`;
  const limits = [
    `${rule.mads} MAD`,
    ...(rule.min_difference > 0 ? [number(rule.min_difference)] : []),
    ...(rule.min_share > 0 ? [percent(rule.min_share)] : []),
  ];
  const among = [
    `at least ${rule.min_devices} devices of its ${rule.of === "host" ? "job on its host" : "job"}`,
    ...(rule.busy_percent > 0 ? [`with a utilization of at least ${rule.busy_percent} %`] : []),
    ...(rule.min_median > 0 ? [`if the median is at least ${number(rule.min_median)}`] : []),
  ];
  return `${what} ${rule.direction} the median by more than ${limits.join(" and ")}${lasting(rule.for_seconds)}, among ${among.join(", ")}`;
}

/** When a fault of the rule ends, as a part of a sentence. */
export function endOf(rule: Rule): string {
  switch (rule.kind) {
    case "threshold":
    case "rate": {
      const { above, below, resolve } = rule;
      const limit =
        above === undefined ? `at least ${number(resolve ?? below ?? NaN)}` : `at most ${number(resolve ?? above)}`;
      return `${limit}${lasting(rule.resolve_for_seconds)}`;
    }
    case "increase":
      return `no such rise for ${time(rule.within_seconds)}`;
    case "bits":
      return `less than ${percent(rule.resolve_share)} of the records`;
    case "absence":
      return "records arrive";
    case "frozen":
      return "the values change";
    case "coverage":
      return `at least ${percent(rule.resolve)}`;
    case "siblings":
      return `the difference is smaller${lasting(rule.resolve_for_seconds)}`;
    case "xid":
      return `reset, reboot, acknowledgement${rule.ends_with_job ? ", end of the job" : ""}${rule.quiet_seconds > 0 ? `, ${time(rule.quiet_seconds)} without it` : ""}`;
    case "xid-again":
      return `acknowledgement, or fewer in the time, and ${time(rule.sticky_seconds)} without one`;
    case "xid-job":
      return `acknowledgement, or ${time(rule.within_seconds)} without it`;
    case "uncured":
      return `acknowledgement, or ${time(rule.within_seconds)} without it`;
    case "drivers":
      return "one version is left";
    case "remediations":
      return "acknowledgement, or fewer in the time";
  }
}
