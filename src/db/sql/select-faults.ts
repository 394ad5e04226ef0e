import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { changeColumns, type ChangeRow, faultColumns, type FaultRow } from "./fault-rows.ts";
import { OwnRows } from "./own-rows.ts";

/** Selects faults by what they are of. Every given field restricts. */
interface SubjectSelection {
  readonly severities?: readonly string[];
  /** The name, or the id of the rule. */
  readonly name?: string;
  readonly clusterId?: string;
  readonly hostname?: string;
  readonly uuid?: string;
  /** A namespace that held the device at the beginning. */
  readonly namespace?: string;
  readonly job?: string;
  /** Only what the caller may see: see docs/faults.md. */
  readonly within?: GpuBounds;
}

/** Selects faults. Every given field restricts. */
export interface FaultSelection extends SubjectSelection {
  /** Undefined: those that have not ended. */
  readonly states?: readonly string[];
  /** Only faults that lasted at some instant of the range. */
  readonly range?: TimeRange;
}

/** Reads faults, the newest beginning first.
 *  @param after the fault before the first one */
export function selectFaults(
  executor: SqlExecutor,
  selection: FaultSelection,
  page: { readonly limit: number; readonly after?: Pick<FaultRow, "startedAtMs" | "id"> },
): Promise<FaultRow[]> {
  const conditions = conditionsOf(selection);
  const { after, limit } = page;
  if (after !== undefined) {
    const [started, id] = [conditions.param(after.startedAtMs), conditions.param(after.id)];
    conditions.addText(`(f.started_at, f.id) < (to_timestamp(${started}::float8 / 1000.0), ${id})`);
  }
  const text = `
select ${faultColumns} from faults f ${conditions.after("where")}
order by f.started_at desc, f.id desc limit ${conditions.param(limit)}::int`;
  return executor.query(text, conditions.params);
}

/** Reads a fault. */
export async function selectFault(
  executor: SqlExecutor,
  id: string,
  within?: GpuBounds,
): Promise<FaultRow | undefined> {
  const conditions = new Conditions().add("f.id = ?", id).addText(hasFiredOrLasts);
  if (within !== undefined) conditions.addText(ownFault(within, conditions));
  const text = `select ${faultColumns} from faults f ${conditions.after("where")}`;
  return (await executor.query<FaultRow>(text, conditions.params))[0];
}

/** Reads the newest changes of a fault, oldest first. */
export async function selectChanges(executor: SqlExecutor, faultId: string, limit: number): Promise<ChangeRow[]> {
  const text = `select ${changeColumns} from fault_changes c where c.fault_id = $1 order by c.ordinal desc limit $2::int`;
  return (await executor.query<ChangeRow>(text, [faultId, limit])).reverse();
}

/** Reads the faults with these ids, in no order. */
export function selectFaultsById(executor: SqlExecutor, ids: readonly string[]): Promise<FaultRow[]> {
  return executor.query(`select ${faultColumns} from faults f where f.id = any($1::text::text[])`, [textArray(ids)]);
}

/** Reads changes after a sequence, oldest first. */
export function selectNews(
  executor: SqlExecutor,
  { after, until, limit, states, ...subject }: NewsSelection,
): Promise<ChangeRow[]> {
  const conditions = new Conditions()
    .add("c.sequence > ?::float8::int8", after)
    .add("c.sequence <= ?::float8::int8", until)
    .add("c.state = any(?::text::text[])", states && textArray(states));
  addSubject(subject, conditions);
  const text = `
select ${changeColumns} from fault_changes c join faults f on f.id = c.fault_id
${conditions.after("where")} order by c.sequence limit ${conditions.param(limit)}::int`;
  return executor.query(text, conditions.params);
}

/** Selects changes by their sequence, and by what their faults are of. */
interface NewsSelection extends SubjectSelection {
  readonly after: number;
  readonly until: number;
  readonly limit: number;
  /** Only changes to these states. */
  readonly states?: readonly string[];
}

/** Reads the sequence of the newest change; 0 if there is none. */
export async function selectSequence(executor: SqlExecutor): Promise<number> {
  const text = "select sequence::float8 as sequence from fault_leader";
  return (await executor.query<{ sequence: number }>(text))[0]?.sequence ?? 0;
}

/** What was pending and ended without having fired is shown to no client. */
const hasFiredOrLasts = "(f.fired_at is not null or f.ended_at is null)";

function conditionsOf({ states, range, ...subject }: FaultSelection): Conditions {
  const conditions = new Conditions().addText(states === undefined ? "f.ended_at is null" : hasFiredOrLasts);
  conditions.add("f.state = any(?::text::text[])", states && textArray(states));
  if (range !== undefined) {
    conditions.within("f.started_at", { fromMs: -Infinity, toMs: range.toMs });
    if (Number.isFinite(range.fromMs)) {
      const from = conditions.param(range.fromMs);
      conditions.addText(`(f.ended_at is null or f.ended_at >= to_timestamp(${from}::float8 / 1000.0))`);
    }
  }
  addSubject(subject, conditions);
  return conditions;
}

function addSubject(selection: SubjectSelection, conditions: Conditions): void {
  const { severities, name, clusterId, hostname, uuid, namespace, job, within } = selection;
  conditions
    .add("f.severity = any(?::text::text[])", severities && textArray(severities))
    .add("f.cluster_id = ?", clusterId)
    .add("f.hostname = ?", hostname)
    .add("f.uuid = ?", uuid)
    .add("f.job = ?", job)
    .add("exists (select from jsonb_array_elements(f.holders) h where h.value->>'namespace' = ?)", namespace);
  if (name !== undefined) {
    const placeholder = conditions.param(name);
    conditions.addText(`(f.name = ${placeholder} or f.rule = ${placeholder})`);
  }
  if (within !== undefined) conditions.addText(ownFault(within, conditions));
}

/** A condition: the fault's place is own, and an own workload held the device at its beginning or, if the fault has not ended, holds the
 *  device now. */
function ownFault(within: GpuBounds, conditions: Conditions): string {
  const own = new OwnRows(within, conditions);
  if (!own.restrictsNamespaces) return own.place("f");
  const holdsNow = `f.uuid <> '' and f.ended_at is null and exists (
    select from gpus own_g cross join lateral (
      select w.occupants from gpu_workloads w where w.gpu_key = own_g.gpu_key order by w.valid_from desc limit 1) own_w
    where own_g.uuid = f.uuid and ${own.heldBy("own_w.occupants")})`;
  return `(${own.place("f")} and (${own.heldBy("f.holders")} or (${holdsNow})))`;
}

/** When the leader last said that it evaluates. A leader that is the first of all counts from the beginning of its term on.
 *  @param lateSeconds after so long it is not current any more */
export async function selectLastEvaluation(
  executor: SqlExecutor,
  lateSeconds: number,
): Promise<{ readonly atMs: number | null; readonly isCurrent: boolean }> {
  const text = `
select floor(extract(epoch from s.saved_at) * 1000)::float8 as "atMs",
  coalesce(coalesce(s.saved_at, l.since) > now() - make_interval(secs => $1::float8), false) as "isCurrent"
from (select) one left join fault_states s on s.kind = 'time' left join fault_leader l on true`;
  const [row] = await executor.query<{ atMs: number | null; isCurrent: boolean }>(text, [lateSeconds]);
  return row ?? { atMs: null, isCurrent: false };
}
