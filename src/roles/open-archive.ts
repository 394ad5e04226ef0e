import { resolve } from "node:path";
import type { Config } from "../config/parse-config.ts";
import type { OpenHours } from "../domain/archive.ts";
import { defined } from "../kit/defined.ts";
import { showArchive } from "../pipeline/observe/archive-instruments.ts";
import { settleAge } from "../pipeline/store/history-settling.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import type { ArchiveFiles } from "../pipeline/upkeep/archive/archive-files.ts";
import type { ArchiveFormat } from "../pipeline/upkeep/archive/archive-format.ts";
import { openArchiveFiles, s3Form } from "../pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../pipeline/upkeep/archive-upkeep.ts";
import { recordColumns } from "../routes/http/formats/columns.ts";
import { parquetColumns } from "../routes/http/formats/parquet-columns.ts";
import { exportedRecordSchema, fromExportedRecord, toExportedRecord } from "../routes/schemas/exported-record.ts";
import type { SharedParts } from "./shared-parts.ts";

/** The service that writes the archive; none without ARCHIVE_TO. */
export function archiveUpkeep({ archive: ledger, queries }: OpenStore, shared: SharedParts): ArchiveUpkeep[] {
  const { config, clock, log, instanceId, registry } = shared;
  const files = archiveFilesOf(config);
  if (files === undefined) return [];
  const afterMinutes = config.archiveAfterMinutes;
  const upkeep = new ArchiveUpkeep({
    ...{ ledger, files, queries, format: archiveFormat, afterMinutes, instanceId, clock, log },
  });
  showArchive(() => upkeep.current, registry);
  return [upkeep];
}

/** What finds the records that may not be deleted yet; undefined without ARCHIVE_TO. */
export function unarchivedHours(
  { archive }: Pick<OpenStore, "archive">,
  config: Config,
): (() => Promise<OpenHours>) | undefined {
  if (config.archiveTo === undefined) return undefined;
  return () => archive.open(settleAge(config.archiveAfterMinutes));
}

function archiveFilesOf(config: Config): ArchiveFiles | undefined {
  const { archiveTo: place, s3Endpoint, s3Region, s3AccessKeyId, s3SecretAccessKey, s3SessionToken } = config;
  if (place === undefined) return undefined;
  const access = defined({
    ...{ endpoint: s3Endpoint, region: s3Region, accessKeyId: s3AccessKeyId },
    ...{ secretAccessKey: s3SecretAccessKey, sessionToken: s3SessionToken },
  });
  return openArchiveFiles(s3Form.test(place) ? place : resolve(place), access);
}

const allKinds = { hasMigInstances: true, hasSharedDevices: true };
const columns = parquetColumns(recordColumns(exportedRecordSchema, undefined, allKinds), exportedRecordSchema, []);

/** The format of the archive's files: that of exports, with all columns. */
export const archiveFormat: ArchiveFormat = {
  rowOf: toExportedRecord,
  recordOf: fromExportedRecord,
  begin: async () => {
    const { ParquetFile } = await import("../routes/http/formats/parquet-file.ts");
    return new ParquetFile(columns);
  },
};
