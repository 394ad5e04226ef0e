import type { Logger } from "pino";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import type { LeaseSession } from "../../../etcd/lease-session.ts";
import { get, isAbsent, put, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import type { Source } from "../../source/source.ts";
import type { CheckpointKeys } from "./checkpoint-keys.ts";
import { readPlan, type StoredPlan, type StoredRange } from "./stored-plan.ts";

export interface RangePlannerOptions {
  readonly client: EtcdClient;
  readonly rangeBytes: number;
  readonly log: Logger;
}

/** Cuts a source into ranges while it is already being read: one streamer of all at a time, by a key under its lease. A
 *  cutter that dies is followed by another, which goes on where the last range ends. */
export class RangePlanner {
  private readonly halt = new AbortController();
  private running: Promise<void> | undefined;
  private cutNext = Promise.withResolvers<void>();

  constructor(private readonly options: RangePlannerOptions) {}

  /** Starts cutting, unless another streamer does. */
  async start(source: Source, keys: CheckpointKeys, session: LeaseSession): Promise<void> {
    if (this.running !== undefined || this.halt.signal.aborted) return;
    const { responses, succeeded, revision } = await this.options.client.txn({
      compare: [isAbsent(keys.cutter)],
      success: [put(keys.cutter, "", session.leaseId), get(keys.plan)],
    });
    if (!succeeded) return;
    const plan = responses[1]?.response_range.kvs[0];
    const from = plan === undefined ? source.start : readPlan(plan.value).cut_to;
    const isMine = wasCreatedAt(keys.cutter, revision);
    this.running = this.cut({ source, keys, from, isMine, signal: session.signal })
      .catch((error: unknown) => {
        this.options.log.warn({ err: error }, "cutting the source was interrupted");
        // the key may still be there: it would say that somebody cuts
        return session.close();
      })
      .finally(() => (this.running = undefined));
  }

  /** Resolves when the next range is there to be claimed; never where another streamer cuts. */
  nextCut(): Promise<void> {
    return this.cutNext.promise;
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.running;
  }

  private async cut(job: {
    readonly source: Source;
    readonly keys: CheckpointKeys;
    readonly from: StoredPlan["cut_to"];
    readonly isMine: ReturnType<typeof isAbsent>;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { client, rangeBytes } = this.options;
    const { source, keys, isMine } = job;
    const signal = AbortSignal.any([job.signal, this.halt.signal]);
    let cutTo = job.from;
    try {
      for await (const { from, to } of source.cut(job.from, rangeBytes, signal)) {
        if (signal.aborted) return;
        const range: StoredRange = { from, to_offset: to?.offset ?? null, at: from };
        cutTo = to ?? from;
        const plan: StoredPlan = { state: "cutting", cut_to: cutTo };
        const success = [put(keys.range(from.offset), JSON.stringify(range)), put(keys.plan, JSON.stringify(plan))];
        if (!(await client.txn({ compare: [isMine], success })).succeeded) return;
        this.cutNext.resolve();
        this.cutNext = Promise.withResolvers();
      }
      if (signal.aborted) return;
      const plan: StoredPlan = { state: "cut", cut_to: cutTo };
      await client.txn({ compare: [isMine], success: [put(keys.plan, JSON.stringify(plan))] });
    } finally {
      await client.txn({ compare: [isMine], success: [remove(keys.cutter)] });
    }
  }
}
