import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";

// A child process of postgres-client.test.ts: takes a lock, says so, and then asks for 50 MB, in one transaction.

const client = new PostgresClient({ url: process.argv[2] ?? "", maxConnections: 1, clock: systemClock });
await client.transaction(async (transaction) => {
  await transaction.query("set local tcp_user_timeout = 1000");
  await transaction.query("select pg_advisory_xact_lock(4711)");
  process.send?.("locked");
  await transaction.query(
    "select repeat('x', 1000000) as much from (select pg_sleep(0.5)) s, generate_series(1, 50) as g",
  );
});
