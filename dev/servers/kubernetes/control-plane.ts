import { constants, copyFileSync, writeFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificates } from "../certificates.ts";
import { type EtcdCluster, startEtcd } from "../etcd.ts";
import { freePorts } from "../free-ports.ts";
import { makeRunFolder, type RunFolder } from "../run-folder.ts";
import { runInTrixie, TrixieServer } from "../trixie-server.ts";
import { trixieFolder } from "../trixie.ts";
import { kubernetesPrograms } from "./kubernetes-programs.ts";

/** A Kubernetes control plane: API server, controllers and scheduler on an etcd of their own. It has no nodes: a test that
 *  needs running pods writes their status. */
export interface ControlPlane {
  readonly url: string;
  readonly caFile: string;
  /** The token of an administrator (`system:masters`). */
  readonly token: string;
  /** Its etcd, which has room for the keys of others. */
  readonly etcdEndpoint: string;
  /** For kubectl and helm, with that token. */
  readonly kubeconfigFile: string;
  /** Ends the API server by SIGKILL and starts it again with the same data. */
  restartApi(): Promise<void>;
  /** Stops everything and removes the data. */
  stop(): Promise<void>;
}

const token = "administrator";
const names = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
/** Without nodes, these would delete pods that a test has given a node. */
const disabledControllers = [
  "node-lifecycle-controller",
  "taint-eviction-controller",
  "pod-garbage-collector-controller",
];

interface Program {
  readonly name: (typeof names)[number];
  readonly flags: readonly string[];
  /** The URL that answers 200 when it works. */
  readonly health: string;
}

/** Where the servers of a control plane run. */
interface Place {
  readonly trixie: string;
  readonly folder: string;
  readonly user: "daemon";
}

/** Starts a control plane. Its programs must be built (`kubernetesPrograms`).
 *  @throws Error with the last lines of a server's log, or the missing requirement */
export async function startControlPlane(): Promise<ControlPlane> {
  const trixie = await trixieFolder();
  const etcd = await startEtcd({ members: 1 });
  const folder = makeRunFolder();
  const servers: TrixieServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all([etcd.stop(), folder.remove()]);
  };
  try {
    const place: Place = { trixie, folder: folder.path, user: "daemon" };
    const { caFile } = await makeFiles(place);
    const [port = 0, controllers = 0, scheduler = 0] = await freePorts(3);
    const url = `https://127.0.0.1:${port}`;
    const kubeconfigFile = writeKubeconfig(folder, url, caFile);
    const api = serverOf(place, { name: "kube-apiserver", flags: apiFlags(etcd, port), health: `${url}/readyz` });
    const client = ["--kubeconfig=/srv/kubeconfig-inside", "--leader-elect=false", "--bind-address=127.0.0.1"];
    servers.push(api);
    await api.start();
    const programs: readonly Program[] = [
      {
        name: "kube-controller-manager",
        flags: [...client, ...controllerFlags(controllers)],
        health: healthOf(controllers),
      },
      { name: "kube-scheduler", flags: [...client, `--secure-port=${scheduler}`], health: healthOf(scheduler) },
    ];
    servers.push(...programs.map((program) => serverOf(place, program)));
    await Promise.all(servers.map((server) => server.start()));
    const restartApi = async (): Promise<void> => {
      await api.kill();
      await api.start();
    };
    const [etcdEndpoint = ""] = etcd.endpoints;
    return { url, caFile, token, etcdEndpoint, kubeconfigFile, restartApi, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Puts what the servers read into their folder, which they see as /srv. */
async function makeFiles(place: Place): Promise<{ caFile: string }> {
  for (const name of names) {
    copyFileSync(join(kubernetesPrograms.folder, name), join(place.folder, name), constants.COPYFILE_FICLONE);
  }
  const { caFile } = await makeCertificates(place, []);
  await runInTrixie({ ...place, command: ["sh", "-c", "openssl genrsa -out /srv/accounts.pem 2048"] });
  writeFileSync(join(place.folder, "tokens.csv"), `${token},administrator,administrator,"system:masters"\n`);
  // the folder's owner is the user of the servers
  await chmod(caFile, 0o644);
  return { caFile };
}

function apiFlags(etcd: EtcdCluster, port: number): string[] {
  return [
    `--etcd-servers=${etcd.endpoints.join(",")}`,
    ...["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", `--secure-port=${port}`],
    ...["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16"],
    ...["--tls-cert-file=/srv/server.pem", "--tls-private-key-file=/srv/server-key.pem"],
    ...["--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=/srv/accounts.pem"],
    ...["--service-account-signing-key-file=/srv/accounts.pem", "--token-auth-file=/srv/tokens.csv"],
    ...["--authorization-mode=RBAC", "--cert-dir=/srv/api"],
  ];
}

function controllerFlags(port: number): string[] {
  return [
    `--controllers=*,${disabledControllers.map((name) => `-${name}`).join(",")}`,
    ...["--service-account-private-key-file=/srv/accounts.pem", "--root-ca-file=/srv/ca.pem"],
    ...[`--secure-port=${port}`, "--cert-dir=/srv/controllers"],
  ];
}

const healthOf = (port: number): string => `https://127.0.0.1:${port}/healthz`;

function serverOf(place: Place, { name, flags, health }: Program): TrixieServer {
  const answers = async (): Promise<boolean> => {
    const headers = { authorization: `Bearer ${token}` };
    // the certificates of controllers and scheduler are their own
    const tls = { rejectUnauthorized: false };
    return (await fetch(health, { headers, tls, signal: AbortSignal.timeout(2000) })).ok;
  };
  return new TrixieServer({ ...place, name, command: [`/srv/${name}`, ...flags], answers });
}

/** Writes the file for this machine, and one for the servers, which see the folder as /srv. */
function writeKubeconfig(folder: RunFolder, url: string, caFile: string): string {
  const textWith = (ca: string): string =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server: url, "certificate-authority": ca } }],
      users: [{ name: "administrator", user: { token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "administrator" } }],
      "current-context": "test",
    });
  const path = join(folder.path, "kubeconfig");
  writeFileSync(path, textWith(caFile));
  writeFileSync(`${path}-inside`, textWith("/srv/ca.pem"));
  return path;
}
