import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import {
  beginChange,
  lockGpus,
  recordSeen,
  readStates,
  removeStates,
  setNewestAttributes,
  type StateOf,
  type StateRow,
  type StateTable,
  updateLastSeen,
  writeStates,
} from "../../../db/sql/gpu-states.ts";
import type { ObservedRecord } from "../../../db/sql/observations.ts";
import { selectNewestStored, type StoredTimes } from "../../../db/sql/newest-stored.ts";
import { insertReported, selectReported } from "../../../db/sql/reported-attributes.ts";
import { type Attributes, isSameOccupants } from "../../../domain/gpu.ts";
import type { ContestedGpu } from "../../../domain/query.ts";
import { changeAttributes } from "./completed-attributes.ts";
import { readContested } from "./contested-gpus.ts";
import { type GpuDirectory, GpuLookup } from "./gpu-directory.ts";
import { isUnchanged, type Pair, pairsOf, placesOf, partsOf, reportsOf, spansOf, storedPairs } from "./gpu-pairs.ts";
import type { ObservedGpu } from "./observed-gpus.ts";
import { readObservations } from "./history/observed-records.ts";
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
 *  and this step, the message is not acknowledged, and its next delivery repeats the step; without a queue that outlives the process,
 *  `complete` does. */
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

  /** Applies the newest stored messages once more, a part at a time: the process that stored them may have died before it did. */
  async complete(messages: number): Promise<void> {
    for (const part of partsOf(await selectNewestStored(this.client, messages))) await this.completePart(part);
  }

  private async completePart(stored: readonly StoredTimes[]): Promise<void> {
    const lookup = new GpuLookup(
      this.directory,
      stored.map(({ uuid }) => uuid),
    );
    await this.directory.refresh(lookup);
    await this.change(storedPairs(stored, lookup.gpus()));
  }

  /** Only GPUs whose states really change are locked, and only for one answer of the database: other processes may wait for
   *  them. The states are compared without a lock first. That suffices to find that nothing changes, because every change that is
   *  not awaited by the directory takes the batch's records into account.
   *  @returns the contested GPUs among the given ones */
  private async change(pairs: readonly Pair[]): Promise<readonly ContestedGpu[]> {
    const sorted = [...pairs].sort((a, b) => a.current.gpuKey - b.current.gpuKey);
    const contested = sorted.flatMap(({ current }) => (current.isContested ? [current] : []));
    const changed = changedKeys(await this.client.inOrder((executor) => readChanges(executor, sorted)));
    const locked = sorted.filter(({ current }) => current.isContested || changed.has(current.gpuKey));
    if (locked.length === 0) return [];
    return this.client.transaction(async (transaction) => {
      const [revision, changes] = await Promise.all([beginChange(transaction), readLockedChanges(transaction, locked)]);
      await writeChanges(transaction, changes, { revision, pairs: locked });
      return readContested(transaction, contested);
    });
  }

  private async updateLastSeen(pairs: readonly Pair<ObservedGpu>[]): Promise<void> {
    await updateLastSeen(this.client, spansOf(pairs));
    for (const { observed } of pairs) this.directory.setLastSeen(observed.gpu.uuid, observed.lastMs);
  }
}

