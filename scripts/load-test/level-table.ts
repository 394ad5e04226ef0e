import type { Measured } from "./run-level.ts";

const nameWidth = 24;
const columns = ["requests", "errors", "ops/s", "p50 ms", "p95 ms", "p99 ms"];
const columnWidth = 9;

/** A table of what a level has measured, with a line for each kind of request and one for all. */
export function levelTable(measured: readonly Measured[]): string {
  const all: Measured = {
    name: "all",
    timesMs: measured.flatMap(({ timesMs }) => timesMs),
    errors: measured.flatMap(({ errors }) => errors),
    seconds: measured.reduce((sum, { seconds }) => sum + seconds, 0),
  };
  const head = lineOf("", columns);
  return [head, ...[...measured, all].map(rowOf)].join("\n");
}

const lineOf = (name: string, cells: readonly string[]): string =>
  `${name.padEnd(nameWidth)}${cells.map((cell) => cell.padStart(columnWidth)).join("")}`;

function rowOf({ name, timesMs, errors, seconds }: Measured): string {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const quantiles = [0.5, 0.95, 0.99].map((share) => quantile(sorted, share)?.toFixed(1) ?? "-");
  const counts = [String(timesMs.length + errors.length), String(errors.length)];
  return lineOf(name, [...counts, (timesMs.length / seconds).toFixed(1), ...quantiles]);
}

/** The value that this share of the values does not exceed (the nearest rank). */
function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
