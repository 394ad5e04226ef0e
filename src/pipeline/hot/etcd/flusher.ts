import type { IRequestOp, ITxnResponse } from "etcd3";
import { EtcdRefused, EtcdUnavailable, LeaseGone } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { get, prefixRange } from "../../../etcd/requests.ts";
import type { GpuUpdate } from "../newest-of-batch.ts";
import type { ExpiringKeys } from "./expiring-keys.ts";
import { type FlushMember, groupsOf } from "./flush-groups.ts";
import { FlushTransaction } from "./flush-transaction.ts";
import { dataEntry, readBoard, stateEntry } from "./hot-documents.ts";
import { HotKeys, hostOfSlot } from "./hot-keys.ts";
import { type GpuPlan, DocumentCache } from "./document-cache.ts";

/** The maximum number of attempts of a flush. Several processes may write the same documents at the same time, and in each
 *  attempt only one of them succeeds. */
const maxAttempts = 20;
/** The maximum number of concurrent transactions of one flush. etcd writes several transactions to disk together; it can
 *  handle 16 such transactions at a time, from all processes. */
const inFlightMax = 4;
/** The maximum number of keys or hosts that one transaction reads: the documents and recent data of 32 hosts are a few
 *  megabytes. */
const maxReads = 32;

type Response = ITxnResponse["responses"][number];

export interface FlusherOptions {
  /** The pipeline's topic. */
  readonly topic: string;
  readonly client: EtcdClient;
  readonly expiringKeys: ExpiringKeys;
  /** Called when a record is larger than `entryMaxBytes`. The record is then not written. */
  readonly onRefused: (reason: Error) => void;
}

/** The greatest size of a record: etcd refuses requests over 1.5 MiB, and a request contains more than a record. */
const entryMaxBytes = 1024 * 1024;

/** Writes updates of GPUs to etcd: in each transaction, the records of a host under one key, and the documents that changed. */
export class Flusher {
  private readonly keys: HotKeys;
  private cache: DocumentCache;
  /** The number of the history of etcd that the cache is about. */
  private cachedHistory = 0;

  constructor(private readonly options: FlusherOptions) {
    this.keys = new HotKeys(options.topic);
    this.cache = new DocumentCache(this.keys);
  }

