import { pipelineRoot } from "../../../etcd/pipeline-root.ts";
import { LiveKeys } from "./checkpoint-keys.ts";

/** The etcd keys of a pipeline's targets; docs/ETCD_MESSAGE_QUEUE.md explains them. */
export class TargetKeys {
  /** Owners, members and their sets, so that one watch follows all. */
  readonly watched: string;
  private readonly owners: string;
  private readonly members: string;
  private readonly sets: string;

  constructor(private readonly topic: string) {
    this.watched = `${pipelineRoot(topic)}/shares/`;
    this.owners = `${this.watched}owners/`;
    this.members = `${this.watched}members/`;
    this.sets = `${this.watched}sets/`;
  }

  owner(sourceId: string): string {
    return this.owners + encodeURIComponent(sourceId);
  }

  member(streamerId: string): string {
    return this.members + encodeURIComponent(streamerId);
  }

  /** The targets that a member knows. */
  set(streamerId: string): string {
    return this.sets + encodeURIComponent(streamerId);
  }

  /** The position of a target has the key that any live source has. */
  latest(sourceId: string): string {
    return new LiveKeys(this.topic, sourceId).latest;
  }

  /** The series that a target had when it was scraped last. */
  series(sourceId: string): string {
    return new LiveKeys(this.topic, sourceId).series;
  }

  /** What a watched key is about. */
  read(key: Buffer): WatchedKey | undefined {
    const text = key.toString();
    const prefixes = { owner: this.owners, member: this.members, set: this.sets };
    for (const kind of kinds) {
      if (text.startsWith(prefixes[kind])) return { kind, id: decodeURIComponent(text.slice(prefixes[kind].length)) };
    }
    return undefined;
  }
}

const kinds = ["owner", "member", "set"] as const;

/** A watched key. */
export interface WatchedKey {
  readonly kind: (typeof kinds)[number];
  /** The target of an owner key; the streamer of the others. */
  readonly id: string;
}
