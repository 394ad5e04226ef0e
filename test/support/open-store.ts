import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";

/** A real store in memory, which is lost when it is closed. */
export function openMemoryStore(): Promise<OpenStore> {
  return openPGliteStore({ memory: true });
}
