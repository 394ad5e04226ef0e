import type { Logger } from "pino";
import { aborted } from "../kit/aborted.ts";
import { BaseService } from "../kit/base-service.ts";
import type { EtcdClient } from "../etcd/etcd-client.ts";
import type { Clock } from "../kit/clock.ts";
import { isRetryable, retry } from "../kit/retry.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import { TopicStore } from "../pipeline/queue/etcd/topic-store.ts";
import type { SharedParts } from "./shared-parts.ts";

/** Compares the process's store with the topic's.
 *  @throws OtherStore if they differ; a retryable error if etcd or the database does not answer */
export type CompareStores = () => Promise<void>;

/** For a process that stores messages: records its store as the topic's, if none is recorded. Without etcd there is nothing to
 *  compare, because no other process has the queue. */
export function claimingTopic(shared: SharedParts, { identity, description }: OpenStore): CompareStores {
  const topicStore = topicStoreOf(shared);
  if (topicStore === undefined) return () => Promise.resolve();
  return async () => topicStore.claim({ id: await identity.ensure(), description });
}

/** For a process that only reads its store. */
export function comparingWithTopic(shared: SharedParts, { identity, description }: OpenStore): CompareStores {
  const topicStore = topicStoreOf(shared);
  if (topicStore === undefined) return () => Promise.resolve();
  return () => topicStore.check({ readId: () => identity.read(), description });
}

/** Compares the stores once, before a process starts. If etcd or the database does not answer, a later attempt must decide.
 *  @throws OtherStore, and other errors that are not retryable */
export async function compareBeforeStart(compare: CompareStores): Promise<void> {
  await compare().catch((error: unknown) => {
    if (!isRetryable(error)) throw error;
  });
}

/** Compares the stores of a running process as soon as etcd and the database answer, and again when etcd has lost the record. If they
 *  differ, the process keeps running
 *  but is not ready, and /health names both. */
export class StoreCheck extends BaseService {
  constructor(
    private readonly options: {
      readonly compare: CompareStores;
      readonly etcd: EtcdClient;
      readonly clock: Clock;
      readonly log: Logger;
    },
  ) {
    super("topic", options.log);
  }

  protected override async run(): Promise<void> {
    const { compare, etcd, clock } = this.options;
    let isRecordLost: Promise<boolean>;
    do {
      isRecordLost = etcd.history.nextChange(this.stopping);
      const comparing = retry(compare, { clock, signal: this.stopping, onRetry: () => undefined });
      // a database that does not answer would hold up the stop; what it answers later is ignored
      await Promise.race([comparing, aborted(this.stopping)]);
    } while (await isRecordLost);
  }
}

function topicStoreOf({ etcd, config, clock }: SharedParts): TopicStore | undefined {
  return etcd === undefined ? undefined : new TopicStore({ client: etcd, clock, topic: config.queueTopic });
}
