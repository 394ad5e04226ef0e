import type { ScalingPolicy } from "../../src/scaling/coordinator/policy.ts";
import type { Curve } from "./curve.ts";
import type { Outcome } from "./outcome.ts";
import { panelLines, type Style, timeAxis } from "./plot.ts";

/** A curve with what it led to. */
export interface Run {
  readonly curve: Curve;
  readonly outcome: Outcome;
  readonly broken: readonly string[];
}

/** The plot of a run. */
export function plotText(
  { curve, outcome }: Run,
  policy: ScalingPolicy,
  view: { width: number; style: Style },
): string {
  const { seconds } = outcome;
  const { max, ageTargetSeconds } = policy.collector;
  const { width, style } = view;
  const draw = (panel: Parameters<typeof panelLines>[0]): string[] => panelLines(panel, width, style);
  const loads = seconds.map(({ load }) => load);
  const ages = seconds.map(({ ageSeconds }) => ageSeconds);
  return [
    curve.name.toUpperCase(),
    curve.description,
    ...draw({ title: "load, messages/s", values: loads, top: roundUp(Math.max(...loads)) }),
    ...draw({
      title: "collectors; ─ with a scaler that knows the load in advance",
      values: seconds.map(({ collectors }) => collectors),
      line: seconds.map(({ ideal }) => ideal),
      top: max,
    }),
    ...draw({
      title: `age of the oldest message, s (target ${ageTargetSeconds})`,
      values: ages,
      top: roundUp(Math.max(2 * ageTargetSeconds, ...ages)),
      alarm: ageTargetSeconds,
    }),
    timeAxis(seconds.length, width),
  ].join("\n");
}

/** The figures of all runs. */
export function tableText(runs: readonly Run[]): string {
  const lines = runs.map(({ curve, outcome, broken }) => {
    const { seconds, reversals, overTargetSeconds, instanceSeconds, idealInstanceSeconds } = outcome;
    const worst = seconds.reduce((most, { ageSeconds }) => Math.max(most, ageSeconds), 0);
    return [
      curve.name.padEnd(14),
      String(reversals.length).padStart(9),
      `${overTargetSeconds} s`.padStart(7),
      `${Math.round(worst)} s`.padStart(6),
      (instanceSeconds / idealInstanceSeconds).toFixed(2).padStart(6),
      broken.length === 0 ? "  ok" : "  FAILED",
    ].join(" ");
  });
  const faults = runs.flatMap(({ curve, broken }) => broken.map((text) => `${curve.name}: ${text}`));
  return ["curve          reversals    late  worst   cost", ...lines, ...faults].join("\n");
}

function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / unit) * unit;
}
