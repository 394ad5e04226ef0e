import type { SqlClient } from "../../../db/client.ts";
import { awaitChanges } from "../../../db/sql/gpu-states.ts";
import { type KnownGpu, readGpuRevision, readKnownGpus } from "../../../db/sql/known-gpus.ts";
import type { Gpu } from "../../../domain/gpu.ts";

/** Beyond it the directory is begun anew: three times the largest fleet, so that GPUs that are long gone do not stay. */
const gpusMax = 300_000;

interface GpuOfBatch {
  readonly gpu: Pick<Gpu, "uuid">;
}

interface Found {
  readonly version: number;
  readonly known: readonly (KnownGpu | undefined)[];
}

/** The GPUs as the database has them, in memory, so that batches which bring nothing new of them need not ask.
 *
 *  It is right as of a revision. A change is announced (the sequence gpu_revision moves) before it looks at the records that
 *  are stored; who has stored records and then reads the same revision as before knows that every change since will see
 *  them. */
export class GpuDirectory {
  private known = new Map<string, KnownGpu>();
  private revision = -1;
  /** Moves whenever what `of` would say may be another. */
  private version = 0;
  private readonly found = new WeakMap<readonly GpuOfBatch[], Found>();
  /** Readings follow one another: the map is written by one at a time. */
  private reading: Promise<void> = Promise.resolve();

  constructor(private readonly client: SqlClient) {}

  /** What is known of each. A list that is asked for again is looked up once, as long as nothing changes: of thousands of
   *  GPUs that takes longer than writing their records. */
  of(gpus: readonly GpuOfBatch[]): readonly (KnownGpu | undefined)[] {
    const before = this.found.get(gpus);
    if (before?.version === this.version) return before.known;
    const known = gpus.map(({ gpu }) => this.known.get(gpu.uuid));
    this.found.set(gpus, { version: this.version, known });
    return known;
  }

  /** Brings the directory up to date, and makes it know these GPUs where the database does.
   *  Call it after what they brought is committed. */
  async refresh(gpus: readonly GpuOfBatch[]): Promise<void> {
    const isComplete = (): boolean => !this.of(gpus).includes(undefined);
    if (isComplete() && (await readGpuRevision(this.client)) === this.revision) return;
    const unknown = () => gpus.flatMap(({ gpu: { uuid } }) => (this.known.has(uuid) ? [] : [uuid]));
    const reading = this.reading.then(() => this.read(unknown()));
    this.reading = reading.catch(() => undefined);
    await reading;
  }

  /** It was seen then: nothing that others need to hear of. */
  noteSeen(uuid: string, lastMs: number): void {
    const gpu = this.known.get(uuid);
    if (gpu === undefined) return;
    this.known.set(uuid, { ...gpu, lastSeenMs: Math.max(gpu.lastSeenMs, lastMs) });
    this.version += 1;
  }

  /** After a failure the database may be another one, or an older state of it. */
  forget(): void {
    this.known = new Map();
    this.revision = -1;
    this.version += 1;
  }

  private async read(uuids: readonly string[]): Promise<void> {
    if (this.known.size > gpusMax) this.forget();
    // a directory that knows nothing asks for the GPUs it meets, not for all that ever changed
    const afterRevision = this.known.size === 0 ? Number.MAX_SAFE_INTEGER : this.revision;
    const { revision, gpus } = await this.client.transaction(async (executor) => {
      await awaitChanges(executor);
      return {
        revision: await readGpuRevision(executor),
        gpus: await readKnownGpus(executor, { afterRevision, uuids }),
      };
    });
    for (const gpu of gpus) this.known.set(gpu.uuid, gpu);
    if (gpus.length > 0) this.version += 1;
    this.revision = revision;
  }
}
