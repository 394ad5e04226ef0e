import { UploadGone, UploadRefused } from "../../../domain/errors.ts";
import type { SentFile } from "../../../pipeline/source/upload.ts";
import { ApiError } from "../../http/api-error.ts";
import { badBody, bodyErrorOf, tooLarge, unsupportedHeader, uploaded } from "../telemetry/body-errors.ts";

const formType = "multipart/form-data";
/** The types of a body that is the file itself. */
const fileTypes = [
  ...["text/csv", "application/csv", "application/octet-stream"],
  ...["application/gzip", "application/x-gzip", "application/zstd"],
];
/** A packed file shows by its first bytes how it is packed. */
const codings = ["gzip", "x-gzip", "zstd", "identity"];

/** The content types of uploads. */
export const uploadTypes = [formType, ...fileTypes];

/** Finds out how a request's body has the file.
 *  @throws ApiError 415 with what is supported, 413 if it says that it is too large, 400 if there is none */
export function sentBodyOf(
  { headers, body }: Request,
  maxBytes: number,
): Pick<SentFile, "form" | "body" | "expectedBytes"> {
  const contentType = headers.get("content-type") ?? "";
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (!uploadTypes.includes(type)) throw unsupportedHeader("content-type", type, uploadTypes);
  const isForm = type === formType;
  const coding = (headers.get("content-encoding") ?? "").trim().toLowerCase() || "identity";
  const supported = isForm ? ["identity"] : codings;
  if (!supported.includes(coding)) throw unsupportedHeader("content-encoding", coding, supported);
  const length = headers.get("content-length");
  const expectedBytes = length === null ? undefined : Number(length);
  // a form has some bytes besides its file
  if ((expectedBytes ?? 0) > maxBytes + (isForm ? formMaxBytes : 0))
    throw tooLarge(`The body has ${expectedBytes} bytes`, { kind: uploaded, maxBytes });
  if (body === null) throw badBody("The body is empty; send a file");
  return { form: isForm ? contentType : undefined, body, expectedBytes };
}

const formMaxBytes = 64 * 1024;

/** The error that answers an upload that was not taken. */
export function uploadErrorOf(error: unknown, maxBytes: number): Error {
  if (error instanceof UploadRefused) {
    const { message, retryAfterSeconds } = error;
    return new ApiError(429, "no_room", {
      message: `${message}; send it again in ${retryAfterSeconds} s`,
      details: { retry_after_seconds: retryAfterSeconds },
    });
  }
  return error instanceof UploadGone ? badBody(error.message) : bodyErrorOf(error, { kind: uploaded, maxBytes });
}
