import type { Logger } from "pino";
import { version } from "../package.json";
import { composeApp } from "./app.ts";
import { type Config, parseConfig } from "./config/parse-config.ts";
import { systemClock } from "./kit/clock.ts";
import { TelemetryError } from "./domain/errors.ts";
import { makeParts, type Parts } from "./roles/shared-parts.ts";
import { startAll, stopAll } from "./kit/run-services.ts";
import { bannerText } from "./terminal/banner.ts";
import { makeLog } from "./terminal/log.ts";

// The only file that reads the environment, handles signals and exits.
// PARSE CONFIG -> MAKE PARTS -> START SERVICES -> LISTEN -> wait for a signal -> STOP; a fault before LISTEN exits 1.

type App = ReturnType<typeof composeApp>;

async function main(): Promise<void> {
  const config = parseConfig(process.env);
  const log = makeLog(config.logLevel, process.stdout.isTTY);
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const stopRequested = signalled(log.info.bind(log));
  const parts = await makeParts(config, { clock: systemClock, log, print, terminal: process.stderr });
  const stopping = new AbortController();
  const app = makeApp(config, parts, { log, stopping: stopping.signal });
  try {
    await startAll(parts.services);
    listen(app, config);
  } catch (error) {
    await stopAll(parts.services, AbortSignal.abort());
    await parts.close();
    throw error;
  }
  print(
    bannerText({
      url: `http://${urlHost(config.host)}:${app.server?.port}`,
      source: parts.sourceDescription,
      store: parts.storeDescription,
      queue: config.etcdEndpoints?.join(", "),
      servesApi: config.roles.includes("gateway"),
    }),
  );
  await stopRequested;
  stopping.abort();
  await stop(app, parts, config.shutdownTimeoutSeconds * 1000);
  log.info("stopped");
}

function makeApp(config: Config, parts: Parts, { log, stopping }: { log: Logger; stopping: AbortSignal }) {
  return composeApp({
    ...parts,
    roles: config.roles,
    webSocket: config,
    stopping,
    clusterId: config.clusterId,
    graphql: { introspection: config.graphqlIntrospection, graphiql: config.graphiql },
    http: {
      rateLimitPerSecond: config.httpRateLimitPerSecond,
      trustsForwardedFor: config.httpTrustForwardedFor,
      corsOrigins: config.corsOrigins,
    },
    clock: systemClock,
    version,
    log,
  });
}

function listen(app: App, { host, port }: Config): void {
  try {
    app.listen({ hostname: host, port });
  } catch (cause) {
    throw new ListenFailed(`Cannot listen on ${host}:${port} (HOST, PORT): ${(cause as Error).message}`, { cause });
  }
}

/** Stops taking in, drains, flushes and closes; what does not end by the deadline is cut short. */
async function stop(app: App, parts: Parts, timeoutMs: number): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  await stopAll(parts.services, deadline);
  await Promise.race([app.stop(), systemClock.sleep(1000, deadline)]);
  if (app.server !== null) await app.stop(true);
  await parts.close();
}

/** Resolves at the first SIGINT or SIGTERM; a second one exits at once. */
function signalled(tell: (message: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const seen: string[] = [];
    const onSignal = (signal: string): void => {
      seen.push(signal);
      if (seen.length > 1) process.exit(130);
      tell(`${signal}: stopping; once more to stop at once`);
      resolve();
    };
    process.on("SIGINT", () => onSignal("SIGINT"));
    process.on("SIGTERM", () => onSignal("SIGTERM"));
  });
}

function urlHost(host: string): string {
  if (host === "127.0.0.1" || host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/** The port is taken, or the address is not this machine's. */
class ListenFailed extends TelemetryError {
  readonly code = "listen_failed";
  readonly retryable = false;
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(
    `${error instanceof TelemetryError ? error.message : String((error as Error).stack ?? error)}\n`,
  );
  process.exit(1);
}
