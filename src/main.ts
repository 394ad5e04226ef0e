import type { Logger } from "pino";
import { version } from "../package.json";
import { composeApp } from "./app.ts";
import { exposedFiles } from "./config/exposed-files.ts";
import { misspelledSettings } from "./config/misspelled-settings.ts";
import { type Config, parseConfig } from "./config/parse-config.ts";
import { stopwatch, systemClock } from "./kit/clock.ts";
import { endAfter } from "./kit/libc.ts";
import { endsWithin } from "./kit/within.ts";
import { InvalidConfig } from "./domain/errors.ts";
import { hostNamesOf } from "./config/host-names-of.ts";
import { openRegistration } from "./roles/open-registration.ts";
import { bodyMaxBytesOf } from "./roles/open-push.ts";
import { listening } from "./roles/listening.ts";
import { openRoles, type OpenRoles } from "./roles/roles.ts";
import { keepFilesPrivate } from "./kit/private-files.ts";
import { nameProcess } from "./kit/process-name.ts";
import { startAll, stopAll } from "./kit/run-services.ts";
import { onStopSignals } from "./kit/stop-signals.ts";
import type { HealthOptions } from "./routes/operations/health-routes.ts";
import { answersHelp } from "./terminal/answers-help.ts";
import { BarLine } from "./terminal/bar-line.ts";
import { bannerText } from "./terminal/banner.ts";
import { isExpected } from "./terminal/error-entry.ts";
import { makeLog } from "./terminal/log.ts";
import { nextSteps } from "./terminal/next-steps.ts";
import { print as printLines, printError } from "./terminal/print.ts";

// The only file of src that reads the environment, handles signals and exits.
// PARSE CONFIG -> OPEN ROLES -> START SERVICES -> LISTEN -> wait for a signal -> DRAIN -> STOP -> exit 0; an error in any step
// exits 1.

const usage = `Runs the pipeline, or a part of it, until Ctrl-C.
  bun run dev      installs the packages first
  bun run start
The settings are variables, such as PORT=8080, CSV_FILE=fleet.csv or ROLE=gateway; 'bun run config' prints all of them.`;

type App = ReturnType<typeof composeApp>;

async function main(): Promise<void> {
  keepFilesPrivate();
  const config = parseConfig(process.env);
  nameProcess(`nexus-${config.roles.length === 1 ? config.roles[0] : "all"}`);
  const terminal = new BarLine(process.stderr);
  const print = (text: string): void => terminal.around(() => printLines(text));
  const log = await openLog(config, terminal);
  const stopRequested = signalled(config, log.info.bind(log));
  let isStopping = false;
  void stopRequested.then(() => (isStopping = true));
  const opened = await openRoles(config, { clock: systemClock, log, print, terminal });
  const [draining, stopping] = [new AbortController(), new AbortController()];
  const health = healthOf(config, opened, draining.signal);
  const { registration, onListening } = await openRegistration(opened, { health, clients: () => clientsOf(app) });
  // first, so that it is stopped last: other processes see this one until its work is done
  const services = [registration, ...opened.services];
  const app = makeApp(opened, { ...health, services }, stopping.signal);
  let port: number;
  try {
    await startAll(services);
    port = await listen(app, opened);
    onListening(port);
  } catch (error) {
    opened.shared.monitor.stop();
    await stopAll(services, AbortSignal.abort());
    await opened.shared.close();
    throw error;
  }
  if (!isStopping) print(bannerOf(opened, port));
  await stopRequested;
  opened.shared.monitor.stop();
  const elapsedMs = stopwatch();
  registration.drain();
  draining.abort();
  await systemClock.sleep(config.shutdownDrainSeconds * 1000);
  stopping.abort();
  await stop(app, { services, shared: opened.shared, tls: opened.tls }, elapsedMs);
  log.info("stopped");
}

/** What the process prints when it serves at a port. */
function bannerOf({ shared: { config, store, monitor }, roles, access, tls }: OpenRoles, port: number): string {
  const url = `${tls === undefined ? "http" : "https"}://${urlHost(config.host)}:${port}`;
  const { clusterId, csvFile } = config;
  const stepsAfter = (file: string | undefined, hasRejections = false): readonly string[] =>
    config.roles.includes("gateway") ? nextSteps({ url, clusterId, csvFile: file }, hasRejections) : [];
  monitor.suggest((hasRejections) => stepsAfter(csvFile, hasRejections));
  return bannerText({
    url,
    roles: roles.map(({ banner }) => banner),
    store: store.current?.description,
    access: access.notice,
    queue: config.etcdEndpoints?.join(", "),
    next: stepsAfter(undefined),
  });
}

/** If the process has not ended so long after the shutdown's time, the kernel ends it. */
const endingSeconds = 5;

/** The process's log; its first entries are about misspelled settings, and files that other users may read. */
async function openLog({ logLevel }: Config, terminal: BarLine): Promise<Logger> {
  const log = await makeLog(logLevel, process.stdout.isTTY, terminal);
  for (const warning of [...misspelledSettings(process.env), ...exposedFiles(process.env)]) log.warn(warning);
  return log;
}

