import type { ServiceLoad } from "../../src/scaling/registry/service-instance.ts";
import type { ShownInstance } from "../supervisor/protocol.ts";
import type { Health } from "./probe.ts";

/** A process as scale-status shows it. */
export interface StatusRow {
  readonly instance: ShownInstance;
  /** Undefined if the process does not answer. */
  readonly health: Health | undefined;
  /** What the process reports, and what the system knows of it; a figure that is not known is absent. */
  readonly load: ServiceLoad;
}

/** A column. Those with `from` are only on terminals of at least that width: the name says the role, and restarts are told below. */
interface StatusColumn {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
  readonly left?: number;
  readonly from?: number;
}

/** The widths leave one space between columns and make 80 with the longest names (coordinator-1) and 7 digits of a pid; 59 without those
 *  that a narrow terminal lacks. */
const columns: readonly StatusColumn[] = [
  { title: "INSTANCE", width: 14 },
  { title: "ROLE", width: 12, from: 80 },
  { title: "PID", width: 7, right: true },
  { title: "PORT", width: 6, right: true },
  { title: "HEALTH", width: 10, left: 1 },
  { title: "CPU%", width: 5, right: true },
  { title: "RSS", width: 7, right: true },
  { title: "SAMPLES/S", width: 10, right: true },
  { title: "RESTARTS", width: 9, right: true, from: 68 },
];

/** The table, 80 columns wide, or at most 59 on a terminal that has fewer than 68.
 *  @param terminalWidth undefined in a pipe */
export function statusTable(rows: readonly StatusRow[], terminalWidth = 80): string {
  const isShown = columns.map(({ from = 0 }) => from <= terminalWidth);
  return [columns.map(({ title }) => title), ...rows.map(cellsOf)].map((cells) => lineOf(cells, isShown)).join("\n");
}

/** What is wrong with a process; empty if nothing is. */
export function problemsOf({ instance, health }: StatusRow): readonly string[] {
  const { name, is_crash_loop: isLoop, phase, last_error: reason, pid, restarts, outdated } = instance;
  const times = restarts === 1 ? "1 restart" : `${restarts} restarts`;
  return [
    ...(isLoop ? [`${name}: crash loop, ${times}: ${reason ?? "unknown reason"}`] : []),
    ...(!isLoop && phase === "WAITING" && reason !== undefined ? [`${name}: starts again soon: ${reason}`] : []),
    ...(!isLoop && phase === "RUNNING" && restarts > 0 ? [`${name}: ${times}; the last time ${reason}`] : []),
    ...(!isLoop && phase === "RUNNING" && health === undefined
      ? [`${name}: does not answer: it starts, or hangs; after kill -9 ${pid} it is started again`]
      : []),
    ...(health?.reasons ?? []).map((text) => `${name}: ${text}`),
    ...(outdated ? [`${name}: runs with earlier settings; bun run scale-restart applies the newest`] : []),
  ];
}

function cellsOf({ instance, health, load }: StatusRow): readonly string[] {
  const { name, role, pid, port, restarts } = instance;
  return [
    ...[name, role, text(pid), text(port), healthText(instance, health)],
    ...[text(rounded(load.cpu_percent)), size(load.rss_bytes), text(rounded(load.samples_per_second))],
    String(restarts),
  ];
}

function healthText({ phase, is_crash_loop: isLoop }: ShownInstance, health: Health | undefined): string {
  if (isLoop) return "crashing";
  if (phase === "STOPPING") return "stopping";
  if (phase === "WAITING") return "waiting";
  return health?.status ?? "no answer";
}

function lineOf(cells: readonly string[], isShown: readonly boolean[]): string {
  return columns
    .map(({ width, left = 0, right }, index) => {
      if (isShown[index] !== true) return "";
      const shown = " ".repeat(left) + (cells[index] ?? "");
      return right === true ? shown.padStart(width) : shown.padEnd(width);
    })
    .join("")
    .trimEnd();
}

const text = (value: number | undefined): string => (value === undefined ? "-" : String(value));
const rounded = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value);
const size = (bytes: number | undefined): string => (bytes === undefined ? "-" : `${Math.round(bytes / 1024 / 1024)}M`);
