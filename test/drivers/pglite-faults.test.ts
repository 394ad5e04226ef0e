import { exerciseFaultStore } from "../contract/fault-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

exerciseFaultStore("PGlite", openMemoryStore);
