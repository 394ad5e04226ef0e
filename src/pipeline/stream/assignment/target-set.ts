import { createHash } from "node:crypto";

/** Of 12,500 targets, two have the same hash of this length with a probability of 3 in 10 million. Both are read even then: the second
 *  one is claimed when it has been free for long. */
const hashBytes = 6;
const digestCharacters = 16;

/** A number that stands for a target: an id is ten times as long. */
export function targetHash(sourceId: string): number {
  return createHash("sha1").update(sourceId).digest().readUIntBE(0, hashBytes);
}

/** The targets that a process knows, by their hashes in ascending order. */
export class TargetSet {
  private readonly sorted: Buffer;
  readonly hashes: ReadonlySet<number>;
  /** Equal sets have equal digests. */
  readonly digest: string;

  constructor(hashes: Iterable<number>) {
    this.hashes = new Set([...hashes].sort((a, b) => a - b));
    this.sorted = Buffer.alloc(this.hashes.size * hashBytes);
    for (const [index, hash] of [...this.hashes].entries()) {
      this.sorted.writeUIntBE(hash, index * hashBytes, hashBytes);
    }
    this.digest = createHash("sha256").update(this.sorted).digest("hex").slice(0, digestCharacters);
  }

  /** @returns undefined if the bytes are not those of a set */
  static read(bytes: Buffer): TargetSet | undefined {
    if (bytes.length % hashBytes !== 0) return undefined;
    const count = bytes.length / hashBytes;
    return new TargetSet(Array.from({ length: count }, (_, index) => bytes.readUIntBE(index * hashBytes, hashBytes)));
  }

  get size(): number {
    return this.hashes.size;
  }

  /** The form in which processes exchange sets. */
  get bytes(): Uint8Array {
    return this.sorted;
  }
}
