import type { IRequestOp } from "etcd3";
import { LeaseSession } from "../../../etcd/lease-session.ts";
import { put, remove } from "../../../etcd/requests.ts";
import { memberText } from "./stored-member.ts";
import type { StreamerLeaseOptions } from "./streamer-lease.ts";
import type { TargetBoard } from "./target-board.ts";
import type { TargetKeys } from "./target-keys.ts";
import type { TargetSet } from "./target-set.ts";

export interface TargetMembershipOptions extends StreamerLeaseOptions {
  readonly keys: TargetKeys;
  readonly streamerId: string;
  /** The lease has ended, and with it everything that this process has. */
  readonly onLost: () => void;
}

/** A larger set, of 170,000 targets, is not published: etcd refuses requests of 1.5 MiB. The others then take it that this process
 *  knows any target. */
const setMaxBytes = 1024 * 1024;

/** What the others see of a process that shares targets: that it takes part, and the digest of the targets that it knows. If the members'
 *  digests differ, one member of each digest also publishes the set, so that all know who knows which target. */
export class TargetMembership {
  private session: LeaseSession | undefined;
  /** What is written under the present lease. */
  private written: { readonly member: string; readonly set: string | undefined } | undefined;
  private hasLeft = false;

  constructor(private readonly options: TargetMembershipOptions) {}

  /** True if the others take this process into account. */
  get isMember(): boolean {
    return this.written !== undefined;
  }

  /** Opens a lease if there is none, and makes this process a member that knows these targets.
   *  @throws an error of the driver */
  async join(known: TargetSet, board: TargetBoard): Promise<LeaseSession> {
    const { client, clock, leaseSeconds: ttlSeconds, signs, onLost } = this.options;
    if (this.session === undefined || this.session.signal.aborted) {
      this.written = undefined;
      const session = await LeaseSession.reopen(this.session, { client, clock, ttlSeconds, signs });
      this.session = session;
      session.signal.addEventListener("abort", onLost, { once: true });
    }
    if (!this.hasLeft) await this.publish(known, board, this.session.leaseId);
    return this.session;
  }

  /** Idempotent. @throws an error of the driver */
  async leave(): Promise<void> {
    this.hasLeft = true;
    if (this.written === undefined) return;
    this.written = undefined;
    const { client, keys, streamerId } = this.options;
    await client.txn({ success: [remove(keys.member(streamerId)), remove(keys.set(streamerId))] });
  }

  async close(): Promise<void> {
    await this.session?.close();
  }

  private async publish(known: TargetSet, board: TargetBoard, leaseId: string): Promise<void> {
    const { client, keys, streamerId } = this.options;
    const before = this.written;
    const next = { member: memberText(known), set: this.publishesSet(known, board) ? known.digest : undefined };
    const changes: IRequestOp[] = [];
    if (next.member !== before?.member) changes.push(put(keys.member(streamerId), next.member, leaseId));
    if (next.set !== before?.set) {
      const key = keys.set(streamerId);
      changes.push(next.set === undefined ? remove(key) : put(key, known.bytes, leaseId));
    }
    if (changes.length === 0) return;
    await client.txn({ success: changes });
    this.written = next;
    // the process began to stop meanwhile
    if (this.hasLeft) await this.leave();
  }

  /** True if a member knows other targets, and this process is the first of those that know the same targets. */
  private publishesSet({ digest, bytes }: TargetSet, { members }: TargetBoard): boolean {
    const others = [...members].filter(([member]) => member !== this.options.streamerId);
    const isFirst = others.every(([member, other]) => other !== digest || this.options.streamerId < member);
    return isFirst && bytes.length <= setMaxBytes && others.some(([, other]) => other !== digest);
  }
}
