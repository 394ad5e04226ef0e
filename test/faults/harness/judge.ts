import { until } from "../../../dev/until.ts";
import { get, prefixRange } from "../../../src/etcd/requests.ts";
import { readPlan } from "../../../src/pipeline/stream/assignment/stored-plan.ts";
import { checkContent, checkHistory, checkLeftovers, checkPositions } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";
import { checkNewestState } from "./newest-state.ts";
import { checkOwnKeys } from "./own-keys.ts";
import { stallMs } from "./processes.ts";
import type { PlainRun, SeedRun } from "./seed-run.ts";
import { checkFaultsTold } from "./told/faults-told.ts";
import type { WatchedRun } from "./told/watched-run.ts";
import type { Worker } from "./workers.ts";

/** Clean ends of a process: exit status 0, 130 after a second SIGTERM, the signal SIGTERM if it came before any code ran,
 *  and 1 if the process found no database at its start. */
const cleanEnd = / (?:(?:0|130|SIGTERM)(?:, not up)?|1, not up)$/;

/** Judges how processes ended.
 *  @param ends  the name of each process and the result of `Worker.stop` */
export function checkEnds(ends: readonly string[]): string[] {
  return ends.filter((end) => !cleanEnd.test(end)).map((end) => `stop: ${end}`);
}

/** I5: everything is published, and the queue drains to zero. Waits until it has drained, or nothing has changed for `stallMs`.
 *  @returns the violation; an empty list once the queue is drained */
export async function waitUntilDrained({ etcd, queue, chosenCheckpoints }: SeedRun): Promise<string[]> {
  const read = async () => {
    const { plan, ranges } = await chosenCheckpoints();
    const messages = { request_range: { ...prefixRange(queue.messages), keys_only: true } };
    return etcd.txn({ success: [get(plan), { request_range: prefixRange(ranges) }, messages] });
  };
  let seen = "";
  let changedAtMs = Date.now();
  while (Date.now() - changedAtMs < stallMs) {
    const { responses } = await read().catch(() => ({ responses: [] }));
    const [plans, ranges, messages] = responses.map(({ response_range }) => response_range);
    const plan = plans?.kvs[0];
    if (plan !== undefined && readPlan(plan.value).state === "done" && messages?.count === "0") return [];
    const now = `the plan is ${plan?.value.toString()}, ${messages?.count} messages are queued, ranges: ${ranges?.kvs.map(({ value }) => value.toString()).join()}`;
    if (messages !== undefined && now !== seen) [seen, changedAtMs] = [now, Date.now()];
    await Bun.sleep(200);
  }
  return [`I5: not drained, and nothing has changed for ${stallMs / 1000} s: ${seen.slice(0, 500)}`];
}

/** A process with nothing to do finds out within this time that what it uses works again: upkeep that failed is tried again after 60 s. */
const recoveryMs = 80_000;

/** /health goes on to say that etcd or the database has lost what it had, although everything works again. */
const isSaidAfterwards = /has come back empty or with an older state|an older or another database answers/;

/** Waits until /health of every process is ok, also while one of the members of etcd is down. The others may have done the work of a
 *  process that is stuck.
 *  @returns the violations */
export async function checkHealth(workers: readonly Worker[]): Promise<string[]> {
  const check = async (worker: Worker): Promise<string[]> => {
    let last: string[] | undefined;
    const isHealthy = async (): Promise<boolean> => {
      last = (await worker.complaints())?.filter((complaint) => !isSaidAfterwards.test(complaint));
      return last?.length === 0;
    };
    return until(isHealthy, { timeoutMs: recoveryMs, everyMs: 200 }).then(
      () => [],
      () => [`/health of ${worker.name}: ${last?.join("; ") ?? "no answer"}`],
    );
  };
  return (await Promise.all(workers.map(check))).flat();
}

/** I5 for a run without a file: waits until every message is stored, or nothing has changed for `stallMs`. @returns the violation */
export async function waitUntilStored({ etcd, queue }: PlainRun): Promise<string[]> {
  let [left, changedAtMs] = ["", Date.now()];
  while (left !== "0" && Date.now() - changedAtMs < stallMs) {
    const { count } = await etcd.range({ ...prefixRange(queue.messages), count_only: true });
    if (count !== left) [left, changedAtMs] = [count, Date.now()];
    await Bun.sleep(100);
  }
  return left === "0" ? [] : [`I5: ${left} messages are left, and nothing has changed for ${stallMs / 1000} s`];
}

/** Checks I1, I2, I6, I7 and I10 for a run that is drained and stopped, against the run's source, and I11 if it has watched GPUs.
 *  @returns the violations */
export async function checkResult(run: SeedRun, ledger: Ledger, watched?: WatchedRun): Promise<string[]> {
  const { etcd, database, queue, possibleCheckpoints } = run;
  const all = watched?.fleet.addTo(ledger) ?? ledger;
  return [
    ...(await checkContent(all, database)),
    ...(await checkHistory(all, database)),
    ...(await checkPositions(ledger, database)),
    ...(await checkOwnKeys(all, database)),
    ...(await checkLeftovers(etcd, queue, possibleCheckpoints)),
    ...(await checkNewestState(ledger, run)),
    ...(watched === undefined ? [] : await checkFaultsTold(watched, database)),
  ];
}