interface StateKind<Table extends StateTable> {
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

/** How the states of one table change. */
interface TableChanges<Table extends StateTable> {
  readonly written: readonly StateRow<Table>[];
  readonly removed: readonly { readonly gpuKey: number; readonly fromMs: number }[];
}

/** How the states of GPUs change by their records. */
interface StateChanges {
  readonly workloads: TableChanges<"gpu_workloads">;
  readonly reports: TableChanges<"gpu_reports">;
}

function readLockedChanges(transaction: SqlTransaction, pairs: readonly Pair[]): Promise<StateChanges> {
  lockGpus(
    transaction,
    pairs.map(({ current }) => current.gpuKey),
  );
  return readChanges(transaction, pairs);
}

/** Reads the records, then the states, and compares them. */
async function readChanges(executor: SqlExecutor, pairs: readonly Pair[]): Promise<StateChanges> {
  const [observed, workloads, reports] = await Promise.all([
    readObservations(executor, placesOf(pairs)),
    readStates(executor, "gpu_workloads", spansOf(pairs)),
    readStates(executor, "gpu_reports", spansOf(pairs)),
  ]);
  const records = Map.groupBy(observed, ({ gpuKey }) => gpuKey);
  return {
    workloads: changesOf(records, workloads, { isSame: isSameState, stateOf: (record) => record }),
    reports: changesOf(records, reports, { isSame: isSameReport, stateOf: reportOf }),
  };
}

function changesOf<Table extends StateTable>(
  records: ReadonlyMap<number, readonly ObservedRecord[]>,
  states: readonly StateRow<Table>[],
  { isSame, stateOf }: StateKind<Table>,
): TableChanges<Table> {
  const stored = Map.groupBy(states, ({ gpuKey }) => gpuKey);
  const changes = Array.from(records, ([gpuKey, ofGpu]) => {
    const observations = ofGpu.flatMap((record) => {
      const state = stateOf(record);
      return state === undefined ? [] : [{ fromMs: record.timeMs, state, nextRecordMs: record.nextRecordMs }];
    });
    return { gpuKey, ...changeSpans<StateOf[Table]>(stored.get(gpuKey) ?? [], observations, isSame) };
  });
  return {
    written: changes.flatMap(({ gpuKey, written }) => written.map((span) => ({ gpuKey, ...span }))),
    removed: changes.flatMap(({ gpuKey, removed }) => removed.map((fromMs) => ({ gpuKey, fromMs }))),
  };
}

function changedKeys({ workloads, reports }: StateChanges): ReadonlySet<number> {
  const rows = [...workloads.written, ...workloads.removed, ...reports.written, ...reports.removed];
  return new Set(rows.map(({ gpuKey }) => gpuKey));
}

async function writeChanges(
  transaction: SqlTransaction,
  changes: StateChanges,
  { revision, pairs }: { readonly revision: number; readonly pairs: readonly Pair[] },
): Promise<void> {
  writeTable(transaction, "gpu_workloads", changes.workloads);
  writeTable(transaction, "gpu_reports", changes.reports);
  const changed = changedKeys(changes);
  // retention may have deleted an old report that comes again, because nothing referred to it
  insertReported(
    transaction,
    pairs.flatMap((pair) => (changed.has(pair.current.gpuKey) ? reportsOf(pair) : [])),
  );
  const newest = await changeAttributesFrom(transaction, changedFrom(changes.reports));
  recordSeen(transaction, revision, spansOf(pairs.filter(({ current }) => changed.has(current.gpuKey))));
  setNewestAttributes(transaction, newest);
}

function writeTable<Table extends StateTable>(
  transaction: SqlTransaction,
  table: Table,
  { written, removed }: TableChanges<Table>,
): void {
  removeStates(transaction, table, removed);
  writeStates(transaction, table, written);
}

/** The GPUs whose states change, each with the first instant at which they do. */
function changedFrom<Table extends StateTable>({ written, removed }: TableChanges<Table>): ChangedFrom[] {
  return [...Map.groupBy([...written, ...removed], ({ gpuKey }) => gpuKey)].map(([gpuKey, ofGpu]) => ({
    gpuKey,
    fromMs: Math.min(...ofGpu.map(({ fromMs }) => fromMs)),
  }));
}

/** Updates the attributes of GPUs from their reports.
 *  @param changed the GPUs whose reports have changed
 *  @returns the GPUs whose newest attributes changed, with the new attributes */
async function changeAttributesFrom(
  transaction: SqlTransaction,
  changed: readonly ChangedFrom[],
): Promise<{ readonly gpuKey: number; readonly state: Attributes }[]> {
  if (changed.length === 0) return [];
  const spans = {
    gpuKeys: changed.map(({ gpuKey }) => gpuKey),
    firstMs: changed.map(({ fromMs }) => fromMs),
    lastMs: changed.map(() => Infinity),
  };
  const [reports, attributes] = await Promise.all([
    readReports(transaction, spans),
    readStates(transaction, "gpu_attributes", spans),
  ]);
  const stored = Map.groupBy(attributes, ({ gpuKey }) => gpuKey);
  const changes = changed.map(({ gpuKey, fromMs }) => ({
    gpuKey,
    ...changeAttributes(stored.get(gpuKey) ?? [], reports.get(gpuKey) ?? [], fromMs),
  }));
  writeTable(transaction, "gpu_attributes", {
    removed: changes.flatMap(({ gpuKey, removed }) => removed.map((fromMs) => ({ gpuKey, fromMs }))),
    written: changes.flatMap(({ gpuKey, written }) => written.map((span) => ({ gpuKey, ...span }))),
  });
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
