import type { ICompare, IKeyValue, IRequestOp } from "etcd3";
import { isUnchangedSince, put, remove } from "../../../etcd/requests.ts";
import type { GpuState, NewestRecord } from "../hot-tier.ts";
import { mergeStates, sameGpu } from "../merge-state.ts";
import type { GpuNews } from "../newest-of-batch.ts";
import { boardDocument, gpuDocument, readBoard, readData, readGpu } from "./hot-documents.ts";
import { hotKeys, kindOfKey } from "./hot-keys.ts";

/** What a collector knows of a GPU: its state as of the newest record that it has heard of. */
interface KnownGpu {
  readonly state: GpuState;
  /** The slot whose document names the board; undefined where none does. */
  readonly slot: string | undefined;
}

interface KnownSlot {
  readonly uuid: string;
  readonly revision: string;
}

/** What a flush does about a GPU. */
export interface GpuPlan {
  readonly news: GpuNews;
  /** What is known of the GPU with the news. */
  readonly state: GpuState;
  readonly host: string;
  readonly slot: string;
  /** The documents' change, where there is one. */
  readonly write: SlotWrite | undefined;
  /** The record goes into the host's data: no newer one is known. */
  readonly hasData: boolean;
  /** Another board has the slot: the record brings the GPU's attributes along. */
  readonly isHomeless: boolean;
  /** Rests on what etcd may know better. */
  readonly isUnsure: boolean;
}

/** Written only while the documents are those that the plan was made from. */
interface SlotWrite {
  readonly compare: readonly ICompare[];
  readonly success: readonly IRequestOp[];
  /** Slots that it writes or removes: no other write of the same transaction may. */
  readonly slots: readonly string[];
}

/** etcd compares the revision of a key that is not there as this. */
const absent = "0";

/** What a collector remembers of the documents in etcd, so that it writes only what is new and needs no watch: whatever
 *  it writes is compared with what it remembers, and where that is no longer so it looks and plans again. */
export class DocumentCache {
  private readonly gpus = new Map<string, KnownGpu>();
  /** The revision of each board's key, which says where the board is. */
  private readonly boards = new Map<string, string>();
  /** By host. */
  private readonly slots = new Map<string, Map<string, KnownSlot>>();
  readonly hosts = new Set<string>();
  readonly clusters = new Set<string>();

  /** @param all newest first, so that of two boards that claim a slot the later one has it */
  plan(all: readonly GpuNews[]): GpuPlan[] {
    const taken = new Set<string>();
    return all.map((news) => this.planOne(news, taken));
  }

  private planOne(news: GpuNews, taken: Set<string>): GpuPlan {
    const { uuid, timeMs } = news.record;
    const known = this.gpus.get(uuid);
    const state = mergeStates(known?.state, news.state);
    const slot = hotKeys.slot(state.gpu);
    const isHome = known?.slot === slot;
    const isHomeless = taken.has(slot) || (!isHome && this.isHeldByBetter(slot, uuid, state.asOfMs));
    taken.add(slot);
    const isSame = isHome && sameGpu(known.state.gpu, state.gpu) && known.state.firstSeenAtMs === state.firstSeenAtMs;
    const write = isHomeless || isSame ? undefined : this.writeOf(uuid, state, slot);
    return {
      news,
      state,
      slot,
      host: hotKeys.hostOfSlot(slot),
      write,
      isHomeless,
      hasData: known === undefined || timeMs >= known.state.asOfMs,
      isUnsure: known === undefined || write !== undefined,
    };
  }

  /** Whether the slot's board was seen later than that, or at the same instant and has the greater uuid. */
  private isHeldByBetter(slot: string, uuid: string, asOfMs: number): boolean {
    const holder = this.slotOf(slot)?.uuid;
    if (holder === undefined || holder === uuid) return false;
    const heldAsOfMs = this.gpus.get(holder)?.state.asOfMs ?? -Infinity;
    return heldAsOfMs === asOfMs ? holder > uuid : heldAsOfMs > asOfMs;
  }

