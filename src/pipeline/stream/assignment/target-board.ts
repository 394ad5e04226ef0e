import type { IKeyValue } from "etcd3";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import type { TargetKeys } from "./target-keys.ts";

/** Who has a target. */
export interface TargetOwnership {
  readonly streamerId: string;
  /** The revision at which the owner claimed it. */
  readonly revision: string;
  readonly leaseId: string;
}

export interface TargetBoardOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: TargetKeys;
  readonly onChange: () => void;
}

/** The owners and members in etcd, as one watch reports them. */
export class TargetBoard {
  readonly owners = new Map<string, TargetOwnership>();
  readonly members = new Set<string>();
  /** Milliseconds since a process last claimed a target or became a member, or since the board was first listed. */
  sinceLastClaim = stopwatch();
  /** The revision up to which changes are known; undefined until the board has been listed. */
  revision: bigint | undefined;
  private readonly watch: EtcdWatch;

  constructor(private readonly options: TargetBoardOptions) {
    const { client, clock, keys } = options;
    const range = prefixRange(keys.watched);
    this.watch = new EtcdWatch({
      client,
      clock,
      range,
      list: async () => this.replace(await client.range(range)),
      onEvents: (events) => this.apply(events),
      onInterrupted: () => undefined,
    });
  }

  close(): Promise<void> {
    return this.watch.close();
  }

  private replace({
    kvs,
    header,
  }: {
    readonly kvs: readonly IKeyValue[];
    readonly header: { revision: string };
  }): string {
    this.owners.clear();
    this.members.clear();
    for (const kv of kvs) this.put(kv);
    this.changed(header.revision);
    return header.revision;
  }

  private apply(events: readonly EtcdEvent[]): void {
    for (const { type, kv } of events) {
      if (type === "Put") this.put(kv);
      else this.remove(kv.key);
    }
    const last = events.at(-1);
    if (last !== undefined) this.changed(last.kv.mod_revision);
  }

  private changed(revision: string): void {
    if (this.revision === undefined) this.sinceLastClaim = stopwatch();
    this.revision = BigInt(revision);
    this.options.onChange();
  }

  private put({ key, value, create_revision: revision, lease: leaseId }: IKeyValue): void {
    const about = this.options.keys.read(key);
    if (about === undefined) return;
    this.sinceLastClaim = stopwatch();
    if (about.kind === "member") this.members.add(about.id);
    else this.owners.set(about.id, { streamerId: value.toString(), revision, leaseId });
  }

  private remove(key: Buffer): void {
    const about = this.options.keys.read(key);
    if (about?.kind === "member") this.members.delete(about.id);
    else if (about !== undefined) this.owners.delete(about.id);
  }
}
