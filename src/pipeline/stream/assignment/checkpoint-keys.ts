/** Where etcd keeps the positions of a replayable source; docs/etcd-message-queue.md explains them. */
export class CheckpointKeys {
  /** How far the source is divided into ranges. */
  readonly plan: string;
  readonly ranges: string;
  readonly owners: string;
  /** Exists while a streamer divides the source; older programs know it as the cutter. */
  readonly planner: string;

  constructor(sourceId: string) {
    const root = rootOf(sourceId);
    this.plan = `${root}plan`;
    this.ranges = `${root}ranges/`;
    this.owners = `${root}owners/`;
    this.planner = `${root}cutter`;
  }

  /** Zero-padded, so that etcd's order of keys is the file's. */
  range(fromOffset: number): string {
    return this.ranges + padded(fromOffset);
  }

  owner(fromOffset: number): string {
    return this.owners + padded(fromOffset);
  }
}

/** Where etcd keeps who reads a live source, and how far it is published. */
export class LiveKeys {
  readonly owner: string;
  readonly latest: string;

  constructor(sourceId: string) {
    const root = rootOf(sourceId);
    this.owner = `${root}live/owner`;
    this.latest = `${root}live/latest`;
  }
}

function rootOf(sourceId: string): string {
  return `/checkpoints/${encodeURIComponent(sourceId)}/`;
}

/** 2^53 has 16 digits. */
function padded(offset: number): string {
  return String(offset).padStart(16, "0");
}
