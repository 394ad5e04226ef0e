import { EtcdRefused } from "../../../domain/errors.ts";
import { maxNestedTransactions } from "../../../etcd/requests.ts";
import type { MessageClaim, NewMessage } from "../queue.ts";

/** The greatest size of a payload, in bytes: etcd refuses requests over 1.5 MiB, and the envelope needs space, too. */
export const payloadMaxBytes = 1024 * 1024;
/** The greatest total size of a transaction's payloads. A transaction waits until the previous one is written to disk, so a
 *  larger transaction would delay the next one. */
const transactionMaxBytes = payloadMaxBytes;

/** A message, and the claim that it is published under if it has its own. */
export interface ClaimedMessage {
  readonly message: NewMessage;
  readonly claim: MessageClaim | undefined;
}

/** A message to add in a transaction. */
export interface GroupedMessage extends ClaimedMessage {
  /** True if its payload is written before, because the payloads of its batch do not fit into one transaction. */
  readonly isStaged: boolean;
}

/** The messages of a batch, which are added together. */
interface Unit {
  readonly messages: readonly GroupedMessage[];
  /** What the transaction that adds them takes, bytes. */
  readonly bytes: number;
  /** The keys that it writes, besides those of the messages. */
  readonly writing: readonly string[];
}

/** Cuts messages into groups that each fit into one transaction. The messages of a batch are in one group, unless there are more than
 *  a transaction can add. No group writes a key twice, because etcd refuses that.
 *  @throws EtcdRefused if a payload is too large */
export function groupsOf(messages: readonly ClaimedMessage[]): readonly GroupedMessage[][] {
  const groups: GroupedMessage[][] = [];
  let written = new Set<string>();
  let bytes = 0;
  for (const unit of unitsOf(messages)) {
    const last = groups.at(-1);
    const isFull =
      bytes + unit.bytes > transactionMaxBytes || (last?.length ?? 0) + unit.messages.length > maxNestedTransactions;
    if (last === undefined || isFull || unit.writing.some((key) => written.has(key))) {
      groups.push([...unit.messages]);
      written = new Set();
      bytes = 0;
    } else last.push(...unit.messages);
    for (const key of unit.writing) written.add(key);
    bytes += unit.bytes;
  }
  return groups;
}

function unitsOf(messages: readonly ClaimedMessage[]): Unit[] {
  const units: Unit[] = [];
  let unit: ClaimedMessage[] = [];
  for (const claimed of messages) {
    unit.push(checked(claimed));
    if (claimed.message.continues === true && unit.length < maxNestedTransactions) continue;
    units.push(unitOf(unit));
    unit = [];
  }
  return unit.length === 0 ? units : [...units, unitOf(unit)];
}

function unitOf(messages: readonly ClaimedMessage[]): Unit {
  const bytes = messages.reduce((sum, { message }) => sum + message.payload.length, 0);
  const isStaged = messages.length > 1 && bytes > transactionMaxBytes;
  const noteBytes = messages.reduce((sum, { claim }) => sum + (claim?.note?.value.length ?? 0), 0);
  return {
    messages: messages.map((claimed) => ({ ...claimed, isStaged })),
    bytes: (isStaged ? 0 : bytes) + noteBytes,
    // a position whose key is equal to an idempotency key only ends a group early
    writing: messages.flatMap(({ message, claim }) => [
      message.idempotencyKey,
      ...writtenFor(claim).map(({ key }) => key),
    ]),
  };
}

/** The keys that are written when a message of a claim is added, with their values. */
export function writtenFor(
  claim: MessageClaim | undefined,
): readonly { readonly key: string; readonly value: string }[] {
  return [claim?.position, claim?.note].filter((written) => written !== undefined);
}

function checked(claimed: ClaimedMessage): ClaimedMessage {
  const { idempotencyKey, payload } = claimed.message;
  if (payload.length <= payloadMaxBytes) return claimed;
  throw new EtcdRefused(
    `message ${idempotencyKey} has ${payload.length} bytes, but the queue accepts at most ${payloadMaxBytes}; split it`,
  );
}
