import { unshownLog } from "../../dev/unshown-log.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";

// A process that archives to the folder of its first argument until it is killed; a test starts it.

const url = process.env["DATABASE_URL"] ?? "";
const { archive: ledger, queries } = await openPostgresStore({ url, migrate: false });
const files = openArchiveFiles(process.argv[2] ?? "");
const parts = { ledger, files, queries, format: archiveFormat, clock, log: unshownLog() };
await new ArchiveUpkeep({ ...parts, afterMinutes: 0, instanceId: `process ${process.pid}` }).start();
