import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { debianProgram } from "./debian-program.ts";
import { until } from "../../dev/until.ts";

/** A Prometheus server that has only the samples passed to `startPrometheus`. */
export interface Prometheus {
  readonly url: string;
  stop(): Promise<void>;
}

/** Creates blocks from OpenMetrics lines and starts a server on them.
 *  @param lines sorted by metric, each with its line end, without the final `# EOF`
 *  @throws Error if Prometheus cannot be downloaded, the lines are refused, or the server does not answer within 30 s */
export async function startPrometheus(lines: Iterable<string>): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-prometheus-"));
  try {
    const input = join(folder, "input.om");
    await writeLines(input, lines);
    await makeBlocks(input, join(folder, "data"));
    return await serve(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function writeLines(path: string, lines: Iterable<string>): Promise<void> {
  const file = createWriteStream(path);
  for (const line of lines) if (!file.write(line)) await once(file, "drain");
  file.end("# EOF\n");
  await finished(file);
}

async function makeBlocks(input: string, data: string): Promise<void> {
  const promtool = await debianProgram("prometheus", "promtool");
  const creation = Bun.spawn([promtool, "tsdb", "create-blocks-from", "openmetrics", input, data], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const errors = await creation.stderr.text();
  if ((await creation.exited) !== 0) throw new Error(`promtool created no blocks: ${errors}`);
}

async function serve(folder: string): Promise<Prometheus> {
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder, "prometheus.yml");
  await Bun.write(config, "");
  const options = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`];
  const more = ["--storage.tsdb.retention.time=100y", `--web.listen-address=127.0.0.1:${port}`];
  const server = Bun.spawn([await debianProgram("prometheus", "prometheus"), ...options, ...more], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const stop = async (): Promise<void> => {
    server.kill();
    await server.exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(() => isReady(url), { timeoutMs: 30_000, everyMs: 100 });
  } catch (error) {
    await stop();
    throw new Error(`Prometheus does not answer at ${url}`, { cause: error });
  }
  return { url, stop };
}

function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
