import type { ExporterDialect } from "../../../dev/exporters/exporter-dialect.ts";
import { serveExporters } from "../../../dev/exporters/serve-exporters.ts";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { receivedFrom } from "../../../src/pipeline/source/received-body.ts";
import { type WriteBody, WriteCounts } from "../../../src/pipeline/source/remote-write.ts";
import type { KnownExporters } from "../../../src/pipeline/source/remote-write/series-batches.ts";
import { writeReader } from "../../../src/pipeline/source/remote-write/write-reader.ts";
import { messageFor, packed, type SentProtocol, type SentSeries } from "../../remote-write/make-request.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import type { MergedRecord } from "../../support/merged-records.ts";

/** What three simulated exporters say 45 s after their start.
 *  @param stops ends them */
export async function expositionsOf(
  dialect: ExporterDialect,
  stops: (() => Promise<void>)[],
): Promise<{ hostname: string; text: string }[]> {
  const clock = new ManualClock();
  const shares = { mig: 0.3, timeSlicing: 0.3, vgpu: 0.3, series: 0.5 };
  const fleet = { hosts: 3, gpusPerHost: 4, seed: 5, intervalMs: 15_000, clusterId: "c1" };
  const exporters = serveExporters({ ...fleet, dialect, per: "path", port: 0, clock, shares });
  stops.push(() => exporters.stop());
  await clock.advance(45_000);
  return Promise.all(
    exporters.targets.map(async ({ address, path, hostname }) => ({
      hostname,
      text: await (await fetch(`http://${address}${path}`)).text(),
    })),
  );
}

/** Reads a request of remote write as a gateway does. */
export async function readRequest(
  exporters: KnownExporters,
  protocol: SentProtocol,
  series: readonly SentSeries[],
): Promise<{ batches: RecordBatch[]; counts: WriteCounts }> {
  const counts = new WriteCounts();
  const bytes = new Blob([packed(messageFor(protocol, series))]).stream();
  const body: WriteBody = { protocol, bytes, clusterId: "c1", counts };
  const chunks = receivedFrom(bytes, systemClock);
  const { batches } = writeReader(exporters, { maxBytes: 1e7 })(body, chunks, new AbortController().signal);
  return { batches: await Array.fromAsync(batches), counts };
}

const shownRecord = ({ gpu, timeMs, metrics, custom, occupants }: MergedRecord) => ({
  ...{ gpu, timeMs, occupants: [...occupants].sort() },
  metrics: Object.fromEntries([...metrics].sort()),
  custom: Object.fromEntries([...custom].sort()),
});
/** Records in an order that does not depend on that of their samples. */
export const sortedRecords = (records: Iterable<MergedRecord>) =>
  [...records].map(shownRecord).sort((a, b) => (a.gpu.uuid < b.gpu.uuid ? -1 : 1));
