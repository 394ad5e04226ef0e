import { readFileSync } from "node:fs";
import { randomFrom } from "../../support/random.ts";
import { must } from "../subject.ts";
import { type FuzzedGateway, sendBytes, sendRequest } from "./requests.ts";
import { sendMessages } from "./sockets.ts";

/** Inputs of each kind in a round. */
const roundSizes = { requests: 96, bytes: 32, connections: 4 } as const;
/** A gateway that needs more has lost control of its memory. With its database, it takes about 0.5 GiB. */
const maxResidentBytes = 3 * 1024 ** 3;

/** Sends one round of inputs: requests, bytes and sockets, all at once; then checks that the gateway is as before. The same seed and
 *  round make the same inputs.
 *  @returns how many inputs were sent
 *  @throws WrongInput or Error if the gateway failed */
export async function fuzzRound(
  gateway: FuzzedGateway,
  { key, seed, round }: { readonly key: string; readonly seed: number; readonly round: number },
): Promise<number> {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1) ^ round);
  const loggedBefore = gateway.output().length;
  const { requests, bytes, connections } = roundSizes;
  const counts = await Promise.all([
    ...Array.from({ length: requests }, () => sendRequest(gateway, key, randomFrom(random() * 2 ** 32)).then(() => 1)),
    ...Array.from({ length: bytes }, () => sendBytes(gateway, key, randomFrom(random() * 2 ** 32)).then(() => 1)),
    ...Array.from({ length: connections }, () => sendMessages(gateway, key, randomFrom(random() * 2 ** 32))),
  ]);
  must(gateway.isAlive(), `the gateway has ended:\n${gateway.output().slice(-3000)}`);
  const { status } = await fetch(`${gateway.url}/health/live`, { signal: AbortSignal.timeout(gateway.answerWithinMs) });
  must(status === 200, `/health/live is ${status}`);
  const logged = gateway.output().slice(loggedBefore);
  must(!/"level":"(?:error|fatal)"/.test(logged), `the gateway has logged an error:\n${logged.slice(0, 3000)}`);
  const resident = residentBytes(gateway.processId);
  must(resident < maxResidentBytes, `the gateway takes ${Math.round(resident / 1024 ** 2)} MiB`);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The memory of a process; 0 if the system does not say. */
export function residentBytes(processId: number): number {
  try {
    const status = readFileSync(`/proc/${processId}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The time that a process has had the processor, at the usual 100 ticks a second; 0 if the system does not say. */
export function processorMs(processId: number): number {
  try {
    const fields = readFileSync(`/proc/${processId}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}
