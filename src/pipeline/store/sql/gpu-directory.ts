import type { SqlClient } from "../../../db/client.ts";
import { type CurrentGpu, readCurrentGpus, readGpuRevision } from "../../../db/sql/current-gpus.ts";
import { awaitChanges } from "../../../db/sql/gpu-states.ts";
import { GroupCommit } from "../../../kit/group-commit.ts";

/** The cache is cleared above this size, so that decommissioned GPUs do not accumulate: three times the largest fleet
 *  that was measured (100,000 GPUs). */
const maxGpus = 300_000;

/** The maximum number of batches that share a read: more than all workers of a collector can have at a time. */
const maxBatches = 1024;

/** A cache of the newest states of the database's GPUs, so that a batch without changes does not read them. Records never get a
 *  key from it: their keys follow from the uuids.
 *
 *  It is valid for one database and one revision. Every transaction that stores records reports which database it runs in
 *  (`enter`), so that no state of another database is used. A change of a GPU first increments the sequence gpu_revision and
 *  then reads the stored records. So if a process stores records and then finds the revision unchanged, later changes take
 *  these records into account. A state may already include a later change, which has taken the records into account. */
export class GpuDirectory {
  private gpus = new Map<string, CurrentGpu>();
  private revision = -1;
  private incarnation = "";
  private cacheVersion = 0;
  /** One read at a time changes the cache. Batches that arrive meanwhile share the next read: each read waits for all changes under
   *  way, and those of a new fleet would otherwise be made one by one. */
  private readonly reads = new GroupCommit((uuids: readonly (readonly string[])[]) => this.readAll(uuids), maxBatches);

  constructor(private readonly client: SqlClient) {}

  /** Changes with any change of the cache. */
  get version(): number {
    return this.cacheVersion;
  }

  /** The cached GPU; undefined if it is not cached. */
  get(uuid: string): CurrentGpu | undefined {
    return this.gpus.get(uuid);
  }

  /** Clears the cache if it is that of another database.
   *  @param incarnation the value of the SQL expression `incarnation` in the database that is used next */
  enter(incarnation: string): void {
    if (incarnation !== this.incarnation) this.clear();
    this.incarnation = incarnation;
  }

  /** Brings the cache up to date, and adds a batch's GPUs if the database has them. Call it after the batch's records are
   *  committed. */
  async refresh(batch: GpuLookup): Promise<void> {
    const isComplete = !batch.gpus().includes(undefined);
    if (isComplete && (await this.isCurrent())) return;
    await this.reads.submit(batch.uuids);
  }

  private async isCurrent(): Promise<boolean> {
    const { revision, incarnation } = await readGpuRevision(this.client);
    return revision === this.revision && incarnation === this.incarnation;
  }

  /** Updates the instant at which a cached GPU was last seen, if `lastMs` is later. Other processes do not have to read this
   *  change. */
  setLastSeen(uuid: string, lastMs: number): void {
    const gpu = this.gpus.get(uuid);
    if (gpu === undefined) return;
    this.gpus.set(uuid, { ...gpu, lastSeenMs: Math.max(gpu.lastSeenMs, lastMs) });
    this.cacheVersion += 1;
  }

  /** Clears the cache: after an error the database may be a different one, or have an older state. */
  clear(): void {
    this.gpus = new Map();
    this.revision = -1;
    this.cacheVersion += 1;
  }

  private async readAll(batches: readonly (readonly string[])[]): Promise<undefined[]> {
    await this.read(batches.flat());
    return batches.map(() => undefined);
  }

  private async read(batchUuids: readonly string[]): Promise<void> {
    if (this.gpus.size > maxGpus) this.clear();
    // with an empty cache, only the batch's GPUs are read, not all GPUs that ever changed
    const afterRevision = this.gpus.size === 0 ? Number.MAX_SAFE_INTEGER : this.revision;
    const uuids = batchUuids.filter((uuid) => !this.gpus.has(uuid));
    // the wait ends when all changes up to the revision that was read before it have ended
    const [{ revision, incarnation }, , gpus] = await this.client.inOrder((executor) =>
      Promise.all([
        readGpuRevision(executor),
        awaitChanges(executor),
        readCurrentGpus(executor, { afterRevision, uuids }),
      ]),
    );
    if (incarnation !== this.incarnation) {
      this.enter(incarnation);
      await this.read(batchUuids);
      return;
    }
    for (const gpu of gpus) this.gpus.set(gpu.uuid, gpu);
    if (gpus.length > 0) this.cacheVersion += 1;
    this.revision = revision;
  }
}

/** The GPUs of one batch in a directory. They are looked up again only after the directory has changed: for thousands of
 *  GPUs a look-up takes longer than writing their records. */
export class GpuLookup {
  private found: readonly (CurrentGpu | undefined)[] = [];
  private version = NaN;

  constructor(
    private readonly directory: GpuDirectory,
    readonly uuids: readonly string[],
  ) {}

  /** The cached GPUs, in the order of `uuids`; undefined for one that is not cached. */
  gpus(): readonly (CurrentGpu | undefined)[] {
    if (this.version !== this.directory.version) {
      this.found = this.uuids.map((uuid) => this.directory.get(uuid));
      this.version = this.directory.version;
    }
    return this.found;
  }
}
