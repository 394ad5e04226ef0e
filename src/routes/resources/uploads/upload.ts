import { type Static, Type } from "@sinclair/typebox";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { type Upload, uploadSourceId, uploadStates } from "../../../domain/upload.ts";
import { defined } from "../../../kit/defined.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

const counted = (description: string) => wholeNumber({ minimum: 0, description });

/** An upload as the API shows it. */
export const uploadSchema = Type.Object(
  {
    id: Type.String({ description: "Id of the upload" }),
    state: Type.Union(
      uploadStates.map((state) => Type.Literal(state)),
      {
        description:
          "receiving: bytes arrive; queued: all have arrived; reading: rows are read and stored; done: all rows are stored or rejected; cancelled; failed: message says why",
      },
    ),
    message: Type.String({ description: "One sentence that explains the state; empty if there is nothing to explain" }),
    file_name: Type.String({ description: "Name of the file; empty if its sender gave none" }),
    cluster_id: Type.String({ description: "Cluster of rows that name none" }),
    hostname: Type.Optional(Type.String({ description: "Host of rows that name none" })),
    sender: Type.String({ description: "Name of the key that sent it; anyone without keys" }),
    source_id: Type.Optional(
      Type.String({
        description: "Name under which the quarantine lists what was rejected; when all bytes have arrived",
      }),
    ),
    bytes_received: counted("Bytes that have arrived"),
    bytes_expected: Type.Optional(counted("Size of the request, if its sender has announced it")),
    percent_read: counted("Part of the table that is stored or rejected, 0 to 100"),
    rows_read: counted("Rows that are stored or rejected"),
    records_stored: counted("Records that are stored: one for each GPU and instant"),
    samples_stored: counted("Values in them"),
    rejected_count: counted("Rows and values that were rejected, and are in the quarantine"),
    rejected: Type.Record(Type.String(), wholeNumber({ minimum: 1 }), {
      description: "How many were rejected, by reason",
    }),
    created_at: instant("When it began"),
    changed_at: instant("When bytes last arrived or rows were last read"),
    finished_at: Type.Optional(instant("When it was done, cancelled or failed")),
  },
  {
    $id: "Upload",
    additionalProperties: false,
    description: "A table that a client has sent, and what has become of it",
    examples: [
      {
        ...{ id: "01K0FJ2Q0J8M3S6T9V2W5X8Y1Z", state: "done", message: "", file_name: "fleet.csv" },
        ...{ cluster_id: "local-cluster", sender: "ci", source_id: "upload:9f86d081884c7d659a2feaa0c55ad015" },
        ...{ bytes_received: 1048576, bytes_expected: 1048576, percent_read: 100 },
        ...{ rows_read: 2471, records_stored: 247, samples_stored: 2470 },
        ...{ rejected_count: 1, rejected: { missing_field: 1 } },
        ...{ created_at: "2025-07-18T20:50:00Z", changed_at: "2025-07-18T20:50:02Z" },
        finished_at: "2025-07-18T20:50:02Z",
      },
    ],
  },
);

/** An upload as the API shows it to its sender. */
export const receivedUploadSchema = Type.Object(
  {
    ...uploadSchema.properties,
    duplicate: Type.Boolean({ description: "True if this is an earlier upload with the same content" }),
  },
  {
    $id: "ReceivedUpload",
    additionalProperties: false,
    description: "An upload that was received",
    examples: [
      {
        ...{ id: "01K0FJ2Q0J8M3S6T9V2W5X8Y1Z", state: "queued", message: "", file_name: "fleet.csv" },
        ...{ cluster_id: "local-cluster", sender: "ci", source_id: "upload:9f86d081884c7d659a2feaa0c55ad015" },
        ...{ bytes_received: 1048576, bytes_expected: 1048576, percent_read: 0 },
        ...{ rows_read: 0, records_stored: 0, samples_stored: 0, rejected_count: 0, rejected: {} },
        ...{ created_at: "2025-07-18T20:50:00Z", changed_at: "2025-07-18T20:50:01Z", duplicate: false },
      },
    ],
  },
);

/** An upload in the API's shape. */
export function toApiUpload(upload: Upload): Static<typeof uploadSchema> {
  const { id, state, message, contentId, progress, createdAtMs, changedAtMs, finishedAtMs } = upload;
  const rejectedCount = Object.values(progress.rejected).reduce((sum, count) => sum + count, 0);
  return {
    ...{ id, state, message, file_name: upload.fileName, cluster_id: upload.clusterId },
    ...defined({ hostname: upload.hostname, source_id: contentId && uploadSourceId(contentId) }),
    sender: upload.sender,
    bytes_received: upload.receivedBytes,
    ...defined({ bytes_expected: upload.expectedBytes }),
    percent_read: percentOf(upload),
    ...{ rows_read: progress.rows, records_stored: progress.records, samples_stored: progress.samples },
    ...{ rejected_count: rejectedCount, rejected: progress.rejected },
    ...{ created_at: formatTimestamp(createdAtMs), changed_at: formatTimestamp(changedAtMs) },
    ...defined({ finished_at: finishedAtMs === undefined ? undefined : formatTimestamp(finishedAtMs) }),
  };
}

function percentOf({ state, progress, contentBytes = 0 }: Upload): number {
  if (state === "done") return 100;
  return contentBytes === 0 ? 0 : Math.floor((100 * progress.contentBytes) / contentBytes);
}
