import { type Static, Type } from "@sinclair/typebox";
import type { ListedArchiveFile } from "../../../domain/archive.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** A file of the archive as the API shows it. */
export const archivedFileSchema = Type.Object(
  {
    hour: instant("Beginning of the hour of its records"),
    cluster_id: Type.String({ description: "Cluster of its records" }),
    path: Type.String({ description: "Path below the place of the archive" }),
    records: wholeNumber({ minimum: 0, description: "Records in it" }),
    bytes: wholeNumber({ minimum: 0, description: "Size" }),
    sha256: Type.String({ description: "SHA-256 of its bytes, in hexadecimal digits" }),
    written_at: instant("When it was written for the last time"),
  },
  {
    $id: "ArchivedFile",
    additionalProperties: false,
    description: "A file of the archive: the records of an hour of a cluster",
    examples: [
      {
        hour: "2026-01-01T05:00:00Z",
        cluster_id: "prod",
        path: "date=2026-01-01/cluster=prod/2026-01-01T05.parquet",
        records: 60000,
        bytes: 2337676,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        written_at: "2026-01-01T07:00:04Z",
      },
    ],
  },
);

/** A file of the archive in the API's shape. */
export function toApiFile(file: ListedArchiveFile): Static<typeof archivedFileSchema> {
  const { hour, clusterId, path, records, bytes, sha256, writtenAtMs } = file;
  return {
    ...{ hour: formatTimestamp(hour), cluster_id: clusterId, path, records, bytes, sha256 },
    written_at: formatTimestamp(writtenAtMs),
  };
}
