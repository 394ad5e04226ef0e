/** One of several values of a metric at an instant, which labels tell apart. */
export interface Series {
  /** A name of the catalogue, or the name in the input. */
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The longest name of a series that is accepted, with its labels, in UTF-16 units. */
export const seriesNameMaxLength = 1024;

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
  "clock_type",
  "clock_index",
  "link_index",
  "hbm_index",
  "xcc_index",
  "vcn_index",
  "jpeg_index",
  "afid_index",
];

/** @returns the name of a series label in lower case; undefined for any other label */
export function seriesLabelOf(label: string): string | undefined {
  const name = label.toLowerCase();
  return seriesLabels.includes(name) ? name : undefined;
}

/** True for a series label that names a part of the device or an event on it. `vgpu` does not: a virtual GPU is given to a workload, and a
 *  record does not say to which. */
export function isDeviceLabel(label: string): boolean {
  const name = seriesLabelOf(label);
  return name !== undefined && name !== "vgpu";
}

/** The name of a series, in Prometheus' form: `xid_errors{window_size_in_ms="300000",xid="31"}`. The labels are sorted by
 *  name. Without labels, it is the metric's name. If the metric's name has characters that end a name in this form, it is written
 *  as Prometheus writes such names: `{"odd}name",xid="31"}`.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information,
 *  https://prometheus.io/docs/guides/utf8/#querying */
export function seriesName(metric: string, labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels).length === 0 ? metric : seriesText({ metric, labels });
}

/** The same text as `seriesName`, but with braces even if there are no labels: `fan_speed{}`, `{"odd}name"}`. */
export function seriesText({ metric, labels }: Series): string {
  const names = Object.keys(labels).sort();
  const texts = names.map((name) => `${name}="${escaped(labels[name] ?? "")}"`);
  return plainMetric.test(metric)
    ? `${metric}{${texts.join(",")}}`
    : `{${[`"${escaped(metric)}"`, ...texts].join(",")}}`;
}

/** A metric's name that needs no quotes before braces, or between the commas of a list. */
const plainMetric = /^[^{}",\\]+$/;
const label = String.raw`[A-Za-z_][A-Za-z0-9_]*`;
const text = String.raw`(?:[^"\\]|\\["\\n])`;
const labelList = String.raw`(?:${label}="${text}*"(?:,(?!\})|(?=\})))+`;
const seriesForm = new RegExp(String.raw`^(?:([^{}"]+)\{(${labelList})|\{"(${text}+)"(?:,(${labelList}))?)\}$`, "s");
const labelForm = new RegExp(`(${label})="(${text}*)"`, "gs");

/** Reads a name that `seriesName` gives to a series with labels, or `seriesText` to a metric that needs quotes.
 *  @returns undefined for any other name: it is the name of a metric */
export function parseSeries(name: string): Series | undefined {
  if (!name.endsWith("}")) return undefined;
  const [match, plain, ofPlain, quoted = "", ofQuoted] = seriesForm.exec(name) ?? [];
  if (match === undefined) return undefined;
  const [metric, body] = [plain ?? unescaped(quoted), ofPlain ?? ofQuoted ?? ""];
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
