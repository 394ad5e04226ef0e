import type { IRequestOp, ITxnResponse } from "etcd3";
import { EtcdRefused, EtcdUnavailable, LeaseGone } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { get, prefixRange } from "../../../etcd/requests.ts";
import type { GpuNews } from "../newest-of-batch.ts";
import type { ExpiringKeys } from "./expiring-keys.ts";
import { type FlushMember, groupsOf } from "./flush-groups.ts";
import { FlushTransaction } from "./flush-transaction.ts";
import { dataEntry, readBoard } from "./hot-documents.ts";
import { hotKeys } from "./hot-keys.ts";
import { type GpuPlan, DocumentCache } from "./document-cache.ts";

/** Others write the same documents at the same time; each time one of them gets on. */
const roundsMax = 20;
/** Transactions under way at a time: etcd writes several to disk at once, and 16 of this size are what it takes. */
const inFlightMax = 4;
/** A host's documents and its data of the window lie in an answer: a few of them make one of some megabytes. */
const looksMax = 32;

type Response = ITxnResponse["responses"][number];

export interface FlusherOptions {
  readonly client: EtcdClient;
  readonly window: ExpiringKeys;
  /** Told of a record that etcd would not take. */
  readonly onRefused: (reason: Error) => void;
}

/** The largest record: etcd refuses requests over 1.5 MiB. */
const entryMaxLength = 1024 * 1024;

/** Brings news of GPUs into etcd: of each host its records under one key, and the documents that are new or changed. */
export class Flusher {
  private readonly known = new DocumentCache();

  constructor(private readonly options: FlusherOptions) {}

  /** @param news of each GPU once
   *  @returns how many of the records are no news: newer ones are known
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  async flush(news: readonly GpuNews[]): Promise<number> {
    let open = news.toSorted(byNewest);
    const looked = new Set<string>();
    const late = new Set<string>();
    for (let round = 0; open.length > 0; round += 1) {
      if (round === roundsMax) throw new EtcdUnavailable("others keep changing the same documents of the hot tier");
      let plans = this.known.plan(open);
      const unsure = plans.filter(({ isUnsure, news: { record } }) => isUnsure && !looked.has(record.uuid));
      if (unsure.length > 0) {
        await this.look(unsure);
        for (const { news: about } of unsure) looked.add(about.record.uuid);
        plans = this.known.plan(open);
      }
      for (const { hasData, news: about } of plans) if (!hasData) late.add(about.record.uuid);
      open = (await this.carryOut(plans)).toSorted(byNewest);
      for (const { record } of open) looked.delete(record.uuid);
    }
    await this.options.window.trim();
    return late.size;
  }

  /** Reads what etcd has about these GPUs and their hosts. */
  private async look(plans: readonly GpuPlan[]): Promise<void> {
    const hosts = new Set(plans.map(({ host }) => host));
    for (const { news } of plans) {
      const slot = this.known.knownSlotOf(news.record.uuid);
      if (slot !== undefined) hosts.add(hotKeys.hostOfSlot(slot));
    }
    await this.lookAtHosts([...hosts]);
    const uuids = plans.map(({ news }) => news.record.uuid);
    const boards = await this.readAll(uuids.map((uuid) => get(hotKeys.board(uuid))));
    const elsewhere = new Set<string>();
    for (const { response_range } of boards) {
      const slot = response_range.kvs[0] === undefined ? undefined : readBoard(response_range.kvs[0].value);
      if (slot !== undefined && !hosts.has(hotKeys.hostOfSlot(slot))) elsewhere.add(hotKeys.hostOfSlot(slot));
    }
    await this.lookAtHosts([...elsewhere]);
    uuids.forEach((uuid, index) => this.known.learnBoard(uuid, boards[index]?.response_range.kvs[0]));
  }

  private async lookAtHosts(hosts: readonly string[]): Promise<void> {
    const answers = await this.readAll(hosts.map((host) => ({ request_range: prefixRange(`${host}/`) })));
    hosts.forEach((host, index) => this.known.learnHost(host, answers[index]?.response_range.kvs ?? []));
  }

  private async readAll(operations: readonly IRequestOp[]): Promise<Response[]> {
    const responses: Response[] = [];
    for (let from = 0; from < operations.length; from += looksMax) {
      const answer = await this.options.client.txn({ success: operations.slice(from, from + looksMax) });
      responses.push(...answer.responses);
    }
    return responses;
  }

  /** @returns what could not be done as planned, since etcd has other documents by now */
  private async carryOut(plans: readonly GpuPlan[]): Promise<GpuNews[]> {
    const members = plans
      .filter(({ hasData, write }) => hasData || write !== undefined)
      .map((plan) => ({ plan, host: plan.host, entry: this.entryOf(plan) }))
      .sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
    const groups = groupsOf(members);
    const refused: GpuNews[] = [];
    const work = async (): Promise<void> => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
        refused.push(...(await this.sendAgainWithoutLease(group)));
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: inFlightMax }, work));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return refused;
  }

  private entryOf({ hasData, isHomeless, news, state }: GpuPlan): string | undefined {
    if (!hasData) return undefined;
    const entry = dataEntry(news.record, isHomeless ? state : undefined);
    if (entry.length <= entryMaxLength) return entry;
    const about = `the newest record of GPU ${news.record.uuid} has ${entry.length} characters`;
    this.options.onRefused(new EtcdRefused(`${about}, etcd takes ${entryMaxLength} here; the store has it`));
    return undefined;
  }

  private async sendAgainWithoutLease(group: readonly FlushMember[]): Promise<GpuNews[]> {
    try {
      return await this.send(group);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.options.window.dropLease();
      return this.send(group);
    }
  }

  private async send(group: readonly FlushMember[]): Promise<GpuNews[]> {
    const { client, window } = this.options;
    const transaction = new FlushTransaction(this.known, window, await window.leaseId());
    for (const [host, members] of Map.groupBy(group, (member) => member.host)) transaction.addHost(host, members);
    return transaction.send(client);
  }
}

/** Latest first; of those of one instant the greater uuid. */
function byNewest(a: GpuNews, b: GpuNews): number {
  return b.record.timeMs - a.record.timeMs || (a.record.uuid < b.record.uuid ? 1 : -1);
}
