import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import {
  beginChange,
  lockGpus,
  recordSeen,
  readStates,
  removeStates,
  setNewestAttributes,
  type StateOf,
  type StateTable,
  updateLastSeen,
  writeStates,
} from "../../../db/sql/gpu-states.ts";
import type { CurrentGpu } from "../../../db/sql/current-gpus.ts";
import { type ObservedRecord, readObservations } from "../../../db/sql/observations.ts";
import { selectReported } from "../../../db/sql/reported-attributes.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { type Attributes, isSameOccupants } from "../../../domain/gpu.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import { changeAttributes } from "./completed-attributes.ts";
import { readContested } from "./contested-gpus.ts";
import type { GpuDirectory, GpuLookup } from "./gpu-directory.ts";
import type { ObservedGpu } from "./observed-gpus.ts";
import { changeSpans, type IsSame, type Span } from "./state-spans.ts";

/** `last_seen_at` may be older than a GPU's newest record by up to this time, so that rows of `gpus` are not written with
 *  every batch. */
const seenLagMs = 10 * 60_000;

/** Keeps the history of GPUs' attributes and workloads.
 *
 *  The attributes of a GPU follow from its **reports**: what its records say about it (`gpu_reports`). A field that a record does
 *  not report keeps the value of the last record that reported it. A late record can therefore change all later attributes, so
 *  they are computed again from the reports.
 *
 *  It runs after a batch's records are committed. For GPUs that may have changed, it reads these records back from the
 *  database, so that late, repeated and simultaneous batches lead to the same history. If the process dies between the commit
 *  and this step, the message is not acknowledged, and its next delivery repeats the step. */
export class GpuStateHistory {
  constructor(
    private readonly client: SqlClient,
    private readonly directory: GpuDirectory,
  ) {}

  /** Applies a batch to the history, after its records are committed.
   *  @param batch a look-up of the same GPUs, in the same order
   *  @returns the contested GPUs of the batch, as they are in the store now
   *  @throws StoreUnavailable (call it again later), StoreRejected */
  async record(gpus: readonly ObservedGpu[], batch: GpuLookup): Promise<readonly ContestedGpu[]> {
    if (gpus.length === 0) return [];
    await this.directory.refresh(batch);
    const pairs = pairsOf(gpus, batch.gpus());
    const changed = pairs.filter(({ observed, current }) => !isUnchanged(observed, current));
    const contested = changed.length > 0 ? await this.change(changed) : [];
    await this.updateLastSeen(
      pairs.filter(({ observed, current }) => observed.lastMs > current.lastSeenMs + seenLagMs),
    );
    return contested;
  }

  /** @returns the contested GPUs among the given ones */
  private async change(pairs: readonly Pair[]): Promise<readonly ContestedGpu[]> {
    const sorted = [...pairs].sort((a, b) => a.current.gpuKey - b.current.gpuKey);
    return this.client.transaction(async (executor) => {
      const revision = await beginChange(executor);
      const spans = spansOf(sorted);
      await lockGpus(executor, spans.gpuKeys);
      const records = Map.groupBy(await readObservations(executor, placesOf(sorted)), ({ gpuKey }) => gpuKey);
      const change = { executor, pairs: sorted, records };
      await changeTable(change, { table: "gpu_workloads", isSame: isSameState, stateOf: (record) => record });
      const changedFrom = await changeTable(change, { table: "gpu_reports", isSame: isSameReport, stateOf: reportOf });
      const newest = await changeAttributesFrom(executor, changedFrom);
      await recordSeen(executor, revision, spans);
      await setNewestAttributes(executor, newest);
      return readContested(
        executor,
        sorted.map(({ current }) => current).filter(({ isContested }) => isContested),
      );
    });
  }

  private async updateLastSeen(pairs: readonly Pair[]): Promise<void> {
    await updateLastSeen(this.client, spansOf(pairs));
    for (const { observed } of pairs) this.directory.setLastSeen(observed.gpu.uuid, observed.lastMs);
  }
}

interface Pair {
  readonly observed: ObservedGpu;
  readonly current: CurrentGpu;
}

function pairsOf(gpus: readonly ObservedGpu[], current: readonly (CurrentGpu | undefined)[]): Pair[] {
  return gpus.map((observed, index) => {
    const found = current[index];
    // the records are in a database that no longer answers, or the cache was cleared a moment ago
    if (found === undefined)
      throw new StoreUnavailable(`the database that answers does not have GPU ${observed.gpu.uuid}`);
    return { observed, current: found };
  });
}

interface Change {
  readonly executor: SqlExecutor;
  readonly pairs: readonly Pair[];
  readonly records: ReadonlyMap<number, readonly ObservedRecord[]>;
}

interface StateKind<Table extends StateTable> {
  readonly table: Table;
  readonly isSame: IsSame<StateOf[Table]>;
  /** The state of the GPU at the record's instant; undefined if the record does not report it. */
  readonly stateOf: (record: ObservedRecord) => StateOf[Table] | undefined;
}

function isSameState(a: StateOf["gpu_workloads"], b: StateOf["gpu_workloads"]): boolean {
  return isSameOccupants(a.occupants, b.occupants);
}

function isSameReport(a: StateOf["gpu_reports"], b: StateOf["gpu_reports"]): boolean {
  return a.attributesId === b.attributesId;
}

