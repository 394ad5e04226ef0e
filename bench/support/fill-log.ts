import type { Sql } from "postgres";

/** What PostgreSQL writes to its log for a sample and for its settling, at most. */
const bytesPerSample = 200;
const mebibyte = 2 ** 20;

/** Makes PostgreSQL write and recycle as much of its write-ahead log as an import needs, which then finds files to write over, as on a server
 *  that has run for a while. On a new server, making these files takes a fifth to a third of its processor time. */
export async function fillLog(sql: Sql, samples: number): Promise<void> {
  const mebibytes = Math.ceil((samples * bytesPerSample) / mebibyte);
  // after the second checkpoint, the server keeps as many files as it has filled between the two
  for (let checkpoint = 0; checkpoint < 2; checkpoint += 1) {
    await sql`select pg_logical_emit_message(false, 'fill', repeat('x', ${mebibyte}::int)) from generate_series(1, ${mebibytes}::int)`;
    await sql`checkpoint`;
  }
}
