import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Clock } from "../../../kit/clock.ts";
import { OtherStore } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { get, isAbsent, put } from "../../../etcd/requests.ts";
import { QueueKeys } from "./queue-keys.ts";

/** The store that a collector has opened. */
export interface ClaimingStore {
  readonly id: string;
  /** Where the store's data is, for messages; contains no secrets. */
  readonly description: string;
}

/** The store that another process has opened. */
export interface CheckedStore {
  /** Resolves to undefined for a store that no collector has used yet. */
  readonly readId: () => Promise<string | undefined>;
  readonly description: string;
}

const recordedStore = Type.Object({ store_id: Type.String(), description: Type.String(), since: Type.String() });

export interface TopicStoreOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly topic: string;
}

/** The store that a topic's messages go to: recorded in etcd by the first collector of the topic. With a second store, each would
 *  get a part of the messages, and a file whose checkpoints are in etcd would be missing in the second without a word. */
export class TopicStore {
  private readonly key: string;

  constructor(private readonly options: TopicStoreOptions) {
    this.key = new QueueKeys(options.topic).store;
  }

  /** Records the store as the topic's, if none is recorded.
   *  @throws OtherStore if another one is recorded; EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  async claim(store: ClaimingStore): Promise<void> {
    const { client, clock } = this.options;
    const since = new Date(clock.nowMs()).toISOString();
    const value = JSON.stringify({ store_id: store.id, description: store.description, since });
    const { responses } = await client.txn({
      compare: [isAbsent(this.key)],
      success: [put(this.key, value), get(this.key)],
      failure: [get(this.key)],
    });
    const recorded = responses.at(-1)?.response_range.kvs[0]?.value;
    if (recorded !== undefined) this.compare(recorded, store);
  }

  /** Compares the store with the one that is recorded, if one is. The store's id is read after the record: a collector may give
   *  the store its id and record it in between, and an id from before would differ from the record.
   *  @throws OtherStore if they differ; EtcdUnavailable, StoreUnavailable */
  async check({ readId, description }: CheckedStore): Promise<void> {
    const { kvs } = await this.options.client.range({ key: Buffer.from(this.key) });
    const value = kvs[0]?.value;
    if (value !== undefined) this.compare(value, { id: await readId(), description });
  }

  private compare(value: Buffer, { id, description }: { id: string | undefined; description: string }): void {
    const recorded = readRecorded(value);
    if (recorded?.store_id === id) return;
    const { topic } = this.options;
    const owner =
      recorded === undefined
        ? "an unknown store"
        : `${recorded.description}, whose id is ${recorded.store_id} (since ${recorded.since})`;
    const own = `${description}, ${id === undefined ? "which has no id yet" : `whose id is ${id}`}`;
    const isReplaced = recorded?.description === description;
    const replaced = isReplaced ? ": at the same address, the database was replaced" : "";
    throw new OtherStore(
      `QUEUE_TOPIC=${topic} in etcd belongs to another database: ${owner}. This process has ${own}${replaced}. Two pipelines on one ` +
        `etcd need a QUEUE_TOPIC each. If the old database still exists, give its address as DATABASE_URL. If this database replaces ` +
        `it, delete ${this.key} from etcd, and the checkpoints of the files that it lacks (docs/ETCD_MESSAGE_QUEUE.md, "Two pipelines on one etcd")`,
    );
  }
}

function readRecorded(value: Buffer) {
  try {
    const recorded: unknown = JSON.parse(value.toString());
    return Value.Check(recordedStore, recorded) ? recorded : undefined;
  } catch {
    return undefined;
  }
}
