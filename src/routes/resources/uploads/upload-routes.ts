import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ApiError } from "../../http/api-error.ts";
import { requesterOf } from "../../http/access/requester.ts";
import { listInFormat } from "../../http/formats/list-in-format.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt, acceptsBody } from "../../http/parameters/accepts.ts";
import { limit, nameOf, noQuery } from "../../http/parameters/common.ts";
import { optional, text } from "../../http/parameters/parameter.ts";
import { single } from "../../schemas/envelope.ts";
import type { ResourceParts } from "../resource.ts";
import { receivedUploadSchema, toApiUpload, uploadSchema } from "./upload.ts";
import { sentBodyOf, uploadErrorOf, uploadTypes } from "./upload-request.ts";

const uploadQuery = {
  hostname: optional(
    nameOf("Host of the rows that name none, such as a table of nvidia-smi; without it, these are rejected", "lab-1"),
  ),
  cluster_id: optional(nameOf("Cluster of the rows that name none; by default CLUSTER_ID", "local-cluster")),
  file_name: optional(nameOf("Name of the file, if it is not sent as a form, which has its name", "fleet.csv")),
};

const listQuery = { limit: limit({ meaning: "At most this many uploads, the newest ones", maximum: 1000 }) };

const uploadParams = {
  id: text({ maxLength: 64, description: "Id of the upload", example: "01K0FJ2Q0J8M3S6T9V2W5X8Y1Z" }),
};

type UploadParts = Pick<ResourceParts, "uploads" | "uploadIntake" | "uploadMaxBytes" | "clusterId">;

/** The routes that take, show, cancel and remove uploads. */
export function uploadRoutes({ uploads, uploadIntake, uploadMaxBytes, clusterId }: UploadParts) {
  return new Elysia({ name: "uploads", prefix: "/api/v1/csv" })
    .post(
      "/upload",
      async ({ request, query, set }) => {
        const body = sentBodyOf(request, uploadMaxBytes);
        const { client, caller } = requesterOf(request);
        const names = { fileName: query.file_name ?? "", clusterId: query.cluster_id ?? clusterId };
        const sender = { client, sender: caller.grant.name || "anyone", hostname: query.hostname };
        const { upload, isDuplicate } = await uploadIntake
          .take({ ...body, ...names, ...sender }, request.signal)
          .catch((error: unknown) => Promise.reject(uploadErrorOf(error, uploadMaxBytes)));
        set.status = 202;
        return single({ ...toApiUpload(upload), duplicate: isDuplicate });
      },
      { ...acceptsBody(uploadQuery), detail: uploadDetail },
    )
    .get(
      "/uploads",
      async ({ request, query }) => {
        const elements = (await uploads.list(query.limit)).map(toApiUpload);
        return listInFormat(request, { elements, schema: uploadSchema });
      },
      { ...accepts(listQuery), ...rowsUnread, detail: listDetail },
    )
    .get("/uploads/:id", async ({ params: { id } }) => single(toApiUpload(found(id, await uploads.find(id)))), {
      ...acceptsAt(uploadParams, noQuery),
      detail: findDetail,
    })
    .delete(
      "/uploads/:id",
      async ({ request, params: { id } }) => {
        const { caller } = requesterOf(request);
        const message = `Cancelled by ${caller.grant.name || "anyone"}; rows that were read before are stored`;
        const ended = await uploads.end(id, { state: "cancelled", message });
        return single(toApiUpload(found(id, ended ?? (await uploads.remove(id)))));
      },
      { ...acceptsAt(uploadParams, noQuery), detail: deleteDetail },
    );
}

/** @throws ApiError 404 */
function found<T>(id: string, upload: T | undefined): T {
  if (upload !== undefined) return upload;
  const message = `There is no upload with id ${JSON.stringify(id)}`;
  throw new ApiError(404, "not_found", { message, details: { resource: "upload", id } });
}

function bodyContent(type: string): { readonly schema: TSchema } {
  if (type !== "multipart/form-data")
    return { schema: Type.String({ format: "binary", description: "The file as it is" }) };
  const file = Type.String({ format: "binary", description: "The file; its part may have any name" });
  return { schema: Type.Object({ file }) };
}

const uploadDetail = operation({
  id: "uploadTable",
  tag: "input",
  access: { scope: "write" },
  summary: "Upload a CSV file",
  description:
    "Takes a table of telemetry of up to UPLOAD_MAX_MIB, as a form (curl -F file=@fleet.csv) or as the body itself, plain or packed with gzip or " +
    "zstd, and answers when all of its bytes are kept; it is then read like CSV_FILE. The same content, with the same hostname and cluster_id, is kept " +
    "once: the answer is the earlier upload, with duplicate.",
  body: { required: true, content: Object.fromEntries(uploadTypes.map((type) => [type, bodyContent(type)])) },
  single: receivedUploadSchema,
  status: 202,
  errors: [400, 413, 415, 500, 503],
});

const listDetail = operation({
  id: "listUploads",
  tag: "input",
  access: { scope: "read", selectors: "refused" },
  summary: "Uploaded tables",
  description:
    "The newest uploads, newest first, each with what has become of its rows. Of those that have ended, 1,000 are kept.",
  list: uploadSchema,
  errors: [400, 500, 503],
});

const findDetail = operation({
  id: "getUpload",
  tag: "input",
  access: { scope: "read", selectors: "refused" },
  summary: "One uploaded table",
  description: "How far an upload is. What was rejected is in the quarantine, under its source_id.",
  single: uploadSchema,
  errors: [400, 404, 500, 503],
});

const deleteDetail = operation({
  id: "deleteUpload",
  tag: "input",
  access: { scope: "write" },
  summary: "Cancel an upload, or remove it from the list",
  description:
    "Cancels an upload that is received, waits or is read: its bytes are deleted, rows that were read before stay stored, and it stays in the list " +
    "as cancelled. Removes one that is done, cancelled or failed from the list; its records stay. Returns the upload.",
  single: uploadSchema,
  errors: [400, 404, 413, 415, 500, 503],
});
