import type { ICompare, IKeyValue, IRequestOp } from "etcd3";
import { isUnchangedSince, put, remove } from "../../../etcd/requests.ts";
import { compareVersions } from "../contested-version.ts";
import type { GpuState, NewestRecord } from "../hot-tier.ts";
import { hasValues } from "../merge-records.ts";
import { mergeStates, sameGpu } from "../merge-state.ts";
import type { GpuUpdate } from "../newest-of-batch.ts";
import { boardDocument, type DataRecord, gpuDocument, readBoard, readData, readGpu } from "./hot-documents.ts";
import { type HotKeys, hostOfKey, hostOfSlot, kindOfKey } from "./hot-keys.ts";

/** A cached GPU, with its state as of the newest record written or read. */
interface CachedGpu {
  readonly state: GpuState;
  /** True if `asOfMs` is the instant of a record that says nothing about the attributes. */
  readonly isInferred: boolean;
  /** The slot whose document names this GPU; undefined if no document does. */
  readonly slot: string | undefined;
  /** The instant of the newest known record with values; undefined if none is known. The state may follow from a newer record
   *  without values. */
  readonly valuesAtMs: number | undefined;
}

interface CachedSlot {
  readonly uuid: string;
  readonly revision: string;
  /** What the document says; undefined if it is not readable. */
  readonly written: GpuState | undefined;
}

/** The changes that a flush makes for a GPU. */
export interface GpuPlan {
  readonly update: GpuUpdate;
  /** The cached state, merged with the update. */
  readonly state: GpuState;
  readonly host: string;
  readonly slot: string;
  /** Undefined if the documents do not change. */
  readonly write: SlotWrite | undefined;
  /** True if the record is written to the host's data. False if a newer record with values is known, or the record's host is not
   *  the one that counts at its instant (see merge-state.ts), or a later version of a contested GPU is known. */
  readonly writesRecord: boolean;
  /** True if the state is written to the host's data without the record: the update changes it, and no document has it. */
  readonly writesState: boolean;
  /** True if the GPU does not get the slot in this flush; its attributes are then written with its record. */
  readonly isDisplaced: boolean;
  /** True if the GPU's documents must be read before this plan is carried out, unless the flush has read them already. */
  readonly mustReread: boolean;
}

/** A change of documents; etcd carries it out only if the documents have not changed since they were cached. */
interface SlotWrite {
  readonly compare: readonly ICompare[];
  readonly success: readonly IRequestOp[];
  /** The slots whose documents this write puts or deletes; no other write of the same transaction may change them. */
  readonly slots: readonly string[];
}

/** The revision of a key that does not exist, in comparisons. */
const absent = "0";

/** A collector's copy of the documents in etcd: with the copy, a flush writes only changed documents, and needs no watch. Every
 *  SlotWrite compares the cached revisions with etcd's; if they differ, the flush reads the documents and plans again. */
export class DocumentCache {
  private readonly gpus = new Map<string, CachedGpu>();
  /** The revision of each board's key, whose value names the board's slot. */
  private readonly boards = new Map<string, string>();
  /** By the host's key, then by the slot's key. */
  private readonly slots = new Map<string, Map<string, CachedSlot>>();
  readonly hosts = new Set<string>();
  readonly clusters = new Set<string>();

  constructor(private readonly keys: HotKeys) {}

  /** @param updates newest first: of several boards in one slot, only the first can get the slot */
  plan(updates: readonly GpuUpdate[]): GpuPlan[] {
    const taken = new Set<string>();
    return updates.map((update) => this.planOne(update, taken));
  }

  private planOne(update: GpuUpdate, taken: Set<string>): GpuPlan {
    const { uuid } = update.record;
    const cached = this.gpus.get(uuid);
    const state = mergeStates(cached?.state, update.state, cached?.isInferred ? "incoming" : "greatest");
    const slot = this.keys.slot(state.gpu);
    const isInSlot = cached?.slot === slot;
    const isDisplaced = taken.has(slot) || (!isInSlot && this.isHeldByNewer(slot, uuid, state.asOfMs));
    taken.add(slot);
    // compared with the document: a record that was written although its document had changed leads to the cached state, too
    const written = isInSlot ? this.slotOf(slot)?.written : undefined;
    const isSame =
      isInSlot &&
      written !== undefined &&
      sameGpu(written.gpu, state.gpu) &&
      written.firstSeenAtMs === state.firstSeenAtMs &&
      compareVersions(written, state) === 0 &&
      keepsInstants(cached.state, state, update.record.timeMs);
    const write = isDisplaced || isSame ? undefined : this.writeOf(uuid, state, slot);
    const writesNewest = cached === undefined || writesRecord(update, { cached, merged: state });
    return {
      update,
      state,
      slot,
      host: hostOfSlot(slot),
      write,
      isDisplaced,
      writesRecord: writesNewest,
      writesState: isDisplaced && !writesNewest && state !== cached.state,
      mustReread: cached === undefined || write !== undefined,
    };
  }

