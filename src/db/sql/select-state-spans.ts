import type { StateSpan, StateSpans } from "../../domain/inventory.ts";
import type { SqlExecutor } from "../client.ts";
import { deviceStates, partsOf } from "./device-states.ts";
import { msOf } from "./source-hours.ts";

interface SpanRow extends Omit<StateSpan, "toMs"> {
  readonly toMs: number | null;
}

const versionText = `
select count(*)::float8 as count, ${msOf("clock_timestamp()")} as "nowMs",
  concat_ws(' ', count(*), max(id), ${msOf("max(changed_at)")}, count(returned_at), ${msOf("max(returned_at)")}) as version
from inventory_spans`;

const spansText = `
with ${deviceStates("select gpu_key from gpus")},
host_states as (
  select cluster_id, hostname, coalesce(range_agg(span) filter (where state = 'decommissioned'), '{}') as gone,
    coalesce(range_agg(span) filter (where state = 'maintenance'), '{}') as maintained
  from (
    select cluster_id, hostname, state, tstzrange(from_at, least(to_at, returned_at)) as span from inventory_spans where uuid = '') s
  where not isempty(span) group by cluster_id, hostname),
parts as (
  select g.cluster_id, g.hostname, g.uuid, p.state, p.from_ms, p.to_ms
  from (${partsOf("device_states", "gpu_key")}) p join gpus g using (gpu_key)
  union all
  select cluster_id, hostname, '', state, from_ms, to_ms from (${partsOf("host_states", "cluster_id, hostname")}) p)
select cluster_id as "clusterId", hostname, uuid, state, from_ms as "fromMs", nullif(to_ms, 'infinity') as "toMs"
from parts where to_ms > $1::float8`;

/** Reads when hosts and devices are and will be under maintenance or decommissioned.
 *  @param known the version of the spans that the caller has; undefined if they are to be read in any case
 *  @param endAfterMs spans that had ended by then are left out; by default the present, by the store's clock */
export async function selectStateSpans(
  executor: SqlExecutor,
  known: string | undefined,
  endAfterMs?: number,
): Promise<StateSpans> {
  const [row] = await executor.query<{ count: number; nowMs: number; version: string }>(versionText);
  const { count, nowMs, version } = row as { count: number; nowMs: number; version: string };
  if (version === known) return { version, nowMs, spans: undefined };
  const rows = count === 0 ? [] : await executor.query<SpanRow>(spansText, [endAfterMs ?? nowMs]);
  return { version, nowMs, spans: rows.map((span) => ({ ...span, toMs: span.toMs ?? Infinity })) };
}
