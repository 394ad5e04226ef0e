import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { LeaseGone } from "../../../../domain/errors.ts";
import type { EtcdClient } from "../../../../etcd/etcd-client.ts";
import { LeaseSession } from "../../../../etcd/lease-session.ts";
import { pipelineRoot } from "../../../../etcd/pipeline-root.ts";
import { prefixRange, put, remove } from "../../../../etcd/requests.ts";
import type { Clock } from "../../../../kit/clock.ts";
import {
  type ListedTargets,
  newestStates,
  type TargetState,
  type TargetStates,
  targetStateSchema,
} from "../../target-states.ts";

export interface EtcdTargetStatesOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** The pipeline's topic: each pipeline has targets of its own. */
  readonly topic: string;
  /** Identifies this process. */
  readonly instanceId: string;
  /** Time after which the states of a process that died disappear. */
  readonly leaseSeconds: number;
}

/** A state takes about 600 bytes as JSON, and a tenth of that in a compressed key with many others; etcd refuses 1.5 MiB. */
const statesOfKey = 500;

/** The states of all targets in etcd: a few keys for each process, bound to a lease. */
export class EtcdTargetStates implements TargetStates {
  private readonly prefix: string;
  private session: LeaseSession | undefined;
  private writtenKeys = 0;
  private isClosed = false;

  constructor(private readonly options: EtcdTargetStatesOptions) {
    this.prefix = `${pipelineRoot(options.topic)}/targets/`;
  }

  async list(): Promise<ListedTargets> {
    const { client, clock } = this.options;
    const { kvs } = await client.range(prefixRange(this.prefix));
    return { targets: newestStates(kvs.flatMap(({ value }) => readStates(value))), asOfMs: clock.nowMs() };
  }

  async report(states: readonly TargetState[]): Promise<void> {
    if (this.isClosed) return;
    const session = await this.openSession();
    try {
      const keys = Math.ceil(states.length / statesOfKey);
      for (let key = 0; key < keys; key += 1) {
        const part = states.slice(key * statesOfKey, (key + 1) * statesOfKey);
        await this.options.client.txn({ success: [put(this.keyOf(key), contentOf(part), session.leaseId)] });
      }
      for (; this.writtenKeys > keys; this.writtenKeys -= 1) {
        await this.options.client.txn({ success: [remove(this.keyOf(this.writtenKeys - 1))] });
      }
      this.writtenKeys = keys;
    } catch (error) {
      if (error instanceof LeaseGone) session.markLost();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.session?.close();
  }

  private keyOf(index: number): string {
    return `${this.prefix}${encodeURIComponent(this.options.instanceId)}/${index}`;
  }

  private async openSession(): Promise<LeaseSession> {
    if (this.session === undefined || this.session.signal.aborted) {
      const { client, clock, leaseSeconds } = this.options;
      this.session = await LeaseSession.open({ client, clock, ttlSeconds: leaseSeconds });
    }
    return this.session;
  }
}

function contentOf(states: readonly TargetState[]): Uint8Array {
  return Bun.zstdCompressSync(JSON.stringify(states), { level: 1 });
}

const instantText = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$" });
const { last_error: shownError, ...fields } = targetStateSchema.properties;
/** The schema of a key's content. TypeBox checks no formats, so instants have a pattern instead. */
const entrySchema = Type.Array(
  Type.Object(
    {
      ...fields,
      since: instantText,
      last_scrape_at: Type.Optional(instantText),
      last_read_at: Type.Optional(instantText),
      last_error: Type.Optional(
        Type.Object({ ...shownError.properties, at: instantText }, { additionalProperties: false }),
      ),
    },
    { additionalProperties: false },
  ),
);

/** The states of a key. Fields that only a later version knows are left out.
 *  @returns no states if the content lacks a field of this version, or is something else */
function readStates(value: Uint8Array): TargetState[] {
  try {
    const text = Buffer.from(Bun.zstdDecompressSync(value)).toString();
    const read: unknown = Value.Clean(entrySchema, JSON.parse(text));
    return Value.Check(entrySchema, read) ? read : [];
  } catch {
    return [];
  }
}
