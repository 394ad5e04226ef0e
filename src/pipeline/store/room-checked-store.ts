import type { StoreDisk } from "./store-disk.ts";
import type { IngestMessage, IngestResult, SourceProgress, TelemetryStore } from "./telemetry-store.ts";

/** A store that stores nothing while its disk has no room. */
export class RoomCheckedStore implements TelemetryStore {
  constructor(
    private readonly store: TelemetryStore,
    private readonly disk: StoreDisk,
  ) {}

  get unsettledRecords(): number {
    return this.store.unsettledRecords;
  }

  async ingest(message: IngestMessage): Promise<IngestResult> {
    await this.disk.makeRoom();
    return this.store.ingest(message);
  }

  completeChanges(messages: number): Promise<void> {
    return this.store.completeChanges(messages);
  }

  progressOf(sourceId: string): Promise<SourceProgress> {
    return this.store.progressOf(sourceId);
  }

  latestInstantMs(sourceId: string): Promise<number | undefined> {
    return this.store.latestInstantMs(sourceId);
  }

  ping(): Promise<void> {
    return this.store.ping();
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
