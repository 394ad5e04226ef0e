import type { IKeyValue } from "etcd3";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { readMember } from "./stored-member.ts";
import type { TargetKeys } from "./target-keys.ts";
import { targetHash, TargetSet } from "./target-set.ts";

/** Who has a target. */
export interface TargetOwnership {
  /** The target's hash. */
  readonly hash: number;
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

/** The owners and members in etcd, and the sets of targets that the members know, as one watch reports them. */
export class TargetBoard {
  readonly owners = new Map<string, TargetOwnership>();
  /** The digest of the targets that each member knows; undefined if the member does not say it. */
  readonly members = new Map<string, string | undefined>();
  /** Milliseconds since a process last claimed or released a target, since one came or left, or since the board was first listed. */
  sinceLastChange = stopwatch();
  /** The revision up to which changes are known; undefined until the board has been listed. */
  revision: bigint | undefined;
  /** By digest. A set stays as long as a member knows these targets, whichever member has published it. */
  private readonly sets = new Map<string, TargetSet>();
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

  /** The targets that a member knows; undefined if that is not known. */
  setOf(member: string): TargetSet | undefined {
    const digest = this.members.get(member);
    return digest === undefined ? undefined : this.sets.get(digest);
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
    if (this.revision === undefined) this.sinceLastChange = stopwatch();
    const digests = new Set(this.members.values());
    for (const digest of this.sets.keys()) if (!digests.has(digest)) this.sets.delete(digest);
    this.revision = BigInt(revision);
    this.options.onChange();
  }

  private put({ key, value, create_revision: revision, lease: leaseId }: IKeyValue): void {
    const about = this.options.keys.read(key);
    if (about === undefined) return;
    const { kind, id } = about;
    if (kind === "set") {
      const set = TargetSet.read(value);
      if (set !== undefined) this.sets.set(set.digest, set);
      return;
    }
    this.sinceLastChange = stopwatch();
    if (kind === "member") this.members.set(id, readMember(value));
    else this.owners.set(id, { hash: targetHash(id), streamerId: value.toString(), revision, leaseId });
  }

  private remove(key: Buffer): void {
    const about = this.options.keys.read(key);
    if (about === undefined || about.kind === "set") return;
    // the process whose share the free target is gets the time to claim it
    this.sinceLastChange = stopwatch();
    if (about.kind === "member") this.members.delete(about.id);
    else this.owners.delete(about.id);
  }
}
