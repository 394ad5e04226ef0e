import { LRUCache } from "lru-cache";
import { GroupCommit } from "../../../kit/group-commit.ts";
import { messageOf } from "../../../kit/message-of.ts";
import type { IngestMessage, IngestResult } from "../telemetry-store.ts";
import { type BatchGpu, observedGpus } from "./observed-gpus.ts";

/** A message on its way into the store, with the GPUs of its batch. */
export interface Ingesting extends IngestMessage {
  readonly gpus: readonly BatchGpu[];
}

/** The maximum number of messages, and of their records, that are stored in one transaction. A message with more records is stored
 *  alone. With more messages, the costs of a transaction hardly matter any more. */
const messagesMax = 16;
const recordsMax = 20_000;
/** The number of groups that are stored at a time: while the database writes one, this process prepares the next one. */
const groupsAtATime = 2;
/** Enough for all messages that a collector can have at a time. */
const suspectsMax = 1000;

/** Stores messages that wait at the same time in one transaction. If that fails, each of them is stored alone, so that a message that
 *  the database refuses, or does not answer to in time, keeps no other one from being stored. */
export class IngestGroups {
  private readonly groups = new GroupCommit((messages: readonly Ingesting[]) => this.storeAll(messages), messagesMax, {
    groupsAtATime,
  });

  /** The ids of messages that could not be stored even alone: they are always tried alone. */
  private readonly suspects = new LRUCache<string, true>({ max: suspectsMax });

  /** @param store stores messages in one transaction. They have ids and keys of their own, and no record in common */
  constructor(private readonly store: (messages: readonly Ingesting[]) => Promise<readonly IngestResult[]>) {}

  async ingest(message: IngestMessage): Promise<IngestResult> {
    const ingesting = { ...message, gpus: observedGpus(message.batch) };
    const outcome = this.suspects.has(message.messageId)
      ? await this.storeAlone(ingesting)
      : await this.groups.submit(ingesting);
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  private async storeAll(messages: readonly Ingesting[]): Promise<Outcome[]> {
    const outcomes = new Map<Ingesting, Outcome>();
    for (const group of groupsOf(messages)) {
      const ofGroup = await this.storeGroup(group);
      group.forEach((message, index) => outcomes.set(message, ofGroup[index] as Outcome));
    }
    return messages.map((message) => outcomes.get(message) as Outcome);
  }

  private async storeGroup(group: readonly Ingesting[]): Promise<Outcome[]> {
    if (group.length > 1) {
      try {
        return (await this.store(group)).map((value) => ({ status: "fulfilled", value }));
      } catch (error) {
        const outcomes = await this.storeEach(group);
        return outcomes.some(({ status }) => status === "rejected")
          ? outcomes
          : unexplained(outcomes, messageOf(error));
      }
    }
    return this.storeEach(group);
  }

  private storeEach(group: readonly Ingesting[]): Promise<Outcome[]> {
    return Promise.all(group.map((message) => this.storeAlone(message)));
  }

  private async storeAlone(message: Ingesting): Promise<Outcome> {
    const [outcome] = await Promise.allSettled([this.store([message]).then(([result]) => result as IngestResult)]);
    if (outcome.status === "rejected") this.suspects.set(message.messageId, true);
    else this.suspects.delete(message.messageId);
    return outcome;
  }
}

type Outcome = PromiseSettledResult<IngestResult>;

/** The outcomes of messages that could not be stored together although each could be stored alone: the first one says so. */
function unexplained([first, ...others]: readonly Outcome[], failedTogether: string): Outcome[] {
  if (first?.status !== "fulfilled") return others;
  return [{ ...first, value: { ...first.value, failedTogether } }, ...others];
}

/** Messages that are stored together. */
class Group {
  readonly messages: Ingesting[] = [];
  private records = 0;
  private readonly ids = new Set<string>();
  /** The spans of a GPU's records in the messages. */
  private readonly spans = new Map<string, Pick<BatchGpu, "firstMs" | "lastMs">[]>();

  hasRoomFor({ batch }: Ingesting): boolean {
    return this.records + batch.recordCount <= recordsMax;
  }

  /** True if a message of the group may be the same one, or have a record of the same GPU and instant. */
  sharesWith({ messageId, idempotencyKey, gpus }: Ingesting): boolean {
    if (this.ids.has(idOf(messageId)) || this.ids.has(keyOf(idempotencyKey))) return true;
    return gpus.some(({ gpu, firstMs, lastMs }) =>
      this.spans.get(gpu.uuid)?.some((span) => span.firstMs <= lastMs && span.lastMs >= firstMs),
    );
  }

  add(message: Ingesting): void {
    this.messages.push(message);
    this.records += message.batch.recordCount;
    this.ids.add(idOf(message.messageId));
    this.ids.add(keyOf(message.idempotencyKey));
    for (const observed of message.gpus) {
      const spans = this.spans.get(observed.gpu.uuid);
      if (spans === undefined) this.spans.set(observed.gpu.uuid, [observed]);
      else spans.push(observed);
    }
  }
}

function idOf(messageId: string): string {
  return `id ${messageId}`;
}

function keyOf(idempotencyKey: string): string {
  return `key ${idempotencyKey}`;
}

/** Messages that share a record stay in their order. */
function groupsOf(messages: readonly Ingesting[]): (readonly Ingesting[])[] {
  const groups: Group[] = [];
  for (const message of messages) {
    const after = groups.findLastIndex((group) => group.sharesWith(message)) + 1;
    let group = groups.find((each, index) => index >= after && each.hasRoomFor(message));
    if (group === undefined) groups.push((group = new Group()));
    group.add(message);
  }
  return groups.map((group) => group.messages);
}
