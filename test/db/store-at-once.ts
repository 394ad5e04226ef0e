import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { manyMessages } from "../support/many-messages.ts";

// A process that stores many messages at once, for tests that kill it. The argument is the URL of a database.

const { store } = await openPostgresStore({ url: process.argv[2] ?? "", migrate: false });
await Promise.all(manyMessages().map((message) => store.ingest(message)));
process.exit(0);
