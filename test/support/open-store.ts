import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";

/** Opens a real store in memory. */
export function openMemoryStore(): Promise<OpenStore> {
  return openPGliteStore({ memory: true });
}
