import type { AggregateFilter, Grouping } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { OwnRows, placeSpans } from "./own-rows.ts";
import { field, JoinedRows, joinedRows } from "./joined-rows.ts";

/** The columns that identify a group, by the API's name of the grouping. */
export const groupColumns: Readonly<Record<Grouping, readonly string[]>> = {
  cluster: ["cluster_id"],
  host: ["cluster_id", "hostname"],
  gpu: ["uuid"],
  model: ["model_name"],
  namespace: ["namespace"],
};

/** When a GPU was in a place within bounds, milliseconds since the epoch; infinite at the ends. */
export interface OwnSpan extends TimeRange {
  readonly gpuKey: number;
}

/** When a GPU was selected, and the values that identify its group; none if the group does not follow from the GPU. */
export interface GroupSpan extends OwnSpan {
  readonly group: readonly string[];
}

interface SpanRow {
  readonly gpuKey: number;
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

const columns = `p.gpu_key::float8 as "gpuKey", case when isfinite(p.from_at) then ${epochMs("p.from_at")} end as "fromMs",
  case when isfinite(p.to_at) then ${epochMs("p.to_at")} end as "toMs"`;

function toSpan<Row extends SpanRow>({ fromMs, toMs, ...row }: Row): Omit<Row, "fromMs" | "toMs"> & TimeRange {
  return {
    ...row,
    fromMs: fromMs === null ? -Infinity : Math.round(fromMs),
    toMs: toMs === null ? Infinity : Math.round(toMs),
  };
}

/** Reads when GPUs were in places within bounds, in the order of time. What is reported of a GPU may change while it stays within: that is
 *  one span. */
export async function selectOwnSpans(
  executor: SqlExecutor,
  bounds: NonNullable<AggregateFilter["gpus"]["within"]>,
): Promise<OwnSpan[]> {
  const conditions = new Conditions();
  const own = new OwnRows(bounds, conditions);
  const text = `select ${columns} from (${placeSpans()}) p where ${own.place("p")} order by p.from_at`;
  return joined((await executor.query<SpanRow>(text, conditions.params)).map(toSpan));
}

function joined(spans: readonly OwnSpan[]): OwnSpan[] {
  const found: OwnSpan[] = [];
  const lastOf = new Map<number, number>();
  for (const span of spans) {
    const index = lastOf.get(span.gpuKey);
    const last = index === undefined ? undefined : found[index];
    if (index !== undefined && last?.toMs === span.fromMs) found[index] = { ...last, toMs: span.toMs };
    else lastOf.set(span.gpuKey, found.push(span) - 1);
  }
  return found;
}

/** Reads when GPUs were selected, and their groups. A GPU's first attributes also apply to all its earlier records. Of places within
 *  bounds, each is valid until the next one within. If neither the selection nor the groups depend on attributes, the span of each GPU has
 *  no end. */
export async function selectGroupSpans(
  executor: SqlExecutor,
  { groupBy, gpus }: Pick<AggregateFilter, "groupBy" | "gpus">,
): Promise<GroupSpan[]> {
  const conditions = new Conditions();
  const own = gpus.within && new OwnRows(gpus.within, conditions);
  const filters = addAttributeConditions(new Conditions(conditions.params), gpus, {
    key: "p.gpu_key",
    attribute: (column) => `p.${column}`,
  });
  const byAttributes = groupBy !== "gpu" && groupBy !== "namespace";
  const spans =
    byAttributes || !filters.isEmpty
      ? spansOf(own)
      : "select gpu_key, timestamptz '-infinity' as from_at, timestamptz 'infinity' as to_at from gpus";
  const names = { gpu: "array[p.uuid]", namespace: "array[]::text[]" } as const;
  const group = byAttributes ? `array[${groupColumns[groupBy].map((name) => `p.${name}`).join()}]` : names[groupBy];
  const bound = (instant: string): string =>
    `case when isfinite(${instant}) then ${epochMs(instant)} else ${instant}::text::float8 end`;
  const sent = [
    ...["p.gpu_key", bound("p.from_at"), bound("p.to_at")].map(field.float8),
    field.text(`to_json(${group})::text`),
  ];
  const text = `
select ${joinedRows(sent)} as sent from (
  select p.*${groupBy === "gpu" ? ", g.uuid" : ""} from (${spans}) p
  ${groupBy === "gpu" ? "join gpus g on g.gpu_key = p.gpu_key" : ""} ${filters.after("where")} order by p.from_at) p`;
  const [row] = await executor.query<{ sent: Uint8Array | null }>(text, filters.params);
  return row?.sent ? groupSpansOf(row.sent) : [];
}

function groupSpansOf(sent: Uint8Array): GroupSpan[] {
  const spans: GroupSpan[] = [];
  // many GPUs have the same group
  const known = new Map<string, readonly string[]>();
  for (const rows = new JoinedRows(sent); rows.next();) {
    const span = { gpuKey: rows.float8(), fromMs: Math.round(rows.float8()), toMs: Math.round(rows.float8()) };
    const text = rows.text() ?? "[]";
    let group = known.get(text);
    if (group === undefined) known.set(text, (group = JSON.parse(text) as string[]));
    spans.push({ ...span, group });
  }
  return spans;
}

/** With namespaces, a place counts if an own workload held the GPU there: others can have had it elsewhere in between. */
const spansOf = (own: OwnRows | undefined): string => `
select gpu_key, cluster_id, hostname, gpu_id, model_name,
  case when lag(valid_from) over w is null then '-infinity' else valid_from end as from_at,
  lead(valid_from, 1, 'infinity') over w as to_at
from gpu_attributes${own === undefined ? "" : ` where ${own.heldPlace("gpu_attributes")}`} window w as (partition by gpu_key order by valid_from)`;
