import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import type { Podman } from "./podman.ts";

const file = join(import.meta.dir, "../../deployments/helm/telemetry-pipeline/dashboards/pipeline.json");

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly unknown[] };
}

/** Asks Prometheus every query of the dashboard of the pipeline, in its container.
 *  @returns how many have a result, and which have none
 *  @throws Error if one is refused, or if a process is not scraped */
export async function askPrometheus(podman: Podman, container: string): Promise<string> {
  const ask = async (query: string): Promise<Answer> => {
    const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(query)}`;
    const { output, errors } = await podman.attempt("exec", container, "wget", "-q", "-O", "-", url);
    return output === "" ? { status: "error", error: errors } : (JSON.parse(output) as Answer);
  };
  const answering = async (): Promise<boolean> => {
    const [up, down] = await Promise.all([ask("count(up == 1)"), ask("count(up == 0)")]);
    return up.data?.result.length === 1 && down.data?.result.length === 0;
  };
  await until(answering, { timeoutMs: 90_000, everyMs: 1000 });
  const without: string[] = [];
  const queries = queriesOf(readFileSync(file, "utf8"));
  for (const query of queries) {
    const { status, error, data } = await ask(query);
    if (status !== "success") throw new Error(`Prometheus refuses ${query}: ${error}`);
    if (data?.result.length === 0) without.push(query);
  }
  return [
    `${queries.length - without.length} of ${queries.length} queries of the dashboard have a result`,
    ...without,
  ].join("\n  without: ");
}

function queriesOf(text: string): string[] {
  const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}
