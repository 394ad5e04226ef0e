/** The answers of an API by path. */
export type Answers = Readonly<Record<string, unknown>>;

const window = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-19T00:00:00Z";

/** Paths of lists whose answers do not depend on the present time. */
const historyPaths = [
  `/api/v1/telemetry?${window}&limit=10000`,
  `/api/v1/telemetry?${window}&limit=10000&hostname=left-host-2&metrics=temperature,power_draw`,
  ...["1m", "1h"].flatMap((resolution) =>
    ["cluster", "host", "gpu", "model", "namespace"].map(
      (group) => `/api/v1/telemetry/aggregates?${window}&resolution=${resolution}&group_by=${group}&limit=10000`,
    ),
  ),
  "/api/v1/quarantine",
  "/api/v1/clusters/local-cluster/stats",
];

const fleetPaths = [
  "/api/v1/clusters",
  "/api/v1/clusters/local-cluster/hosts",
  "/api/v1/hosts",
  "/api/v1/hosts/left-host-2/gpus",
  "/api/v1/gpus",
  "/api/v1/telemetry/latest?limit=10000",
];

/** The answers about the fleet as it is now, which a gateway gives without the store. */
export function fleetAnswers(url: string): Promise<Answers> {
  return answersTo(url, fleetPaths);
}

/** The answers about the fleet and its history. */
export async function allAnswers(url: string): Promise<Answers> {
  const { data } = (await answerTo(url, "/api/v1/gpus")) as { data: readonly { uuid: string }[] };
  const ofGpus = data.flatMap(({ uuid }) => [
    `/api/v1/gpus/${uuid}/telemetry?${window}&limit=10000`,
    `/api/v1/gpus/${uuid}/changes`,
  ]);
  return answersTo(url, [...fleetPaths, ...historyPaths, ...ofGpus]);
}

async function answersTo(url: string, paths: readonly string[]): Promise<Answers> {
  const answers: Record<string, unknown> = {};
  for (const path of paths) answers[path] = await answerTo(url, path);
  return answers;
}

/** @throws Error if the status is not 200 */
export async function answerTo(url: string, path: string): Promise<unknown> {
  const response = await fetch(`${url}${path}`);
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}
