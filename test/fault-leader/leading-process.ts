import { type PipelineProcess, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import type { SqlClient } from "../../src/db/client.ts";

/** The process that evaluates faults in a term. */
export interface LeadingProcess {
  readonly process: PipelineProcess;
  readonly term: number;
}

/** The process that evaluates faults, by the database. @param started those among which it is looked for */
export async function leadingProcess(
  client: SqlClient,
  started: readonly PipelineProcess[],
): Promise<LeadingProcess | undefined> {
  const [row] = await client.query<{ leader: string; term: number }>(
    "select leader, term::float8 as term from fault_leader",
  );
  const process = started.find(({ subprocess }) => row?.leader.includes(`:${subprocess.pid}:`));
  return row && process && { process, term: row.term };
}

/** Waits for a leader in a later term. */
export function leaderAfter(
  term: number,
  client: SqlClient,
  started: readonly PipelineProcess[],
): Promise<LeadingProcess> {
  return until(async () => {
    const now = await leadingProcess(client, started);
    return now !== undefined && now.term > term ? now : undefined;
  });
}

/** True if a process says that it evaluates faults. */
export async function leads(process: PipelineProcess): Promise<boolean> {
  const text = await (await fetch(`${await urlOf(process)}/metrics`)).text();
  return text.includes("\ntelemetry_fault_leader 1\n");
}

/** Ends processes, also those that are frozen. */
export async function endAll(started: readonly PipelineProcess[]): Promise<void> {
  for (const each of started) {
    each.subprocess.kill("SIGCONT");
    await stopPipeline(each, "SIGKILL");
  }
}