  private writeOf(uuid: string, state: GpuState, slot: string): SlotWrite {
    const known = this.gpus.get(uuid);
    const isSlotUnchanged = isUnchangedSince(slot, this.slotOf(slot)?.revision ?? absent);
    const putSlot = put(slot, gpuDocument(state));
    if (known?.slot === slot) return { compare: [isSlotUnchanged], success: [putSlot], slots: [slot] };
    const board = hotKeys.board(uuid);
    const isBoardUnchanged = isUnchangedSince(board, this.boards.get(uuid) ?? absent);
    const compare = [isBoardUnchanged, isSlotUnchanged];
    const success = [putSlot, put(board, boardDocument(slot, state))];
    const left = known?.slot;
    if (left === undefined) return { compare, success, slots: [slot] };
    const isLeftUnchanged = isUnchangedSince(left, this.slotOf(left)?.revision ?? absent);
    return { compare: [...compare, isLeftUnchanged], success: [...success, remove(left)], slots: [slot, left] };
  }

  /** Notes that a plan was carried out.
   *  @param revision of the transaction */
  note({ news, state, slot, write }: GpuPlan, revision: string): void {
    const { uuid } = news.record;
    const known = this.gpus.get(uuid);
    if (write === undefined) {
      this.gpus.set(uuid, { state, slot: known?.slot });
      return;
    }
    const before = this.slotOf(slot);
    if (before !== undefined && before.uuid !== uuid) this.leaveSlot(before.uuid, slot);
    if (known?.slot !== undefined && known.slot !== slot)
      this.slotsOf(hotKeys.hostOfSlot(known.slot)).delete(known.slot);
    this.slotsOf(hotKeys.hostOfSlot(slot)).set(slot, { uuid, revision });
    if (known?.slot !== slot) this.boards.set(uuid, revision);
    this.gpus.set(uuid, { state, slot });
  }

  /** The slot of a board that this knows of; where it is to be looked for. */
  knownSlotOf(uuid: string): string | undefined {
    return this.gpus.get(uuid)?.slot;
  }

  /** Learns what etcd has below a host's key: its slots, and its data of late. */
  learnHost(host: string, kvs: readonly IKeyValue[]): void {
    for (const [slot, { uuid }] of this.slotsOf(host)) this.leaveSlot(uuid, slot);
    const slots = new Map<string, KnownSlot>();
    this.slots.set(host, slots);
    const records: NewestRecord[] = [];
    for (const { key, value, mod_revision: revision } of kvs) {
      const name = key.toString();
      const kind = kindOfKey(name);
      const state = kind === "gpus" ? readGpu(value) : undefined;
      if (kind === "data") {
        const data = readData(value);
        records.push(...data.records);
        for (const gpu of data.gpus) this.learnState(gpu);
      }
      if (kind === "gpus") slots.set(name, { uuid: state?.gpu.uuid ?? "", revision });
      if (state !== undefined) this.learnState(state, name);
    }
    for (const { uuid, timeMs } of records) {
      const known = this.gpus.get(uuid);
      if (known === undefined || timeMs <= known.state.asOfMs) continue;
      this.gpus.set(uuid, { ...known, state: { ...known.state, asOfMs: timeMs } });
    }
  }

  /** Learns which slot etcd says a board is in; after the slot's host was learned.
   *  @param kv undefined where etcd says nothing */
  learnBoard(uuid: string, kv: IKeyValue | undefined): void {
    if (kv === undefined) this.boards.delete(uuid);
    else this.boards.set(uuid, kv.mod_revision);
    const known = this.gpus.get(uuid);
    if (known === undefined) return;
    const slot = kv === undefined ? undefined : readBoard(kv.value);
    const isThere = slot !== undefined && this.slotOf(slot)?.uuid === uuid;
    this.gpus.set(uuid, { state: known.state, slot: isThere ? slot : undefined });
  }

  /** Forgets a host whose documents are gone from etcd. */
  forgetHost(host: string, cluster: string): void {
    for (const { uuid } of this.slotsOf(host).values()) this.gpus.delete(uuid);
    this.slots.delete(host);
    this.hosts.delete(host);
    this.clusters.delete(cluster);
  }

  private learnState(state: GpuState, slot?: string): void {
    const known = this.gpus.get(state.gpu.uuid);
    this.gpus.set(state.gpu.uuid, {
      slot: slot ?? known?.slot,
      state: mergeStates(known?.state, state),
    });
  }

  private leaveSlot(uuid: string, slot: string): void {
    const known = this.gpus.get(uuid);
    if (known?.slot === slot) this.gpus.set(uuid, { ...known, slot: undefined });
  }

  private slotOf(slot: string): KnownSlot | undefined {
    return this.slots.get(hotKeys.hostOfSlot(slot))?.get(slot);
  }

  private slotsOf(host: string): Map<string, KnownSlot> {
    const slots = this.slots.get(host) ?? new Map<string, KnownSlot>();
    this.slots.set(host, slots);
    return slots;
  }
}