function reportOf({ attributesId }: ObservedRecord): StateOf["gpu_reports"] | undefined {
  return attributesId === undefined ? undefined : { attributesId };
}

/** A GPU, and the first instant whose state has changed. */
interface ChangedFrom {
  readonly gpuKey: number;
  readonly fromMs: number;
}

/** Updates the states of one table, from the records.
 *  @returns the GPUs whose states changed */
async function changeTable<Table extends StateTable>(
  { executor, pairs, records }: Change,
  { table, isSame, stateOf }: StateKind<Table>,
): Promise<ChangedFrom[]> {
  const stored = Map.groupBy(await readStates(executor, table, spansOf(pairs)), ({ gpuKey }) => gpuKey);
  const changes = pairs.map(({ current: { gpuKey } }) => {
    const spans: readonly Span<StateOf[Table]>[] = stored.get(gpuKey) ?? [];
    const observations = (records.get(gpuKey) ?? []).flatMap((record) => {
      const state = stateOf(record);
      return state === undefined ? [] : [{ fromMs: record.timeMs, state, nextRecordMs: record.nextRecordMs }];
    });
    return { gpuKey, ...changeSpans(spans, observations, isSame) };
  });
  const written = changes.flatMap(({ gpuKey, written: spans }) => spans.map((span) => ({ gpuKey, ...span })));
  const removed = changes.flatMap(({ gpuKey, removed: spans }) => spans.map((fromMs) => ({ gpuKey, fromMs })));
  await removeStates(executor, table, removed);
  await writeStates(executor, table, written);
  return [...Map.groupBy([...written, ...removed], ({ gpuKey }) => gpuKey)].map(([gpuKey, ofGpu]) => ({
    gpuKey,
    fromMs: Math.min(...ofGpu.map(({ fromMs }) => fromMs)),
  }));
}

/** Updates the attributes of GPUs from their reports.
 *  @param changed the GPUs whose reports have changed
 *  @returns the GPUs whose newest attributes changed, with the new attributes */
async function changeAttributesFrom(
  executor: SqlExecutor,
  changed: readonly ChangedFrom[],
): Promise<{ readonly gpuKey: number; readonly state: Attributes }[]> {
  if (changed.length === 0) return [];
  const spans = {
    gpuKeys: changed.map(({ gpuKey }) => gpuKey),
    firstMs: changed.map(({ fromMs }) => fromMs),
    lastMs: changed.map(() => Infinity),
  };
  const reports = await readReports(executor, spans);
  const stored = Map.groupBy(await readStates(executor, "gpu_attributes", spans), ({ gpuKey }) => gpuKey);
  const changes = changed.map(({ gpuKey, fromMs }) => ({
    gpuKey,
    ...changeAttributes(stored.get(gpuKey) ?? [], reports.get(gpuKey) ?? [], fromMs),
  }));
  const removed = changes.flatMap(({ gpuKey, removed: instants }) => instants.map((fromMs) => ({ gpuKey, fromMs })));
  const written = changes.flatMap(({ gpuKey, written: added }) => added.map((span) => ({ gpuKey, ...span })));
  await removeStates(executor, "gpu_attributes", removed);
  await writeStates(executor, "gpu_attributes", written);
  return changes.flatMap(({ gpuKey, newest }) => (newest === undefined ? [] : [{ gpuKey, state: newest }]));
}

async function readReports(
  executor: SqlExecutor,
  spans: Parameters<typeof readStates>[2],
): Promise<Map<number, Span<Attributes>[]>> {
  const rows = await readStates(executor, "gpu_reports", spans);
  const ids = rows.map(({ gpuKey, state }) => ({ gpuKey, attributesId: state.attributesId }));
  const reported = await selectReported(executor, ids);
  const attributesOf = new Map(reported.map((row) => [`${row.gpuKey} ${row.attributesId}`, row.attributes]));
  const reports = rows.flatMap(({ gpuKey, fromMs, state }) => {
    const attributes = attributesOf.get(`${gpuKey} ${state.attributesId}`);
    return attributes === undefined ? [] : [{ gpuKey, fromMs, state: attributes }];
  });
  return Map.groupBy(reports, ({ gpuKey }) => gpuKey);
}

function spansOf(pairs: readonly Pair[]) {
  return {
    gpuKeys: pairs.map(({ current }) => current.gpuKey),
    firstMs: pairs.map(({ observed }) => observed.firstMs),
    lastMs: pairs.map(({ observed }) => observed.lastMs),
  };
}

function placesOf(pairs: readonly Pair[]) {
  const gpuKeys: number[] = [];
  const timesMs: number[] = [];
  const untilMs: number[] = [];
  for (const { observed, current } of pairs) {
    observed.timesMs.forEach((timeMs, index) => {
      gpuKeys.push(current.gpuKey);
      timesMs.push(timeMs);
      untilMs.push(observed.timesMs[index + 1] ?? Infinity);
    });
  }
  return { gpuKeys, timesMs, untilMs };
}

function isUnchanged({ firstMs, reports, occupants }: ObservedGpu, current: CurrentGpu): boolean {
  const { report, workloadFromMs = Infinity, isContested } = current;
  return (
    !isContested &&
    report !== undefined &&
    firstMs >= report.fromMs &&
    firstMs >= workloadFromMs &&
    occupants !== "several" &&
    isSameOccupants(occupants, current.occupants) &&
    reports.every((reported) => reported.attributesId(report) === report.attributesId)
  );
}
