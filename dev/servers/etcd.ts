import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientCertificate, makeCertificates } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { runInTrixie, TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** One etcd process. After a kill, `start` restarts it with the same data and ports. If a majority of the cluster is down,
 *  start several members at the same time: no member is healthy before a majority runs. */
export interface EtcdMember {
  readonly name: string;
  readonly clientUrl: string;
  /** Its data directory, to be removed or replaced while it is down. */
  readonly dataFolder: string;
  /** The server's process id on this machine. */
  readonly pid: number;
  /** Sends a signal, SIGKILL by default, and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when the member is healthy. */
  start(): Promise<void>;
  /** Sends a signal, such as SIGSTOP or SIGCONT, and does not wait. */
  signal(signal: NodeJS.Signals): void;
}

/** A running etcd of one or three members. */
export interface EtcdCluster {
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
  readonly tls: ClientCertificate | undefined;
  /** Stops all members and removes their data. */
  stop(): Promise<void>;
}

export interface EtcdOptions {
  readonly members: 1 | 3;
  /** The server requires client certificates. */
  readonly tls?: boolean;
  /** Turns authentication on. This user may read and write every key, but is not an administrator. */
  readonly user?: { readonly name: string; readonly password: string };
  readonly quotaBytes?: number;
  /** A file that `etcdctl snapshot save` wrote. The cluster starts with the keys in it. */
  readonly snapshotFile?: string;
  /** The address and network namespace of a member; absent: 127.0.0.1 in the machine's own namespace. */
  readonly memberOptions?: (index: number) => { readonly host?: string; readonly netns?: string };
}

const defaultQuotaBytes = 2 * 1024 ** 3;

/** The name, network namespace and addresses of a member. */
interface Seat {
  readonly name: string;
  readonly host: string;
  readonly netns: string | undefined;
  readonly listenUrl: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** The URL that answers health checks without a certificate. */
  readonly metricsUrl: string;
}

/** Starts etcd. Its data is removed by `stop`, or when this process ends. etcd does not compact by itself.
 *  @throws Error with the last lines of a member's log, the output of a command that failed, or the missing requirement */
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
      // etcdctl makes the file readable only for the user that runs etcdctl
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
      members: members.map((member, index) => memberOf(member, seats[index] as Seat, folder.path)),
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
    // with TLS, a client needs a host name, because Bun refuses an address as the server's name
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
    ...["--snapshot-count=1000", "--experimental-snapshot-catchup-entries=1000"],
    `--quota-backend-bytes=${quotaBytes}`,
    "--logger=zap",
    "--log-level=error",
    ...(tls ? ["--client-cert-auth", ...tlsFlags] : []),
  ];
}

/** A command that turns authentication on. etcd requires a user `root` for that. */
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

/** A member without space counts as healthy, so that tests of a full etcd can restart it. */
async function isHealthy(metricsUrl: string): Promise<boolean> {
  const response = await fetch(`${metricsUrl}/health?exclude=NOSPACE`, { signal: AbortSignal.timeout(2000) });
  return response.ok && ((await response.json()) as { health: string }).health === "true";
}

function memberOf(server: TrixieServer, { name, clientUrl }: Seat, folder: string): EtcdMember {
  return {
    name,
    clientUrl,
    dataFolder: join(folder, name),
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    signal: (signal) => server.signal(signal),
  };
}
