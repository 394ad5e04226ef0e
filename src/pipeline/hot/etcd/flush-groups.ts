import { transactionMaxOperations } from "../../../etcd/requests.ts";
import type { GpuPlan } from "./document-cache.ts";

/** The write of a plan is a nested transaction of at most three operations, which count in addition to those of the outer
 *  transaction. */
const operationsOfWrite = 3;
const maxOperations = transactionMaxOperations - operationsOfWrite;
/** The operations for a host itself: its cluster's document, its own document, its data. */
const operationsOfHost = 3;
/** The greatest total size of a group's records, unless the group has only one record. etcd accepts requests up to 1.5 MiB, but
 *  a smaller request delays other writers less. */
const groupMaxBytes = 512 * 1024;

/** The plan for a GPU, with the record to write. */
export interface FlushMember {
  readonly host: string;
  readonly plan: GpuPlan;
  /** The record as an element of the host's data; undefined if it is not written. */
  readonly entry: string | undefined;
}

/** Cuts a flush into groups that each fit into one transaction. No group writes a slot twice: etcd refuses to write a key twice
 *  in a transaction, and if two boards swap their slots, the second write must see the first. */
export function groupsOf(members: readonly FlushMember[]): FlushMember[][] {
  const groups: FlushMember[][] = [];
  let group = new Group();
  for (const member of members) {
    if (!group.hasRoomFor(member)) {
      groups.push(group.members);
      group = new Group();
    }
    group.add(member);
  }
  if (group.members.length > 0) groups.push(group.members);
  return groups;
}

class Group {
  readonly members: FlushMember[] = [];
  private readonly hosts = new Set<string>();
  private readonly slots = new Set<string>();
  private operations = 0;
  private bytes = 0;

  hasRoomFor(member: FlushMember): boolean {
    if (this.members.length === 0) return true;
    const { plan, entry } = member;
    return (
      this.operations + this.costOf(member) <= maxOperations &&
      this.bytes + bytesOf(entry) <= groupMaxBytes &&
      (plan.write?.slots ?? []).every((slot) => !this.slots.has(slot))
    );
  }

  add(member: FlushMember): void {
    this.operations += this.costOf(member);
    this.bytes += bytesOf(member.entry);
    this.members.push(member);
    this.hosts.add(member.host);
    for (const slot of member.plan.write?.slots ?? []) this.slots.add(slot);
  }

  private costOf({ host, plan }: FlushMember): number {
    return (this.hosts.has(host) ? 0 : operationsOfHost) + (plan.write === undefined ? 0 : 1);
  }
}

function bytesOf(entry: string | undefined): number {
  return entry === undefined ? 0 : Buffer.byteLength(entry);
}