  /** True if another board is in the slot with a state later than `asOfMs`, or of the same instant and with the greater
   *  UUID. */
  private isHeldByNewer(slot: string, uuid: string, asOfMs: number): boolean {
    const holder = this.slotOf(slot)?.uuid;
    if (holder === undefined || holder === uuid) return false;
    const heldAsOfMs = this.gpus.get(holder)?.state.asOfMs ?? -Infinity;
    return heldAsOfMs === asOfMs ? holder > uuid : heldAsOfMs > asOfMs;
  }

  private writeOf(uuid: string, state: GpuState, slot: string): SlotWrite {
    const cached = this.gpus.get(uuid);
    const isSlotUnchanged = isUnchangedSince(slot, this.slotOf(slot)?.revision ?? absent);
    const putSlot = put(slot, gpuDocument(state));
    if (cached?.slot === slot) return { compare: [isSlotUnchanged], success: [putSlot], slots: [slot] };
    const board = this.keys.board(uuid);
    const isBoardUnchanged = isUnchangedSince(board, this.boards.get(uuid) ?? absent);
    const compare = [isBoardUnchanged, isSlotUnchanged];
    const success = [putSlot, put(board, boardDocument(slot, state))];
    const previousSlot = cached?.slot;
    if (previousSlot === undefined) return { compare, success, slots: [slot] };
    const isPreviousUnchanged = isUnchangedSince(previousSlot, this.slotOf(previousSlot)?.revision ?? absent);
    return {
      compare: [...compare, isPreviousUnchanged],
      success: [...success, remove(previousSlot)],
      slots: [slot, previousSlot],
    };
  }

  /** Updates the cache after etcd has carried out a plan.
   *  @param revision of the transaction */
  recordWrite({ update, state, slot, write, writesRecord }: GpuPlan, revision: string): void {
    const { uuid } = update.record;
    const cached = this.gpus.get(uuid);
    const isInferred = staysInferred(cached, update.state);
    const valuesAtMs = writesRecord ? latestValues(cached, update.record) : cached?.valuesAtMs;
    if (write === undefined) {
      this.gpus.set(uuid, { state, slot: cached?.slot, isInferred, valuesAtMs });
      return;
    }
    const previous = this.slotOf(slot);
    if (previous !== undefined && previous.uuid !== uuid) this.releaseSlot(previous.uuid, slot);
    if (cached?.slot !== undefined && cached.slot !== slot) this.slotsOf(hostOfSlot(cached.slot)).delete(cached.slot);
    this.slotsOf(hostOfSlot(slot)).set(slot, { uuid, revision, written: state });
    if (cached?.slot !== slot) this.boards.set(uuid, revision);
    this.gpus.set(uuid, { state, slot, isInferred, valuesAtMs });
  }

  /** The slot that a board is in; undefined if none is cached. */
  cachedSlotOf(uuid: string): string | undefined {
    return this.gpus.get(uuid)?.slot;
  }

  /** Replaces a host's cached slots with those in etcd, and caches the states of its GPUs.
   *  @param kvs all keys below the host: its slots and its recent data */
  cacheHost(host: string, kvs: readonly IKeyValue[]): void {
    for (const [slot, { uuid }] of this.slotsOf(host)) this.releaseSlot(uuid, slot);
    const slots = new Map<string, CachedSlot>();
    this.slots.set(host, slots);
    const records: DataRecord[] = [];
    for (const { key, value, mod_revision: revision } of kvs) {
      const name = key.toString();
      const kind = kindOfKey(name);
      const state = kind === "gpus" ? readGpu(value) : undefined;
      if (kind === "data") {
        const data = readData(value, hostOfKey(name));
        records.push(...data.records);
        for (const gpu of data.gpus) this.cacheState(gpu);
      }
      if (kind === "gpus") slots.set(name, { uuid: state?.gpu.uuid ?? "", revision, written: state });
      if (state !== undefined) this.cacheState(state, name);
    }
    records.sort((a, b) => a.record.timeMs - b.record.timeMs);
    for (const record of records) this.cacheRecord(record);
  }

