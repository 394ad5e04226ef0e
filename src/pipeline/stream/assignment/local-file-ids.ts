import type { FileIds } from "../../source/file-ids.ts";
import type { TelemetryStore } from "../../store/telemetry-store.ts";

/** Chooses the id of a file that only this process reads. A file keeps the id that an earlier version gave it, if the store has messages
 *  with that id, so that it is not read again. */
export async function localFileId(
  { id, earlierId, digest }: FileIds,
  store: Pick<TelemetryStore, "progressOf">,
): Promise<string> {
  if (digest === undefined) return id;
  const isBegun = async (sourceId: string): Promise<boolean> => (await store.progressOf(sourceId)).stored.length > 0;
  return !(await isBegun(id)) && (await isBegun(earlierId)) ? earlierId : id;
}
