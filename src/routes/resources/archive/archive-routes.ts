import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { ArchiveSelection, ArchiveState, ListedArchiveFile } from "../../../domain/archive.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { listInFormat } from "../../http/formats/list-in-format.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { limit, nameOf } from "../../http/parameters/common.ts";
import { cursorParameter, encodeCursor, hasTypes } from "../../http/parameters/cursor.ts";
import { optional, type ValuesOf } from "../../http/parameters/parameter.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";
import { instant } from "../../schemas/envelope.ts";
import type { ResourceParts } from "../resource.ts";
import { archivedFileSchema, toApiFile } from "./archived-file.ts";

const archiveQuery = {
  cluster_id: optional(nameOf("Only files of this cluster", "local-cluster")),
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1d; from the hour that has it",
    end: "RFC 3339 with zone, or a time from now such as -1h; up to the hour that has it",
  }),
  limit: limit({ meaning: "At most this many files, those of the newest hours" }),
  cursor: cursorParameter({
    maxLength: 4096,
    following: "the files that follow",
    example: [1767243600000, "local-cluster"],
    positionOf: (place) =>
      hasTypes(place, "number", "string") ? { hour: place[0] as number, clusterId: place[1] as string } : undefined,
  }),
};

/** The route that lists the files of the archive. */
export function archiveRoutes({ archive }: Pick<ResourceParts, "archive">) {
  return new Elysia({ name: "archive", prefix: "/api/v1/archive" }).get(
    "",
    async ({ request, query }) => {
      const selection = selectionOf(query);
      const filter = { ...selection, limit: query.limit, ...defined({ after: query.cursor }) };
      const [files, state] = await Promise.all([archive.files(filter), archive.state(selection)]);
      const more = { total: state.files, next_cursor: cursorAfter(files, query.limit), ...figuresOf(state) };
      return listInFormat(request, { elements: files.map(toApiFile), schema: archivedFileSchema, more });
    },
    { ...accepts(archiveQuery), ...rowsUnread, detail },
  );
}

function selectionOf(query: ValuesOf<typeof archiveQuery>): ArchiveSelection {
  return { range: timeRangeOf(query), ...defined({ clusterId: query.cluster_id }) };
}

function cursorAfter(files: readonly ListedArchiveFile[], max: number): string | undefined {
  const last = files.length < max ? undefined : files.at(-1);
  return last && encodeCursor([last.hour, last.clusterId]);
}

function figuresOf({ records, bytes, waitingHours, waitingFromMs, failure, place }: ArchiveState) {
  const waitingFrom = waitingFromMs === undefined ? undefined : formatTimestamp(waitingFromMs);
  return { records, bytes, waiting_hours: waitingHours, ...defined({ waiting_from: waitingFrom, failure, place }) };
}

const counted = (description: string, example: number) =>
  Type.Integer({ minimum: 0, description, examples: [example] });

const detail = operation({
  id: "listArchive",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "Files of the archive",
  description:
    "The files that collectors have written to ARCHIVE_TO, the newest hour first, each with its records, its size and its SHA-256; and what waits to be archived.",
  part: archivedFileSchema,
  also: {
    place: Type.Optional(Type.String({ description: "The folder or the bucket; absent if nothing was ever archived" })),
    records: counted("Records in all selected files", 60000),
    bytes: counted("Size of all selected files", 2337676),
    waiting_hours: counted("Hours of all clusters that are over and not archived", 0),
    waiting_from: Type.Optional(instant("The first of these hours")),
    failure: Type.Optional(Type.String({ description: "Why the last attempt failed; absent if it did not" })),
  },
  errors: [400, 500, 503],
});
