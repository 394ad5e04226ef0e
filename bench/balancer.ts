import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { httpLoad, type HttpRate } from "./support/http-load.ts";
import { grouped, print } from "./support/output.ts";
import { usageOf } from "./support/process-usage.ts";
import { median } from "./support/statistics.ts";

//   bun bench/balancer.ts [--seconds N] [--rounds N] [--connections N]
// Measures what the balancer costs: requests to plain Bun.serve, directly and through the balancer, in turns. The server answers with a
// body of the given number of bytes. Processes, and the client of the load, share the machine.

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "32" },
  },
});
const [seconds, rounds, connections] = [Number(values.seconds), Number(values.rounds), Number(values.connections)];

interface Child {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a program of this repository, and waits until it has printed its URL. */
async function start(program: string, env: Record<string, string>): Promise<Child> {
  const child = Bun.spawn([process.execPath, program], {
    ...{ cwd: `${import.meta.dir}/..`, env: { ...process.env, ...env }, stdout: "pipe", stderr: "inherit" },
  });
  // not `for await`, which would close the pipe at the end of the loop
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let [text, url] = ["", undefined as string | undefined];
  while (url === undefined) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${program} ended:\n${text}`);
    text += decoder.decode(value, { stream: true });
    url = /http:\/\/[\w.]+:\d+/.exec(text)?.[0];
  }
  const stop = async (): Promise<void> => {
    child.kill();
    await child.exited;
  };
  return { url, pid: child.pid, stop };
}

type Cost = HttpRate & { readonly cpuPer10k: number };

/** @param pids the processes whose processor time counts, per 10,000 requests */
async function costOf(url: string, pids: readonly number[]): Promise<Cost> {
  const before = usageOf(pids).cpuSeconds;
  const rate = await httpLoad({ url, connections, seconds });
  // the processor time includes the warm-up of 1 s, so the requests of the warm-up are added
  const requests = rate.perSecond * (seconds + 1);
  return { ...rate, cpuPer10k: ((usageOf(pids).cpuSeconds - before) / requests) * 10_000 };
}

const show = ({ perSecond, cpuPer10k, p50Ms, p99Ms }: Cost): string =>
  `${grouped(perSecond)}/s, ${cpuPer10k.toFixed(2)} CPU-s per 10,000 (p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms)`;

async function compare(bodyBytes: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
  const path = join(folder, "body");
  await Bun.write(path, "x".repeat(bodyBytes));
  const server = await start("bench/http/bare-server.ts", { BODY_FILE: path });
  const balancer = await start("scripts/balancer.ts", { BALANCER_PORT: "0", BALANCER_BACKENDS: server.url });
  try {
    await untilReady(balancer.url);
    const costs: { readonly direct: Cost; readonly through: Cost }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const direct = await costOf(server.url, [server.pid]);
      const through = await costOf(balancer.url, [server.pid, balancer.pid]);
      costs.push({ direct, through });
      print(`  direct ${show(direct)}; through the balancer ${show(through)}`);
    }
    const rate = median(costs.map(({ direct, through }) => through.perSecond / direct.perSecond));
    const cpu = median(costs.map(({ direct, through }) => through.cpuPer10k - direct.cpuPer10k));
    const peak = Math.round(usageOf([balancer.pid]).peakRssBytes / 1024 / 1024);
    print(
      `${grouped(bodyBytes)} bytes: ${rate.toFixed(2)} of the direct rate; the balancer takes ${cpu.toFixed(2)} CPU-seconds per 10,000 requests, and at most ${peak} MiB`,
    );
  } finally {
    await balancer.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function untilReady(url: string): Promise<void> {
  for (let left = 100; (await fetch(url)).status !== 200; left -= 1) {
    if (left === 0) throw new Error("the balancer does not reach the server");
    await Bun.sleep(50);
  }
}

print(`${connections} connections, ${rounds} rounds of ${seconds} s`);
await compare(200);
await compare(60_000);
process.exit();
