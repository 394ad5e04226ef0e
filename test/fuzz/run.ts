import { parseArgs } from "node:util";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { type LoadedGateway, startLoadedGateway } from "../support/loaded-gateway.ts";
import type { FuzzedGateway } from "./gateway/requests.ts";
import { fuzzRound, processorMs, residentBytes } from "./gateway/rounds.ts";
import type { Order, Report } from "./in-process.ts";
import { walk } from "./openapi/walk.ts";
import { type FuzzState, inputsIn, noteFound, openState, saveState } from "./state.ts";

const usage = `Gives mutated inputs to everything that reads what others write, in process and over HTTP and sockets, until the time is over
or it is interrupted. The next run goes on where this one has ended: .fuzz/state.json has the seed and the counts.
  bun run test:fuzz [--minutes 2] [--seed N] [--new] [--only NAME] [--in-process | --gateway]
Prints what was read wrongly, and exits with status 1 if anything ever was since --new. The same seed makes the same inputs.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string" },
    new: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    "in-process": { type: "boolean", default: false },
    gateway: { type: "boolean", default: false },
  },
});
const state = openState(values.seed === undefined ? undefined : Number(values.seed), values.new);
const stopping = new AbortController();
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(`--minutes ${values.minutes} is not usable: expected a number above 0, such as 60 or 0.5`);
  process.exit(2);
}
const untilMs = performance.now() + minutes * 60_000;
const isOver = (): boolean => stopping.signal.aborted || performance.now() >= untilMs;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());

/** A slice hangs that has taken this much of the processor's time, or not ended after `silentMs`, which is also the time for an answer of
 *  a gateway: the machine may be busy. */
const hangMs = 60_000;
const silentMs = 900_000;
/** So many inputs are left out after one that hangs or ends the process. */
const skippedInputs = 5000;
const maxResidentMiB = 3000;
const key = `gtp_fuzz_${"a".repeat(43)}`;

/** Lets a process read inputs until it ends, hangs, or the time is over. */
async function readInProcess(state: FuzzState): Promise<void> {
  let last: Report | undefined;
  let heard = { atMs: performance.now(), processorMs: 0 };
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/in-process.ts`], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (report: Report) => {
      last = report;
      heard = { atMs: performance.now(), processorMs: processorMs(child.pid) };
      if (report.kind === "begins") return;
      const { subject, inputs, wrong, residentMiB } = report;
      state.inputs[subject] = (state.inputs[subject] ?? 0) + inputs;
      if (wrong !== undefined) noteFound(state, { where: `${subject} #${wrong.at}`, message: wrong.message });
      if (residentMiB > maxResidentMiB)
        noteFound(state, { where: subject, message: `the process takes ${Math.round(residentMiB)} MiB` });
    },
  });
  let hasEnded = false;
  void child.exited.then(() => (hasEnded = true));
  const order: Order = { seed: state.seed, from: state.inputs, only: values.only };
  child.send(order);
  const hangs = (): boolean =>
    processorMs(child.pid) - heard.processorMs > hangMs || performance.now() - heard.atMs > silentMs;
  while (!isOver() && !hasEnded && !hangs()) await Bun.sleep(500);
  if (!isOver()) {
    const end = child.signalCode ?? `status ${child.exitCode}`;
    const what = hasEnded ? `ends the process with ${end}` : `does not end within ${hangMs / 1000} s`;
    const where = last?.kind === "begins" ? `${last.subject} #${last.from} or a later one` : "no subject";
    noteFound(state, { where, message: `an input ${what}` });
    // the next process does not begin with it again
    if (last?.kind === "begins") state.inputs[last.subject] = (state.inputs[last.subject] ?? 0) + skippedInputs;
  }
  child.kill("SIGKILL");
  await child.exited;
}

/** One client sends everything, and what a limit refuses is not read. */
const withoutLimits = {
  ...{
    HTTP_RATE_LIMIT_PER_SECOND: "0",
    HTTP_UNAUTHENTICATED_PER_SECOND: "0",
    CLIENT_ROWS_PER_MINUTE: "0",
    CLIENT_MAX_HEAVY_QUERIES: "100",
  },
  ...{ CLIENT_MAX_SOCKETS: "0", CLIENT_MAX_SUBSCRIPTIONS: "0", CLIENT_MAX_EXPORTS: "0" },
};

/** Sends inputs to a gateway until it ends or the time is over. */
async function sendToGateway(state: FuzzState): Promise<void> {
  const loaded = await startLoadedGateway({ AUTH_BOOTSTRAP_KEY: key, ...withoutLimits }, silentMs).catch(
    (error: unknown) => console.log(String(error).slice(-500)),
  );
  if (loaded === undefined) return Bun.sleep(1000);
  const gateway = { ...loaded, answerWithinMs: silentMs };
  try {
    while (!isOver() && gateway.isAlive()) await sendRound(state, gateway);
    console.log(`the gateway takes ${Math.round(residentBytes(gateway.processId) / 1024 ** 2)} MiB`);
  } finally {
    await gateway.stop();
  }
}

/** Of so many rounds, one consists of requests made from the OpenAPI document, whose answers are checked against it. */
const walkEvery = 50;

async function sendRound(state: FuzzState, gateway: LoadedGateway & FuzzedGateway): Promise<void> {
  const { seed, rounds: round } = state;
  state.rounds += 1;
  try {
    if (round % walkEvery === 0) {
      const { answers, mismatch } = await walk(gateway, 400, seed ^ round);
      state.sent += [...answers.values()].reduce((sum, count) => sum + count, 0);
      if (mismatch !== undefined) noteFound(state, { where: `OpenAPI #${round}`, message: mismatch });
    } else state.sent += await fuzzRound(gateway, { key, seed, round });
  } catch (error) {
    noteFound(state, { where: `gateway #${round}`, message: error instanceof Error ? error.message : String(error) });
  }
}

async function until(work: (state: FuzzState) => Promise<void>): Promise<void> {
  while (!isOver()) await work(state);
}

console.log(`seed ${state.seed}, after ${inputsIn(state)} inputs in process and ${state.sent} over HTTP and sockets`);
const saving = setInterval(() => saveState(state), 1000);
await Promise.all([
  ...(values.gateway ? [] : [until(readInProcess)]),
  ...(values["in-process"] ? [] : [until(sendToGateway)]),
]);
clearInterval(saving);
saveState(state);
for (const [subject, count] of Object.entries(state.inputs)) console.log(`${String(count).padStart(9)} ${subject}`);
console.log(
  `${inputsIn(state)} inputs in process, ${state.sent} over HTTP and sockets, ${state.found.length} faults; seed ${state.seed}`,
);
process.exit(state.found.length === 0 ? 0 : 1);
