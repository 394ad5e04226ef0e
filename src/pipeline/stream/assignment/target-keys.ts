import { pipelineRoot } from "../../../etcd/pipeline-root.ts";
import { LiveKeys } from "./checkpoint-keys.ts";

/** The etcd keys of a pipeline's targets; docs/etcd-message-queue.md explains them. */
export class TargetKeys {
  /** Owners and members, so that one watch follows both. */
  readonly watched: string;
  private readonly owners: string;
  private readonly members: string;

  constructor(private readonly topic: string) {
    this.watched = `${pipelineRoot(topic)}/shares/`;
    this.owners = `${this.watched}owners/`;
    this.members = `${this.watched}members/`;
  }

  owner(sourceId: string): string {
    return this.owners + encodeURIComponent(sourceId);
  }

  member(streamerId: string): string {
    return this.members + encodeURIComponent(streamerId);
  }

  /** The position of a target has the key that any live source has. */
  latest(sourceId: string): string {
    return new LiveKeys(this.topic, sourceId).latest;
  }

  /** What a watched key is about. */
  read(key: Buffer): { readonly kind: "owner" | "member"; readonly id: string } | undefined {
    const text = key.toString();
    for (const [kind, prefix] of [["owner", this.owners] as const, ["member", this.members] as const]) {
      if (text.startsWith(prefix)) return { kind, id: decodeURIComponent(text.slice(prefix.length)) };
    }
    return undefined;
  }
}
