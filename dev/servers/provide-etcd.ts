import { composeCommand, startContainer } from "./containers.ts";
import { startEtcd } from "./etcd.ts";
import { refuseIfImpossible } from "./refuse-if-impossible.ts";

// For tests that do not kill or configure their etcd. Uses the first of these that is possible: the server that the
// environment names, a container of dev/servers/compose.yaml, a process from the folder of Debian trixie.

/** An etcd that others may use too, so use only keys of your own. */
export interface ProvidedEtcd {
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns the etcd at ETCD_ENDPOINTS, which `stop` leaves running; if ETCD_ENDPOINTS is not set, a new etcd, which `stop` stops
 *  @throws Error that names the missing requirement, or says why etcd did not start */
export async function provideEtcd(env: Environment = process.env): Promise<ProvidedEtcd> {
  if (env.ETCD_ENDPOINTS) {
    const endpoints = env.ETCD_ENDPOINTS.split(",").map((endpoint) => endpoint.trim());
    return { endpoints, stop: () => Promise.resolve() };
  }
  const compose = composeCommand();
  if (compose === undefined) {
    refuseIfImpossible("etcd", "ETCD_ENDPOINTS");
    return await startEtcd({ members: 1 });
  }
  const container = await startContainer(compose, "etcd");
  return { endpoints: [`http://127.0.0.1:${container.port}`], stop: () => container.stop() };
}
