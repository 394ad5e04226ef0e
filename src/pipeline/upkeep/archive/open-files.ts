import type { ArchiveFiles } from "./archive-files.ts";
import { FolderFiles } from "./folder-files.ts";
import { type S3Access, S3Files } from "./s3-files.ts";

/** The form of a place in a store of objects. */
export const s3Form = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Opens the place that a text names: a folder, or s3://bucket/prefix. Nothing is read or written yet. */
export function openArchiveFiles(place: string, access: S3Access = {}): ArchiveFiles {
  const [, bucket, path = ""] = s3Form.exec(place) ?? [];
  if (bucket === undefined) return new FolderFiles(place);
  const prefix = path.replace(/\/+$/, "");
  return new S3Files(bucket, prefix === "" ? "" : `${prefix}/`, access);
}