  /** Advances a state to the instant of a newer record, if a version wrote the record that did not write what it says about the GPU.
   *  The attributes stay, because such a record changes a document if it changes attributes. The fields that the record leaves open
   *  get an instant of their own. */
  private cacheRecord({ record, openSinceMs }: DataRecord): void {
    const { uuid, timeMs } = record;
    const known = this.gpus.get(uuid);
    if (known === undefined) return;
    const cached = { ...known, valuesAtMs: latestValues(known, record) };
    this.gpus.set(uuid, cached);
    if (timeMs <= cached.state.asOfMs || compareVersions(record, cached.state) !== 0) return;
    const open = Array.from(openSinceMs, ([name, ms]) => [name, Math.max(ms, openSince(cached.state, name))] as const);
    const state = { ...cached.state, asOfMs: timeMs, openSinceMs: new Map(open) };
    this.gpus.set(uuid, { ...cached, state, isInferred: true });
  }

  /** Caches which slot a board is in; the slot's host must have been cached before.
   *  @param kv undefined if etcd has no document of the board */
  cacheBoard(uuid: string, kv: IKeyValue | undefined): void {
    if (kv === undefined) this.boards.delete(uuid);
    else this.boards.set(uuid, kv.mod_revision);
    const cached = this.gpus.get(uuid);
    if (cached === undefined) return;
    const slot = kv === undefined ? undefined : readBoard(kv.value);
    const isInSlot = slot !== undefined && this.slotOf(slot)?.uuid === uuid;
    this.gpus.set(uuid, { ...cached, slot: isInSlot ? slot : undefined });
  }

  /** Forgets a host whose documents were deleted from etcd, and its cluster, so that both are written again. */
  forgetHost(host: string, cluster: string): void {
    for (const { uuid } of this.slotsOf(host).values()) this.gpus.delete(uuid);
    this.slots.delete(host);
    this.hosts.delete(host);
    this.clusters.delete(cluster);
  }

  private cacheState(state: GpuState, slot?: string): void {
    const cached = this.gpus.get(state.gpu.uuid);
    this.gpus.set(state.gpu.uuid, {
      valuesAtMs: cached?.valuesAtMs,
      slot: slot ?? cached?.slot,
      state: mergeStates(cached?.state, state, cached?.isInferred ? "incoming" : "greatest"),
      isInferred: staysInferred(cached, state),
    });
  }

  private releaseSlot(uuid: string, slot: string): void {
    const cached = this.gpus.get(uuid);
    if (cached?.slot === slot) this.gpus.set(uuid, { ...cached, slot: undefined });
  }

  private slotOf(slot: string): CachedSlot | undefined {
    return this.slots.get(hostOfSlot(slot))?.get(slot);
  }

  private slotsOf(host: string): Map<string, CachedSlot> {
    const slots = this.slots.get(host) ?? new Map<string, CachedSlot>();
    this.slots.set(host, slots);
    return slots;
  }
}

/** The instant of the newest record with values, if `record` is one more known record. */
function latestValues(cached: CachedGpu | undefined, record: NewestRecord): number | undefined {
  const known = cached?.valuesAtMs;
  return hasValues(record) ? Math.max(known ?? -Infinity, record.timeMs) : known;
}

function openSince({ openSinceMs, asOfMs }: GpuState, name: string): number {
  return openSinceMs.get(name) ?? asOfMs;
}

function staysInferred(cached: CachedGpu | undefined, state: GpuState): boolean {
  if (cached === undefined || !cached.isInferred || compareVersions(state, cached.state) > 0) return false;
  return state.asOfMs < cached.state.asOfMs;
}

function writesRecord(
  { record, state }: GpuUpdate,
  { cached, merged }: { readonly cached: CachedGpu; readonly merged: GpuState },
): boolean {
  const later = compareVersions(state, cached.state);
  if (later !== 0) return later > 0;
  // a record with values counts even if a later one has none; readers keep the newest one, whatever order they arrive in
  const newestMs = cached.valuesAtMs ?? (hasValues(record) ? -Infinity : cached.state.asOfMs);
  if (record.timeMs < newestMs) return false;
  // of two hosts that report one uuid at the same instant, only the record of one is written; a later record without values may
  // have moved the GPU to another host
  return record.timeMs < merged.asOfMs || record.reported.hostname === merged.gpu.hostname;
}

/** True if the documents and the record tell other processes all instants of the state. A record tells its own instant, and those
 *  of the fields that it leaves open. It does not tell the instant of a newer record of its batch, which has no values and is not
 *  written.
 *  @param recordMs the instant of the record that is written */
function keepsInstants(written: GpuState, state: GpuState, recordMs: number): boolean {
  if (state.asOfMs !== written.asOfMs && state.asOfMs !== recordMs) return false;
  return [...written.openSinceMs].every(([name, ms]) => state.openSinceMs.get(name) === ms);
}