  /** @param updates one for each GPU
   *  @returns the number of records that newer cached records supersede
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused; LeaseGone if the lease of the second try has ended, too */
  async flush(updates: readonly GpuUpdate[]): Promise<number> {
    const { history } = this.options.client;
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      this.cacheOnly(history.changes);
      const superseded = await this.flushCached(updates);
      // if etcd has lost documents that the cache has, the flush may have left out what it took for written
      if (history.changes === this.cachedHistory) return superseded;
    }
    throw new EtcdUnavailable("etcd keeps losing what it had");
  }

  /** Forgets what is about another history of etcd. */
  private cacheOnly(history: number): void {
    if (history === this.cachedHistory) return;
    this.cache = new DocumentCache(this.keys);
    this.cachedHistory = history;
  }

  private async flushCached(updates: readonly GpuUpdate[]): Promise<number> {
    let pending = updates.toSorted(newestFirst);
    const rereadUuids = new Set<string>();
    const superseded = new Set<string>();
    for (let attempt = 0; pending.length > 0; attempt += 1) {
      if (attempt === maxAttempts)
        throw new EtcdUnavailable("other processes keep changing the same documents of the hot tier");
      let plans = this.cache.plan(pending);
      const outdated = plans.filter(
        ({ mustReread, update: { record } }) => mustReread && !rereadUuids.has(record.uuid),
      );
      if (outdated.length > 0) {
        await this.reread(outdated);
        for (const { update } of outdated) rereadUuids.add(update.record.uuid);
        plans = this.cache.plan(pending);
      }
      for (const { writesRecord, update } of plans) if (!writesRecord) superseded.add(update.record.uuid);
      pending = (await this.write(plans)).toSorted(newestFirst);
      for (const { record } of pending) rereadUuids.delete(record.uuid);
    }
    await this.options.expiringKeys.trim();
    return superseded.size;
  }

  /** Reads the documents of these GPUs and of their hosts into the cache. A GPU has up to three hosts: the host in its plan,
   *  and the hosts of its slots in the cache and in etcd. */
  private async reread(plans: readonly GpuPlan[]): Promise<void> {
    const hosts = new Set(plans.map(({ host }) => host));
    for (const { update } of plans) {
      const slot = this.cache.cachedSlotOf(update.record.uuid);
      if (slot !== undefined) hosts.add(hostOfSlot(slot));
    }
    await this.rereadHosts([...hosts]);
    const uuids = plans.map(({ update }) => update.record.uuid);
    const boards = await this.readAll(uuids.map((uuid) => get(this.keys.board(uuid))));
    const otherHosts = new Set<string>();
    for (const { response_range } of boards) {
      const slot = response_range.kvs[0] === undefined ? undefined : readBoard(response_range.kvs[0].value);
      if (slot !== undefined && !hosts.has(hostOfSlot(slot))) otherHosts.add(hostOfSlot(slot));
    }
    await this.rereadHosts([...otherHosts]);
    uuids.forEach((uuid, index) => this.cache.cacheBoard(uuid, boards[index]?.response_range.kvs[0]));
  }

  private async rereadHosts(hosts: readonly string[]): Promise<void> {
    const responses = await this.readAll(hosts.map((host) => ({ request_range: prefixRange(`${host}/`) })));
    hosts.forEach((host, index) => this.cache.cacheHost(host, responses[index]?.response_range.kvs ?? []));
  }

  private async readAll(operations: readonly IRequestOp[]): Promise<Response[]> {
    const responses: Response[] = [];
    for (let from = 0; from < operations.length; from += maxReads) {
      const result = await this.options.client.txn({ success: operations.slice(from, from + maxReads) });
      responses.push(...result.responses);
    }
    return responses;
  }

  /** @returns the updates that must be planned again, because their documents in etcd have changed since they were cached */
  private async write(plans: readonly GpuPlan[]): Promise<GpuUpdate[]> {
    const members = plans
      .filter(({ writesRecord, writesState, write }) => writesRecord || writesState || write !== undefined)
      .map((plan) => ({ plan, host: plan.host, entry: this.entryOf(plan) }))
      .sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
    const groups = groupsOf(members);
    const conflicting: GpuUpdate[] = [];
    const work = async (): Promise<void> => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
        conflicting.push(...(await this.sendRenewingLease(group)));
      }
    };
    const results = await Promise.allSettled(Array.from({ length: inFlightMax }, work));
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return conflicting;
  }

  private entryOf({ writesRecord, writesState, isDisplaced, update, state }: GpuPlan): string | undefined {
    if (writesState) return stateEntry(state);
    if (!writesRecord) return undefined;
    const entry = dataEntry(update, state, isDisplaced);
    const bytes = Buffer.byteLength(entry);
    if (bytes <= entryMaxBytes) return entry;
    const about = `the newest record of GPU ${update.record.uuid} has ${bytes} bytes`;
    this.options.onRefused(
      new EtcdRefused(`${about}, but the hot tier accepts at most ${entryMaxBytes}; the store has it`),
    );
    return undefined;
  }

  private async sendRenewingLease(group: readonly FlushMember[]): Promise<GpuUpdate[]> {
    try {
      return await this.send(group);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.options.expiringKeys.dropLease();
      return this.send(group);
    }
  }

  private async send(group: readonly FlushMember[]): Promise<GpuUpdate[]> {
    const { client, expiringKeys } = this.options;
    const { keys, cache } = this;
    const transaction = new FlushTransaction({ keys, cache, expiringKeys, leaseId: await expiringKeys.leaseId() });
    for (const [host, members] of Map.groupBy(group, (member) => member.host)) transaction.addHost(host, members);
    return transaction.send(client);
  }
}

/** Orders updates by instant, the newest first, and those of one instant by UUID, the greatest first. */
function newestFirst(a: GpuUpdate, b: GpuUpdate): number {
  return b.record.timeMs - a.record.timeMs || (a.record.uuid < b.record.uuid ? 1 : -1);
}
