import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { debianProgram } from "./debian-program.ts";
import { until } from "../../dev/until.ts";

/** A VictoriaMetrics server for comparison. */
export interface VictoriaMetrics {
  readonly url: string;
  readonly pid: number;
  /** Imports series as lines of JSON, each `{metric, values, timestamps}`. @throws Error if the import fails */
  importLines(lines: string): Promise<void>;
  /** Makes all imported samples visible to queries. */
  flush(): Promise<void>;
  /** The current size of the server's data folder. */
  diskBytes(): Promise<number>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** Starts a server with its data in a temporary folder.
 *  @throws Error if VictoriaMetrics cannot be downloaded, or the server does not answer within 10 s */
export async function startVictoriaMetrics(): Promise<VictoriaMetrics> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-victoria-"));
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  const options = [`-storageDataPath=${folder}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=100y"];
  const server = Bun.spawn(
    [
      await debianProgram("victoria-metrics", "victoria-metrics"),
      ...options,
      "-search.disableCache",
      "-search.maxUniqueTimeseries=1000000",
    ],
    {
      stdout: "ignore",
      stderr: "ignore",
    },
  );
  const stop = async (): Promise<void> => {
    server.kill();
    await server.exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(() => isUp(url), { timeoutMs: 10_000, everyMs: 100 });
  } catch (error) {
    await stop();
    throw new Error(`VictoriaMetrics does not answer at ${url}`, { cause: error });
  }
  return {
    url,
    pid: server.pid,
    importLines: async (lines) => {
      const response = await fetch(`${url}/api/v1/import`, { method: "POST", body: lines });
      if (!response.ok) throw new Error(`VictoriaMetrics refused an import: ${await response.text()}`);
    },
    flush: async () => void (await fetch(`${url}/internal/force_flush`)),
    diskBytes: async () => {
      const { stdout } = Bun.spawnSync(["du", "-sb", folder]);
      return Number.parseInt(stdout.toString(), 10);
    },
    stop,
  };
}

async function isUp(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  );
}
