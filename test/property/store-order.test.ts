import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { exerciseAnyOrder } from "../contract/any-order.ts";
import { openMemoryStore } from "../support/open-store.ts";

/** A PGlite in memory is a database of its own, so both collectors use the same one. */
let shared: Promise<OpenStore> | undefined;
const openShared = (): Promise<OpenStore> => (shared ??= openMemoryStore());

exerciseAnyOrder("PGlite", { open: openShared, another: openShared, runs: 50 });
