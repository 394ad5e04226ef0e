import { answerOf, type FaultChangeMessage, liveFaults, type LiveFaultsOptions } from "gpu-telemetry-client";
import { defined } from "../../../src/kit/defined.ts";
import { print, printError } from "../../../src/terminal/print.ts";
import { cellOf, type Output } from "../output.ts";

type Filters = NonNullable<LiveFaultsOptions["filters"]>;

interface WatchOptions {
  readonly gpu?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly namespace?: string;
  readonly severity?: string;
  readonly state?: string;
  readonly since?: number;
  readonly count?: number;
}

/** Prints the changes of faults as they come, a line each, until the count is reached or the process is stopped.
 *  @throws SubscriptionRefused if the gateway refuses the subscription
 *  @throws GatewayUnreachable if no gateway answers at the start */
export async function watchFaults(output: Output, options: WatchOptions): Promise<void> {
  const { since, count = Infinity } = options;
  // fails immediately if no gateway answers: the subscription alone would wait forever
  await answerOf(output.gateway.GET("/health/live"));
  let shownCount = 0;
  const live = liveFaults({
    baseUrl: output.url,
    ...defined({ since }),
    filters: filtersOf(options),
    // options of Bun
    connect: (url) => new WebSocket(url, defined({ headers: output.headers, tls: output.tls })),
    onChange: (change) => {
      if (shownCount >= count) return;
      print(output.asJson ? JSON.stringify(change) : lineOf(change));
      shownCount += 1;
      if (shownCount >= count) live.close();
    },
    onBreak: (reason, retryInMs) => printError(`${reason}; reconnecting in ${Math.round(retryInMs)} ms`),
  });
  await live.ended;
}

/** The gateway refuses severities and states that do not exist. */
function filtersOf({ gpu, cluster, host, namespace, severity, state }: WatchOptions): Filters {
  const chosen = { severity: severity?.split(","), state: state?.split(",") } as Pick<Filters, "severity" | "state">;
  return defined({ gpu_uuid: gpu, cluster, hostname: host, namespace, ...chosen });
}

function lineOf({ sequence, change, fault }: FaultChangeMessage): string {
  const { hostname, uuid, job, name, severity, cluster_id: cluster } = fault;
  const place = [hostname ?? cluster, uuid, job].filter((text) => text !== undefined);
  return cellOf(`${change.at} ${sequence} ${severity} ${change.state} ${name} ${place.join(" ")}: ${change.why}`);
}
