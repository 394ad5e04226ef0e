import type { Config } from "../config/parse-config.ts";
import { uploadSourceId } from "../domain/upload.ts";
import type { Service } from "../kit/service.ts";
import { readUploadInstrument, receivedUploadInstruments } from "../pipeline/observe/upload-instruments.ts";
import { NoCollector } from "../pipeline/source/push.ts";
import type { UploadIntake } from "../pipeline/source/upload.ts";
import { sentContent } from "../pipeline/source/upload/sent-content.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import { SqlUploadStore } from "../pipeline/store/sql/sql-upload-store.ts";
import type {
  ReadableUpload,
  UploadLimits,
  UploadList,
  UploadReceipt,
  UploadWork,
} from "../pipeline/store/upload-store.ts";
import { EtcdAssignment } from "../pipeline/stream/assignment/etcd-assignment.ts";
import { LocalAssignment } from "../pipeline/stream/assignment/local-assignment.ts";
import type { RangeAssignment } from "../pipeline/stream/assignment/range-assignment.ts";
import { BatchPublisher } from "../pipeline/stream/batch-publisher.ts";
import { StreamRetries } from "../pipeline/stream/stream-retries.ts";
import { Streamer } from "../pipeline/stream/streamer.ts";
import { KeptUploadIntake } from "../pipeline/stream/uploads/kept-upload-intake.ts";
import type { OpenedUpload } from "../pipeline/stream/uploads/upload-reading.ts";
import { UploadStream } from "../pipeline/stream/uploads/upload-stream.ts";
import { UploadUpkeep } from "../pipeline/upkeep/upload-upkeep.ts";
import { batchMaxRows, importedBatchRows } from "./open-source.ts";
import { publishingOf } from "./publishing.ts";
import type { SharedParts } from "./shared-parts.ts";

const mebibyte = 1024 * 1024;

/** UPLOAD_MAX_MIB in bytes. */
export const uploadMaxBytesOf = ({ uploadMaxMebibytes }: Pick<Config, "uploadMaxMebibytes">): number =>
  uploadMaxMebibytes * mebibyte;

/** What takes uploads and shows them. */
export interface GatewayUploads {
  readonly uploads: UploadList;
  readonly uploadIntake: UploadIntake;
  readonly uploadMaxBytes: number;
}

/** What a gateway needs to take uploads and to show them. */
export function openUploadIntake(
  { client, disk }: Pick<OpenStore, "client" | "disk">,
  { config, clock, registry }: Pick<SharedParts, "config" | "clock" | "registry">,
): GatewayUploads {
  const { uploadsMax, uploadsSpaceMebibytes } = config;
  const limits: UploadLimits = {
    maxUnfinished: uploadsMax,
    maxUnfinishedOfClient: Math.floor(uploadsMax / 2),
    maxStoredBytes: uploadsSpaceMebibytes * mebibyte,
  };
  const uploads = new SqlUploadStore(client);
  const uploadMaxBytes = uploadMaxBytesOf(config);
  const counts = receivedUploadInstruments(registry);
  const intake = new KeptUploadIntake({
    ...{ receipt: roomChecked(uploads, disk), limits, maxBytes: uploadMaxBytes, clock, onReceived: counts.onBytes },
    contentOf: (file) => sentContent(file, clock),
  });
  const isRead = isReadByCollectors(config);
  const uploadIntake: UploadIntake = {
    take: async (file, signal) => {
      try {
        if (!isRead) throw noCollector();
        const taken = await intake.take(file, signal);
        counts.onResult(taken.isDuplicate ? "duplicate" : "queued");
        return taken;
      } catch (error) {
        counts.onResult("failed");
        throw error;
      }
    },
  };
  return { uploads, uploadIntake, uploadMaxBytes };
}

/** No other process opens an embedded store. */
const isReadByCollectors = ({ databaseUrl, roles }: Pick<Config, "databaseUrl" | "roles">): boolean =>
  databaseUrl !== undefined || roles.includes("collector");

