import { join } from "node:path";
import { freePorts } from "../../../../dev/servers/free-ports.ts";
import { until } from "../../../../dev/until.ts";
import { clockSkewsMs } from "../inflict.ts";
import { watchedSource } from "../ledger.ts";
import { pipelineEnvironment, type PipelineOptions, stallMs, withShortLimit } from "../processes.ts";
import { drawScenario, type Fault, type ScenarioOptions } from "../scenario.ts";
import { type Reading, uuidOf } from "../told/script.ts";
import { Worker } from "../workers.ts";
import { checkSent } from "./check-sent.ts";
import { Subscriber } from "./subscriber.ts";

const gateways = 2;
/** So many subscribers choose the same GPUs. */
const perChoice = 2;
const chosenGpu = uuidOf(1);

/** Gateways of a pipeline, and clients that have subscribed to the newest records of watched GPUs. */
export interface SubscribedGateways {
  readonly gateways: readonly Worker[];
  /** The number of connections of subscribers that have ended. */
  breaks(): number;
  /** Starts the gateways and the subscribers. */
  start(): void;
  /** Waits until the subscribers were sent everything, or waits no longer. What was not sent then is for the judge. */
  untilSent(readings: readonly Reading[]): Promise<void>;
  /** Judges I12. */
  check(readings: readonly Reading[]): string[];
  close(): void;
}

/** Makes the gateways and the subscribers, without starting them. */
export async function makeSubscribedGateways(
  options: PipelineOptions & { readonly seed: number },
): Promise<SubscribedGateways> {
  const ports = await freePorts(gateways);
  const workers = ports.map((port, index) => gatewayAt(port, index, options));
  const subscribers: Subscriber[] = [];
  const check = (readings: readonly Reading[]): string[] => {
    const [some, others] = [subscribers.slice(0, perChoice), subscribers.slice(perChoice)];
    const uuids = (readings[0]?.gpus ?? []).map((_, gpu) => uuidOf(gpu));
    return [...checkSent(some, readings, uuids), ...checkSent(others, readings, [chosenGpu])];
  };
  return {
    gateways: workers,
    breaks: () => subscribers.reduce((sum, { breaks }) => sum + breaks, 0),
    start: () => {
      workers.forEach((worker) => worker.start());
      const urls = ports.map((port) => `http://127.0.0.1:${port}`);
      for (const filters of [{ cluster: watchedSource }, { gpu_uuids: [chosenGpu] }]) {
        for (let first = 0; first < perChoice; first += 1) {
          subscribers.push(new Subscriber({ name: `subscriber ${subscribers.length}`, urls, first, filters }));
        }
      }
    },
    untilSent: (readings) =>
      until(() => check(readings).length === 0, { timeoutMs: stallMs, everyMs: 500 }).then(
        () => undefined,
        () => undefined,
      ),
    check,
    close: () => subscribers.forEach((subscriber) => subscriber.close()),
  };
}

function gatewayAt(port: number, index: number, options: PipelineOptions & { readonly seed: number }): Worker {
  const { databaseUrl, logFolder, seed } = options;
  const name = `gateway-${index}`;
  const gateway = new Worker({
    name,
    env: {
      ...pipelineEnvironment(options),
      ...{ ROLE: "gateway", DATABASE_URL: withShortLimit(databaseUrl), PORT: String(port) },
    },
    logFile: join(logFolder, `${name}.log`),
    onLine: () => undefined,
  });
  // a client comes to gateways that have clocks of their own
  if (index > 0) gateway.setClock(clockSkewsMs[seed % clockSkewsMs.length] as number);
  return gateway;
}

/** Draws what happens to gateways: faults of their own, so that those of the other processes stay the same. */
export function drawLossesOfGateways(options: Pick<ScenarioOptions, "seed" | "durationMs" | "leaseSeconds">): Fault[] {
  const kinds = ["kill", "terminate", "freeze"] as const;
  const targets = { kill: gateways, terminate: gateways, freeze: gateways };
  // a seed of its own: faults of the same times and kinds would come together
  return drawScenario({ ...options, seed: options.seed ^ 0x5eed, kinds, targets });
}
