import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientCertificate, makeCertificates } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { runInTrixie, TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** One etcd process. A killed one comes back by `start` with its data and ports; of a cluster whose majority is down,
 *  start enough at the same time: none answers before they agree. */
export interface EtcdMember {
  readonly name: string;
  readonly clientUrl: string;
  /** Of the server itself, as seen on the machine. */
  readonly pid: number;
  /** Ends it (SIGKILL unless given) and waits for that. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when it is healthy. */
  start(): Promise<void>;
  /** Sends a signal and does not wait, such as SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void;
}

/** A running etcd of one or three members. */
export interface EtcdCluster {
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
  readonly tls: ClientCertificate | undefined;
  /** Ends all members and removes their data. */
  stop(): Promise<void>;
}

export interface EtcdOptions {
  readonly members: 1 | 3;
  /** Clients must show a certificate. */
  readonly tls?: boolean;
  /** Authentication is on; this user may read and write every key and is no administrator. */
  readonly user?: { readonly name: string; readonly password: string };
  readonly quotaBytes?: number;
  /** What `etcdctl snapshot save` wrote: its keys are there at the start. */
  readonly snapshotFile?: string;
  /** Where a member runs; absent: on 127.0.0.1 in the machine's own network namespace. */
  readonly memberOptions?: (index: number) => { readonly host?: string; readonly netns?: string };
}

const defaultQuotaBytes = 2 * 1024 ** 3;

/** Where a member listens. */
interface Seat {
  readonly name: string;
  readonly host: string;
  readonly netns: string | undefined;
  readonly listenUrl: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** Health without a certificate. */
  readonly metricsUrl: string;
}

/** Starts etcd with data of its own, gone with `stop` or with this process. Nothing compacts by itself.
 *  @throws Error with the last lines of the server's log */
export async function startEtcd(options: EtcdOptions): Promise<EtcdCluster> {
  const trixie = await trixieFolder();
  const seats = await takeSeats(options);
  const folder = makeRunFolder();
  const members: TrixieServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    await folder.remove();
  };
  try {
    const place = { trixie, folder: folder.path, user: "etcd" } as const;
    const hosts = seats.map(({ host }) => host);
    const tls = options.tls ? await makeCertificates(place, hosts) : undefined;
    if (options.snapshotFile !== undefined) {
      const snapshot = join(folder.path, "snapshot");
      copyFileSync(options.snapshotFile, snapshot);
      // etcdctl saves it for its user alone
      chmodSync(snapshot, 0o644);
      for (const seat of seats) await runInTrixie({ ...place, command: restoreCommand(seat, seats) });
    }
    for (const seat of seats) {
      const { name, netns, metricsUrl } = seat;
      const command = commandOf(seat, seats, options);
      members.push(new TrixieServer({ ...place, name, netns, command, answers: () => isHealthy(metricsUrl) }));
    }
    await Promise.all(members.map((member) => member.start()));
    const [first] = seats as [Seat];
    if (options.user !== undefined) {
      await runInTrixie({ ...place, netns: first.netns, command: authenticationCommand(first, options) });
    }
    return {
      endpoints: seats.map(({ clientUrl }) => clientUrl),
      members: members.map((member, index) => memberOf(member, seats[index] as Seat)),
      tls,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function takeSeats({ members, tls, memberOptions }: EtcdOptions): Promise<Seat[]> {
  const ports = await freePorts(members * 3);
  const scheme = tls ? "https" : "http";
  return Array.from({ length: members }, (_, index) => {
    const { host = "127.0.0.1", netns } = memberOptions?.(index) ?? {};
    const [client, peer, metrics] = ports.slice(index * 3) as [number, number, number];
    // over TLS a client needs a name: Bun refuses an address as the server's name
    const publicHost = tls && host === "127.0.0.1" ? "localhost" : host;
    return {
      name: `etcd-${index}`,
      host,
      netns,
      listenUrl: `${scheme}://${host}:${client}`,
      clientUrl: `${scheme}://${publicHost}:${client}`,
      peerUrl: `http://${host}:${peer}`,
      metricsUrl: `http://${host}:${metrics}`,
    };
  });
}

const clusterOf = (seats: readonly Seat[]): string => seats.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");

function restoreCommand({ name, peerUrl }: Seat, seats: readonly Seat[]): string[] {
  return [
    ...["etcdutl", "snapshot", "restore", "/srv/snapshot"],
    ...[`--data-dir=/srv/${name}`, `--name=${name}`],
    ...[`--initial-cluster=${clusterOf(seats)}`, `--initial-advertise-peer-urls=${peerUrl}`],
  ];
}

function commandOf(seat: Seat, seats: readonly Seat[], { tls, quotaBytes = defaultQuotaBytes }: EtcdOptions): string[] {
  const { name, listenUrl, clientUrl, peerUrl, metricsUrl } = seat;
  const tlsFlags = ["--cert-file=/srv/server.pem", "--key-file=/srv/server-key.pem", "--trusted-ca-file=/srv/ca.pem"];
  return [
    "etcd",
    `--name=${name}`,
    `--data-dir=/srv/${name}`,
    `--listen-client-urls=${listenUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${clusterOf(seats)}`,
    "--initial-cluster-state=new",
    `--listen-metrics-urls=${metricsUrl}`,
    "--snapshot-count=10000",
    `--quota-backend-bytes=${quotaBytes}`,
    "--logger=zap",
    "--log-level=error",
    ...(tls ? ["--client-cert-auth", ...tlsFlags] : []),
  ];
}

/** Turns authentication on; the first user must be root, etcd says. */
function authenticationCommand({ listenUrl }: Seat, { tls, user }: EtcdOptions): string[] {
  const certificate = tls ? "--cacert=/srv/ca.pem --cert=/srv/client.pem --key=/srv/client-key.pem" : "";
  const script = `
    set -eu
    endpoint=$1 name=$2 password=$3
    ctl() { etcdctl --endpoints="$endpoint" ${certificate} "$@"; }
    ctl user add "root:$password"
    ctl user grant-role root root
    ctl role add reader-and-writer
    ctl role grant-permission reader-and-writer readwrite --prefix ""
    ctl user add "$name:$password"
    ctl user grant-role "$name" reader-and-writer
    ctl auth enable`;
  return ["sh", "-c", script, "sh", listenUrl, user?.name ?? "", user?.password ?? ""];
}

/** Full storage is no reason against a start: whoever tests that must be able to restart it. */
async function isHealthy(metricsUrl: string): Promise<boolean> {
  const response = await fetch(`${metricsUrl}/health?exclude=NOSPACE`, { signal: AbortSignal.timeout(2000) });
  return response.ok && ((await response.json()) as { health: string }).health === "true";
}

function memberOf(server: TrixieServer, { name, clientUrl }: Seat): EtcdMember {
  return {
    name,
    clientUrl,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    signal: (signal) => server.signal(signal),
  };
}
