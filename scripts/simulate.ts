import { createWriteStream } from "node:fs";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SimulatedFleet } from "../src/pipeline/source/simulated/simulated-fleet.ts";
import { parseArguments, type SimulateArguments, usage } from "./simulate/arguments.ts";
import { fleetCsv } from "./simulate/fleet-csv.ts";
import { isServe, parseServeArguments, serveUsage } from "./simulate/serve-arguments.ts";
import { serveFleet } from "./simulate/serve-fleet.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { printError } from "../src/terminal/print.ts";
import { written } from "../src/terminal/writable-file.ts";

/** Writes the CSV part by part, as fast as `out` accepts it, so that memory does not grow with the file's size. */
async function writeFleet(args: SimulateArguments, out: Writable): Promise<{ rows: number; bytes: number }> {
  const fleet = new SimulatedFleet({ ...args, clusterId: "" });
  const written = { rows: 0, bytes: 0 };
  const chunks = function* (): Generator<Buffer> {
    for (const part of fleetCsv(fleet, args)) {
      const chunk = Buffer.from(part.text);
      written.rows += part.rows;
      written.bytes += chunk.length;
      yield chunk;
    }
  };
  await pipeline(Readable.from(chunks(), { objectMode: true, highWaterMark: 1 }), out);
  return written;
}

async function simulate(): Promise<void> {
  const given = process.argv.slice(2);
  if (answersHelp(given, isServe(given) ? serveUsage : usage)) return;
  if (isServe(given)) return serve(given);
  const args = parseArguments(given);
  const startedAtMs = performance.now();
  const { out } = args;
  const { rows, bytes } =
    out === "-"
      ? await writeFleet(args, process.stdout)
      : await written("--out", out, () => writeFleet(args, createWriteStream(out)));
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  const target = out === "-" ? "standard output" : out;
  printError(`${rows} rows, ${bytes} bytes to ${target} in ${seconds} s`);
}

async function serve(given: readonly string[]): Promise<void> {
  await serveFleet(parseServeArguments(given));
}

try {
  await simulate();
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  // the reader of standard output has closed it
  if (code !== "EPIPE") {
    printError(message);
    if (error instanceof TypeError) printError("bun run simulate --help lists the arguments");
    process.exitCode = 1;
  }
}