function healthOf(config: Config, { shared, roles, services }: OpenRoles, draining: AbortSignal): HealthOptions {
  const { clock, queue, store } = shared;
  return {
    roles: config.roles,
    clusterId: config.clusterId,
    version,
    store: store.current?.store,
    engine: () => store.current?.engine(),
    notice: () => store.current?.notice(),
    servesFromMemory: () => roles.some((role) => role.servesFromMemory()),
    draining,
    queue,
    services,
    clock,
  };
}

function makeApp({ shared, roles, access, tls }: OpenRoles, health: HealthOptions, stopping: AbortSignal): App {
  const { services } = health;
  return composeApp({
    ...health,
    webSocket: shared.config,
    bodyMaxBytes: bodyMaxBytesOf(shared.config),
    registry: shared.registry,
    log: shared.log,
    door: { hosts: hostNamesOf(shared.config), corsOrigins: shared.config.corsOrigins },
    access: access.access,
    trail: access.audit,
    tls,
    trustsForwardedFor: shared.config.httpTrustForwardedFor && shared.config.httpForwardedHops,
    unauthenticatedPerSecond: shared.config.httpUnauthenticatedPerSecond,
    routes: (app) => roles.flatMap((role) => role.routes({ app, services, version, stopping, access })),
  });
}

/** The number of WebSockets and of requests in progress; undefined while the process does not listen. */
function clientsOf({ server }: App): number | undefined {
  return server === null ? undefined : server.pendingWebSockets + server.pendingRequests;
}

/** With TLS, the HTTP server itself is on loopback, behind the port that serves TLS.
 *  @returns the port
 *  @throws ListenFailed */
async function listen(app: App, { shared, tls }: OpenRoles): Promise<number> {
  const { host, port } = shared.config;
  // with reusePort, Elysia's default, a second process could listen on the same port without an error
  const serve = (hostname: string, at: number): number => {
    app.listen({ hostname, port: at, reusePort: false });
    return app.server?.port ?? at;
  };
  if (tls !== undefined) return tls.listen(serve("127.0.0.1", 0));
  return listening({ host, port, setting: "PORT" }, () => serve(host, port));
}

/** How long open requests may take after the services have stopped, in a process that does not drain. */
const requestGraceMs = 1000;
/** How long services may take to abandon their work after the deadline. */
const abandoningMs = 500;
/** The part of the shutdown's time that is kept for closing the shared parts. A database that does not answer would take more. */
const closingMs = 1000;

/** Stops the services, then the server, then closes the shared parts. Services have until the deadline to finish
 *  their work, and abandon it after that; one that does not end soon after it ends with the process. Then open requests have one more second, or none if the deadline has passed; in a
 *  process that drains, they have until the deadline. The shared parts have the rest of the shutdown's time; what is not closed by
 *  then ends with the process.
 *  @param elapsedMs the time since the signal */
async function stop(
  app: App,
  { services, shared, tls }: Pick<OpenRoles, "services" | "shared" | "tls">,
  elapsedMs: () => number,
): Promise<void> {
  const { shutdownTimeoutSeconds, shutdownDrainSeconds } = shared.config;
  const timeoutMs = shutdownTimeoutSeconds * 1000;
  const deadlineMs = timeoutMs - Math.min(closingMs, timeoutMs / 5);
  const remainingMs = (): number => Math.max(0, deadlineMs - elapsedMs());
  const deadline = AbortSignal.timeout(remainingMs());
  const haveStopped = await endsWithin(systemClock, remainingMs() + abandoningMs, () => stopAll(services, deadline));
  if (!haveStopped) shared.log.warn("a service does not stop; it ends with the process");
  const graceMs = shutdownDrainSeconds > 0 ? remainingMs() : Math.min(requestGraceMs, remainingMs());
  tls?.stopListening();
  await endsWithin(systemClock, graceMs, () => app.stop());
  if (app.server !== null) await app.stop(true);
  await endsWithin(systemClock, Math.max(0, timeoutMs - elapsedMs()), () => shared.close());
}

/** Resolves at the first SIGINT or SIGTERM; a second signal ends the process immediately. */
function signalled(
  { shutdownDrainSeconds, shutdownTimeoutSeconds }: Config,
  log: (message: string) => void,
): Promise<void> {
  return new Promise((resolve) => {
    onStopSignals(process, systemClock, {
      first: (signal) => {
        endAfter(shutdownDrainSeconds + shutdownTimeoutSeconds + endingSeconds);
        log(`${signal}: stopping; send it again to stop at once`);
        resolve();
      },
      again: () => process.exit(130),
    });
  });
}

function urlHost(host: string): string {
  if (host === "127.0.0.1" || host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/** @throws InvalidConfig if there is an argument: it would have no effect */
function refuseArguments([first]: readonly string[]): void {
  if (first === undefined) return;
  throw new InvalidConfig([
    `the argument ${first} is not usable: all settings are variables before the command, such as PORT=8080 or CSV_FILE=fleet.csv. 'bun run config' prints them`,
  ]);
}

try {
  const args = process.argv.slice(2);
  if (!answersHelp(args, usage)) {
    refuseArguments(args);
    await main();
  }
  process.exit(0);
} catch (error) {
  printError(isExpected(error) ? error.message : String((error as Error).stack ?? error));
  process.exit(1);
}
