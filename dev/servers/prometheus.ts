import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";
import { TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** A Prometheus of Debian trixie. */
export interface OpenPrometheus {
  /** The URL of its API. */
  readonly url: string;
  close(): Promise<void>;
}

export interface PrometheusOptions {
  /** More of its flags. */
  readonly flags?: readonly string[];
  /** The path of another Prometheus; absent: that of Debian trixie. */
  readonly binary?: string | undefined;
}

/** Starts a Prometheus.
 *  @param config prometheus.yml; it names the other files as `/srv/NAME`
 *  @param files the texts of other files by their names
 *  @throws Error that names the missing requirement, or has the last lines of the log */
export async function openPrometheus(
  config: string,
  files: Readonly<Record<string, string>>,
  { flags = [], binary }: PrometheusOptions = {},
): Promise<OpenPrometheus> {
  const trixie = await trixieFolder(["prometheus"]);
  const folder = await mkdtemp(join(tmpdir(), "prometheus-"));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  for (const [name, text] of Object.entries({ ...files, "prometheus.yml": config })) {
    await writeFile(join(folder, name), text);
  }
  if (binary !== undefined) await copyFile(binary, join(folder, "prometheus"));
  const program = binary === undefined ? "prometheus" : "/srv/prometheus";
  const server = new TrixieServer({
    ...{ name: "prometheus", trixie, folder, user: "daemon" },
    command: [
      ...[program, "--config.file=/srv/prometheus.yml", "--storage.tsdb.path=/srv/data"],
      `--web.listen-address=127.0.0.1:${port}`,
      ...flags,
    ],
    answers: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  await server.start();
  return {
    url,
    close: async () => {
      await server.kill();
      await rm(folder, { recursive: true });
    },
  };
}
