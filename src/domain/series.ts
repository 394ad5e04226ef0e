/** One of several values of a metric at an instant, which labels tell apart. */
export interface Series {
  /** A name of the catalogue, or the name in the input. */
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The labels by which the exporter tells apart several values of one metric of one GPU. */
export const seriesLabels: readonly string[] = [
  "xid",
  "nvlink",
  "clock_event",
  "health_watch",
  "health_error_code",
  "vgpu",
  "window_size_in_ms",
  "peer_gpu",
  "link_status",
];

/** @returns the name of a series label in lower case; undefined for any other label */
export function seriesLabelOf(label: string): string | undefined {
  const name = label.toLowerCase();
  return seriesLabels.includes(name) ? name : undefined;
}

/** The name of a series, in Prometheus' form: `xid_errors{window_size_in_ms="300000",xid="31"}`. The labels are sorted by
 *  name. Without labels, it is the metric's name.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information */
export function seriesName(metric: string, labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return metric;
  return `${metric}{${names.map((name) => `${name}="${escaped(labels[name] ?? "")}"`).join(",")}}`;
}

const seriesForm = /^([^{}"]+)\{((?:[A-Za-z_][A-Za-z0-9_]*="(?:[^"\\]|\\["\\n])*"(?:,(?!\})|(?=\})))+)\}$/s;
const labelForm = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\["\\n])*)"/gs;

/** @returns undefined if the name is not that of a series with labels, but the name of a metric */
export function parseSeries(name: string): Series | undefined {
  if (!name.endsWith("}")) return undefined;
  const [, metric, body] = seriesForm.exec(name) ?? [];
  if (metric === undefined || body === undefined) return undefined;
  const labels = Array.from(body.matchAll(labelForm), ([, label = "", text = ""]) => [label, unescaped(text)] as const);
  if (new Set(labels.map(([label]) => label)).size < labels.length) return undefined;
  return { metric, labels: Object.fromEntries(labels) };
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

function unescaped(text: string): string {
  return text.replace(/\\(["\\n])/g, (_, character: string) => (character === "n" ? "\n" : character));
}
