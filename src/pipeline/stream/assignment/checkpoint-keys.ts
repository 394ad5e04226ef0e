/** Where the positions of a source are in etcd; docs/etcd-message-queue.md explains them. */
export class CheckpointKeys {
  /** How far the source is cut into ranges. */
  readonly plan: string;
  readonly ranges: string;
  readonly owners: string;
  readonly cutter: string;

  constructor(sourceId: string) {
    const root = `/checkpoints/${encodeURIComponent(sourceId)}/`;
    this.plan = `${root}plan`;
    this.ranges = `${root}ranges/`;
    this.owners = `${root}owners/`;
    this.cutter = `${root}cutter`;
  }

  /** Zero-padded, so that etcd's order of keys is the file's. */
  range(fromOffset: number): string {
    return this.ranges + padded(fromOffset);
  }

  owner(fromOffset: number): string {
    return this.owners + padded(fromOffset);
  }
}

/** 2^53 has 16 digits. */
function padded(offset: number): string {
  return String(offset).padStart(16, "0");
}
