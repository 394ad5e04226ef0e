import { answerOf, liveTelemetry, type TelemetryUpdateMessage } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import { splitNames } from "../../src/domain/series-selector.ts";
import { checkGpu } from "./check-gpu.ts";
import { queryOf } from "./fleet.ts";
import { cellOf, occupantsText, type Output } from "./output.ts";
import { print, printError } from "../../src/terminal/print.ts";

interface WatchOptions {
  readonly gpu?: string;
  readonly parent?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly namespace?: string;
  readonly metrics?: string;
  readonly count?: number;
}

/** Prints records as they arrive, a line each, until the count is reached or the process is stopped.
 *  @throws SubscriptionRefused if the gateway refuses the subscription
 *  @throws GatewayError if the GPU does not exist, or the gateway refuses a request
 *  @throws GatewayUnreachable if no gateway answers at the start */
export async function watch(output: Output, options: WatchOptions): Promise<void> {
  const { gpu, parent, cluster, host, namespace, metrics, count = Infinity } = options;
  // fails immediately if no gateway answers or the GPU does not exist: the subscription alone would wait forever
  await answerOf(output.gateway.GET("/health/live"));
  await checkGpu(output, gpu);
  await checkGpu(output, parent);
  const filters = {
    ...(gpu === undefined ? {} : { gpu_uuid: gpu }),
    ...(parent === undefined ? {} : { parent_uuid: parent }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(namespace === undefined ? {} : { namespace }),
    // the gateway refuses unknown names
    ...(metrics === undefined ? {} : { metrics: splitNames(metrics) }),
  };
  const places = output.asJson ? new Map<string, string>() : await readPlaces(output, options);
  let shownCount = 0;
  let isSubscribed = false;
  const live = liveTelemetry({
    baseUrl: output.url,
    // options of Bun
    connect: (url) => new WebSocket(url, defined({ headers: output.headers, tls: output.tls })),
    filters,
    onUpdate: (update) => {
      if (shownCount >= count) return;
      print(output.asJson ? JSON.stringify(update) : lineOf(update, places));
      shownCount += 1;
      if (shownCount >= count) live.close();
    },
    onMessage: (message) => {
      if (message.type === "subscribed") isSubscribed = true;
      // an error before the confirmation refuses the subscription, and `live.ended` rejects with that error
      if (message.type === "error" && isSubscribed) printError(message.message);
      if (message.type === "skipped") printError(`skipped records: ${message.count} (this client reads too slowly)`);
    },
    onBreak: (reason, retryInMs) => printError(`${reason}; reconnecting in ${Math.round(retryInMs)} ms`),
  });
  await live.ended;
}

/** The host and the index of each device, by its uuid. */
type Places = ReadonlyMap<string, string>;

/** The places of the devices that the filters select now. */
async function readPlaces({ gateway }: Output, { parent, cluster, host, namespace }: WatchOptions): Promise<Places> {
  const query = { limit: 10_000, ...queryOf(defined({ parent, cluster, host, namespace })) };
  const { data } = await answerOf(gateway.GET("/api/v1/gpus", { params: { query } }));
  return new Map(data.map(({ uuid, hostname, id }) => [uuid, `${cellOf(hostname)}/${cellOf(id)}`]));
}

/** A device that is new has no place yet: the list of devices was read before it reported. */
function lineOf({ timestamp, gpu_uuid, data, occupants }: TelemetryUpdateMessage, places: Places): string {
  const values = Object.entries(data).map(([name, value]) => `${name}=${cellOf(value)}`);
  const sharing = occupants === undefined ? [] : [`occupants=[${cellOf(occupantsText(occupants))}]`];
  return [timestamp, places.get(gpu_uuid) ?? "-", cellOf(gpu_uuid), ...values, ...sharing].join(" ");
}