const noCollector = (): NoCollector =>
  new NoCollector(
    "No collector would read an upload to this gateway, because its store is in its own folder; start it with ROLE=collector,gateway, or set DATABASE_URL for it and for collectors",
  );

/** The services that read uploads. They are those of collectors, because streamers do not reach the database in every deployment. */
export function uploadServices({ client, store }: OpenStore, shared: SharedParts): readonly Service[] {
  const { queue, clock, log, registry, tracing } = shared;
  const retries = new StreamRetries(shared);
  const publisher = new BatchPublisher(publishingOf(shared, retries, importedBatchRows));
  const uploads = new SqlUploadStore(client);
  const stream = new UploadStream({
    ...{ publisher, retries, clock, log, tracing },
    work: counted(uploads, readUploadInstrument(registry)),
    progressOf: (sourceId) => store.progressOf(sourceId),
    stats: () => queue.stats(),
    open: async (upload, readPart) => openUpload(upload, { shared, readPart, assignment: assignmentOf(store, shared) }),
  });
  const noError = (): undefined => undefined;
  return [
    // a statement that it waits for must not hold up the collector of the same process
    new Streamer({ name: "uploads", stream, publisher, retries, sourceError: noError, isUpkeep: true, log }),
    new UploadUpkeep({ uploads, clock, log }),
  ];
}

interface UploadParts {
  readonly shared: SharedParts;
  readonly readPart: (number: number) => Promise<Uint8Array>;
  readonly assignment: RangeAssignment;
}

/** Loads what reads tables at the first upload. */
async function openUpload(upload: ReadableUpload, parts: UploadParts): Promise<OpenedUpload> {
  const { openUploadSource } = await import("../pipeline/source/upload/upload-source.ts");
  const { assignment, readPart, shared } = parts;
  const { config, clock } = shared;
  const { contentId, contentBytes, clusterId, hostname, receivedBytes: sizeBytes, partBytes } = upload;
  const source = await openUploadSource({
    ...{ name: upload.fileName || "The table", sourceId: uploadSourceId(contentId), clusterId, hostname, clock },
    ...{ sizeBytes, partBytes, readPart, contentBytes, maxBytes: uploadMaxBytesOf(config) },
    ...{ batchRows: config.batchSize ?? importedBatchRows, batchMaxRows },
  });
  return { upload, source, assignment };
}

/** With etcd, processes share an upload range by range. Without etcd, the store determines which ranges are left. Either way a range is
 *  a turn. */
function assignmentOf(store: OpenStore["store"], shared: SharedParts): RangeAssignment {
  const { config, etcd: client, clock, log, instanceId: streamerId } = shared;
  const { queueTopic: topic, queueLeaseSeconds: leaseSeconds, sourceRangeMebibytes } = config;
  const rangeBytes = sourceRangeMebibytes * mebibyte;
  if (client === undefined) return new LocalAssignment(store, rangeBytes);
  // the id of the source names the cluster of an upload already
  return new EtcdAssignment({ client, topic, clusterId: "", clock, log, streamerId, leaseSeconds, rangeBytes });
}

/** Takes no more bytes while the disk of an embedded store has no room: history is deleted to make some. */
function roomChecked(receipt: UploadReceipt, disk: OpenStore["disk"]): UploadReceipt {
  if (disk === undefined) return receipt;
  return {
    partBytes: receipt.partBytes,
    begin: (upload, limits) => receipt.begin(upload, limits),
    add: async (part, limits) => {
      await disk.makeRoom();
      await receipt.add(part, limits);
    },
    finish: (id, contentId) => receipt.finish(id, contentId),
    end: (id, end) => receipt.end(id, end),
  };
}

/** Counts the uploads that end. */
function counted(work: UploadWork, count: (state: string) => void): UploadWork {
  return {
    readable: () => work.readable(),
    part: (id, number) => work.part(id, number),
    progressed: (id, reading) => work.progressed(id, reading),
    end: async (id, end) => {
      const ended = await work.end(id, end);
      if (ended !== undefined) count(end.state);
      return ended;
    },
  };
}
